/** Attribution graphs over transcoders (Ameisen et al. 2025): what can be asked, and what comes back. */
import type { CallOptions } from './callOptions.ts';
import type { CircuitGraph } from './circuit.ts';
import type { ModelId, SaeId } from './domain.ts';
import type { SearchEstimate } from './searchEstimate.ts';

export interface AttributionGraphRequest {
  readonly model: ModelId;
  readonly text: string;
  /** One transcoder for every layer's MLP, or the files of one cross-layer set. */
  readonly transcoders: readonly SaeId[];
  /** Logits to explain: these tokens, or the most probable ones. */
  readonly answers?: readonly string[];
  /** Of the most probable tokens: at most so many (10), until they have this probability together (0.95). */
  readonly maxLogits?: number;
  readonly desiredProbability?: number;
  /** Features whose inputs are traced, the most influential first; at most 7500 when left out. */
  readonly maxFeatureNodes?: number;
  /** Shares of influence that are kept: 0.8 of nodes and 0.98 of edges when left out. */
  readonly nodeThreshold?: number;
  readonly edgeThreshold?: number;
  /**
   * Leaves features and errors of the first position out, as circuit-tracer does, which always has a special token there.
   * When not said: exactly where the prompt begins with the beginning-of-sequence token.
   */
  readonly leaveFirst?: boolean;
}

export interface AttributionGraph {
  /** `method.name` is `attribution graph`. */
  readonly circuit: CircuitGraph;
  /** Share of the influence on the logits that starts in tokens and not in errors. */
  readonly replacementScore: number;
  /** Share of the nodes' input that comes from features and tokens, weighted by the nodes' influence. */
  readonly completenessScore: number;
  /** Nodes and edges before pruning. */
  readonly allNodes: number;
  readonly allEdges: number;
  /** Layers without a transcoder: the whole output of their MLP is one error node. Absent when every layer has one. */
  readonly untranscoded?: readonly number[];
}

/** What to say of layers without a transcoder; undefined when there are none. */
export function untranscodedNote(layers: readonly number[] = []): string | undefined {
  if (layers.length === 0) return undefined;
  const which = `${layers.length === 1 ? 'Layer' : 'Layers'} ${layers.join(', ')}`;
  return `${which} ${layers.length === 1 ? 'has' : 'have'} no transcoder: there, "error" is the whole output of the MLP.`;
}

export interface AttributionGraphApi {
  /** Replaces MLPs by transcoders, freezes attention and norms, and traces what makes each feature and logit. */
  attributionGraph(request: AttributionGraphRequest, options?: CallOptions): Promise<AttributionGraph>;
  /** What it will take. */
  estimateAttributionGraph(request: AttributionGraphRequest, options?: CallOptions): Promise<SearchEstimate>;
}

export const attributionGraphMethods: { readonly [M in keyof AttributionGraphApi]: true } = {
  attributionGraph: true,
  estimateAttributionGraph: true,
};
