/** Circuits of heads and MLPs by edge attribution patching and by automatic discovery: what can be asked, and what comes back. */
import type { CallOptions } from './callOptions.ts';
import type { CircuitGraph } from './circuit.ts';
import type { Contrast, ModelId, SaeId, TokenLogit } from './domain.ts';
import type { PromptPairs } from './patchingApi.ts';
import type { SearchEstimate } from './searchEstimate.ts';
import type { TaskMetric } from './task.ts';

/** Which edges make the circuit, by the size of their scores. `greedy` grows it from the logits. */
export type EdgeChoice =
  | { readonly kind: 'top' | 'greedy'; readonly count: number }
  | { readonly kind: 'threshold'; readonly least: number };

export interface AttributeEdgesRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  /** The task's own, or the logit difference, when left out. */
  readonly metric?: TaskMetric;
  /**
   * `eap`: gradients on the clean prompts. `eap-ig`: integrated gradients over the input embeddings. `eap-ig-activations`: over
   * what each source writes, from clean to corrupted.
   */
  readonly method: 'eap' | 'eap-ig' | 'eap-ig-activations';
  /** Of integrated gradients; 5 when left out. */
  readonly steps?: number;
  readonly edges: EdgeChoice;
}

export interface RunAcdcRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  /** The KL divergence when left out, as in Conmy et al. (2023), whatever the task's own metric is. */
  readonly metric?: TaskMetric;
  /** An edge stays when corrupting it raises the loss (the KL divergence, or the metric with its sign turned) by this much. */
  readonly threshold: number;
  /** Ends the search when the loss has risen by this much in all. */
  readonly budget?: number;
}

/** What `attributeEdges` or `runAcdc` is to be asked. */
export type EstimateEdgesRequest =
  | Omit<AttributeEdgesRequest, 'edges'>
  | (Pick<RunAcdcRequest, 'model' | 'pairs' | 'metric'> & { readonly method: 'acdc' });

export interface EvaluateEdgesRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  readonly metric?: TaskMetric;
  /** A graph in EAP-IG's JSON, of a model of this shape. */
  readonly path: string;
}

/** One edge of the circuit. Names as in EAP-IG's files: `a0.h1->a2.h3<q>`. */
export interface AttributedEdge {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  /** Estimated change of the mean metric when the edge alone is corrupted; for ACDC the rise of the loss when it was tried. */
  readonly score: number;
}

/** A circuit of heads and MLPs, and what it does when it is run exactly. */
export interface AttributedCircuit {
  /** For the panel. Nodes stand for all positions, so it puts them at the last one. */
  readonly circuit: CircuitGraph;
  /** Edges in the circuit, strongest first. */
  readonly edges: readonly AttributedEdge[];
  /** Edges of the whole model. */
  readonly total: number;
  /** Effects of all nodes: the sum of what leaves them. Estimated, and absent for ACDC. */
  readonly nodes?: readonly { readonly name: string; readonly effect: number }[];
  readonly metric: TaskMetric;
  readonly pairCount: number;
  /** Mean metric: clean prompts, corrupted prompts, and the circuit with everything else corrupted. */
  readonly clean: number;
  readonly corrupted: number;
  readonly kept: number;
  /** `(kept − corrupted) / (clean − corrupted)`; NaN when both prompts give the same. */
  readonly faithfulness: number;
  /** ACDC: edges that were tried, and whether the budget ended the search. */
  readonly search?: { readonly tried: number; readonly stopped: boolean };
  /** The whole graph with all scores, as EAP-IG's JSON. */
  readonly eapIg: string;
}

/** What one SAE's hook adds to a contrast directly, at its position. The parts add up to `total`. */
export interface FeatureAttribution {
  readonly position: number;
  readonly what: string;
  /** Active features, largest part first. */
  readonly features: readonly {
    readonly index: number;
    readonly activation: number;
    readonly value: number;
  }[];
  /** What the SAE writes with no feature active. */
  readonly bias: number;
  /** What it leaves out. */
  readonly error: number;
  readonly total: number;
}

/** The tokens whose logits one component's write raises and lowers most, by itself, before any soft cap. */
export interface ComponentLens {
  readonly component: string;
  /** −1 for the embeddings. */
  readonly layer: number;
  readonly head?: number;
  readonly topLogits: readonly TokenLogit[];
  readonly bottomLogits: readonly TokenLogit[];
}

export interface AttributionApi {
  /** Direct logit attribution of the features of an SAE that writes to the stream, or reads it whole. */
  featureAttribution(
    request: {
      readonly run: string;
      readonly sae: SaeId;
      readonly contrast?: Contrast;
      readonly position?: number;
    },
    options?: CallOptions,
  ): Promise<FeatureAttribution>;
  /** The logit lens of the embeddings, every head and every MLP at a position, without the run's interventions. */
  componentLens(
    request: { readonly run: string; readonly position: number; readonly top: number },
    options?: CallOptions,
  ): Promise<readonly ComponentLens[]>;
  /** Scores all edges at once (Syed et al. 2023; Hanna et al. 2024), keeps the chosen ones and runs them exactly. */
  attributeEdges(request: AttributeEdgesRequest, options?: CallOptions): Promise<AttributedCircuit>;
  /** Runs the circuit of an EAP-IG file exactly, as it is. */
  evaluateEdges(request: EvaluateEdgesRequest, options?: CallOptions): Promise<AttributedCircuit>;
  /** What finding a circuit of edges will take; of ACDC the most: when no node loses its way to the logits. */
  estimateEdges(request: EstimateEdgesRequest, options?: CallOptions): Promise<SearchEstimate>;
  /** Finds a circuit by corrupting edge after edge (Conmy et al. 2023). */
  runAcdc(request: RunAcdcRequest, options?: CallOptions): Promise<AttributedCircuit>;
}

export const attributionMethods: { readonly [M in keyof AttributionApi]: true } = {
  featureAttribution: true,
  componentLens: true,
  attributeEdges: true,
  estimateEdges: true,
  evaluateEdges: true,
  runAcdc: true,
};
