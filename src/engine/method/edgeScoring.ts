/** What edge attribution multiplies and adds: changes of sources and gradients at their readers, summed into the scores of a graph. */
import type { TaskMetric } from '../../shared/task.ts';
import { matMul } from '../graph/ops/layer.ts';
import { reshape, transpose } from '../graph/ops/layout.ts';
import { program } from '../graph/program.ts';
import type { CompiledProgram } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import { type BlockHook, blockHookName } from '../model/hooks.ts';
import type { Transformer } from '../model/transformer.ts';
import type { TokenPair } from '../task/task.ts';
import {
  type ComponentGraph,
  destinationIndex,
  type GraphDestination,
  graphSizes,
  readable,
} from './componentGraph.ts';

export interface EdgeAttributionRequest {
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  /** Steps of integrated gradients (EAP-IG); 0 takes the gradient on the clean prompt alone (EAP). */
  readonly steps: number;
  /** What the way of integrated gradients leads through; the input embeddings when left out. */
  readonly along?: 'inputs' | 'activations';
  /** Along activations: numbers of the sources whose edges are scored; all when left out. */
  readonly sources?: readonly number[];
}

/** A graph whose scores are being added up. */
export interface Scoring {
  readonly graph: ComponentGraph;
  readonly contract: CompiledProgram;
  report(done: number): void;
  readonly signal?: AbortSignal;
}

/** The hooks where destinations read, with the number of the first destination of each. */
export function readingHooks(
  model: Transformer,
): readonly { readonly hook: string; readonly first: number }[] {
  const { config } = model;
  const hooks: { hook: string; first: number }[] = [];
  const add = (layer: number, hook: BlockHook, first: GraphDestination): void => {
    hooks.push({ hook: blockHookName(layer, hook), first: destinationIndex(config, first) });
  };
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const kind of ['q', 'k', 'v'] as const) add(layer, `hook_${kind}_input`, { kind, layer, head: 0 });
    add(layer, 'hook_mlp_in', { kind: 'mlp', layer });
  }
  add(config.nLayers - 1, 'hook_resid_post', { kind: 'logits' });
  return hooks;
}

/** Adds `weight · Σ change · gradient` for the destinations of one hook and the sources among `from` that they read. */
export async function addScores(
  { shape, scores }: ComponentGraph,
  contract: CompiledProgram,
  part: {
    readonly change: Float32Array;
    readonly gradient: Value;
    readonly first: number;
    readonly weight: number;
    /** The first source and how many; all when left out. */
    readonly from?: { readonly first: number; readonly count: number };
  },
): Promise<void> {
  const { sources } = graphSizes(shape);
  const [batch = 1, positions = 1] = part.gradient.dims;
  const width = batch * positions * shape.dModel;
  const gradient = floatsOf(part.gradient);
  const count = gradient.length / width;
  const begin = part.from?.first ?? 0;
  const end = Math.min(readable(shape, part.first), begin + (part.from?.count ?? sources));
  if (end <= begin) return;
  const { scores: found } = await contract.run({
    change: floatValue(part.change.subarray(begin * width, end * width), [end - begin, width]),
    gradient: floatValue(gradient, [batch, positions, count, shape.dModel]),
  });
  const products = floatsOf(found!);
  for (let d = 0; d < count; d++) {
    for (let source = begin; source < end; source++) {
      scores[(part.first + d) * sources + source]! +=
        part.weight * products[d * (end - begin) + source - begin]!;
    }
  }
}

/** `[destination, source]` products of changes `[source, n]` and gradients `[batch, position, destination, d_model]`. */
export function contraction(dModel: number) {
  const change = input('change', 'float32', ['source', 'n']);
  const gradient = input('gradient', 'float32', ['batch', 'position', 'destination', dModel]);
  const byDestination = reshape(transpose(gradient, [2, 0, 1, 3]), ['destination', 'n']);
  return program({ scores: matMul(byDestination, transpose(change)) });
}
