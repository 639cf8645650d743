/**
 * Edge attribution patching: the effect of giving one edge its value of the corrupted prompt, for all edges at once,
 *
 *   score(u → d) = Σ_position (u' − u) · ∂m/∂(input of d),
 *
 * u and u' being what the source writes on the clean and the corrupted prompt, and m the metric's mean over pairs (EAP: Syed
 * et al. 2023, eq. 2). With integrated gradients (EAP-IG: Hanna et al. 2024, eq. 4) the gradient is the mean over m steps
 * k = 1…m of runs whose input embeddings are z' + k/m (z − z'). A positive score says that corrupting the edge raises the metric.
 */
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { matMul } from '../graph/ops/layer.ts';
import { reshape, transpose } from '../graph/ops/layout.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { gradientsAt } from '../model/gradients.ts';
import { type BlockHook, blockHookName } from '../model/hooks.ts';
import type { Transformer } from '../model/transformer.ts';
import { isDifferentiable, metricSeed } from '../task/metric.ts';
import type { TokenPair } from '../task/task.ts';
import {
  type ComponentGraph,
  destinationIndex,
  fullGraph,
  type GraphDestination,
  graphSizes,
  readable,
} from './componentGraph.ts';
import { recordWrites, type WrittenRun } from './componentWrites.ts';
import { type PairBatch, pairBatches } from './pairBatches.ts';

export interface EdgeAttributionRequest {
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  /** Steps of integrated gradients (EAP-IG); 0 takes the gradient on the clean prompt alone (EAP). */
  readonly steps: number;
}

/** Floats of activations and gradients that one batch may hold. */
const batchFloats = 48 * 2 ** 20;

/**
 * Scores all edges: two forward passes for a batch of pairs, and for each step one forward and one backward pass.
 * @throws request.invalid for no pairs, a metric without a gradient, or one whose gradient is zero there; cancelled.
 */
export async function attributeAllEdges(
  model: Transformer,
  request: EdgeAttributionRequest,
  call: CallOptions = {},
): Promise<ComponentGraph> {
  checkRequest(request);
  const { config } = model;
  const { sources, destinations } = graphSizes(config);
  const perToken = (2 * sources + destinations) * config.dModel;
  const batches = pairBatches(request.pairs, Math.floor(batchFloats / perToken));
  const graph = fullGraph(config);
  const contract = await compile(contraction(config.dModel));
  try {
    for (const [i, batch] of batches.entries()) {
      const report = (done: number): void =>
        call.report?.({ done: i + done, total: batches.length, what: 'edges' });
      await scoreBatch(model, request, batch, { graph, contract, report, signal: call.signal });
    }
  } finally {
    await contract.release();
  }
  return graph;
}

function checkRequest({ pairs, metric, steps }: EdgeAttributionRequest): void {
  const invalid = (what: string, reason: string) => new EngineError('request.invalid', { what, reason });
  if (pairs.length === 0) throw invalid('The attribution of edges', 'there are no prompt pairs');
  if (!Number.isInteger(steps) || steps < 0 || steps > 1000) {
    throw invalid(`${steps} steps`, 'integrated gradients take between 0 and 1000 steps');
  }
  if (!isDifferentiable(metric)) throw invalid('This metric', 'it has no gradient; use the logit difference');
  if (metric === 'kl' && steps < 2) {
    const reason = 'its gradient is zero on the clean prompt; use integrated gradients with 2 steps or more';
    throw invalid('The KL divergence', reason);
  }
}

interface Scoring {
  readonly graph: ComponentGraph;
  readonly contract: CompiledProgram;
  report(done: number): void;
  readonly signal?: AbortSignal;
}

async function scoreBatch(
  model: Transformer,
  request: EdgeAttributionRequest,
  batch: PairBatch,
  { graph, contract, report, signal }: Scoring,
): Promise<void> {
  report(0);
  const clean = await recordWrites(model, { tokens: batch.clean }, signal);
  const corrupted = await recordWrites(model, { tokens: batch.corrupted }, signal);
  const change = corrupted.writes.map((x, i) => x - clean.writes[i]!);
  const steps = Math.max(1, request.steps);
  const weight = 1 / (steps * request.pairs.length);
  for (let step = 1; step <= steps; step++) {
    throwIfCancelled(signal);
    const run = step === steps ? clean : await between(model, clean, corrupted, step / steps, signal);
    const seed = metricSeed(request.metric, batch.length - 1, run.logits, batch.pairs, clean.logits);
    const gradients = await gradientsAt(model, {
      residuals: run.residuals,
      seed,
      hooks: readingHooks(model).map(({ hook }) => hook),
      signal,
    });
    for (const { hook, first } of readingHooks(model)) {
      await addScores(graph, contract, { change, gradient: gradients.get(hook)!, first, weight });
    }
    report(step / steps);
  }
}

/** A run whose first residual stream is z' + share · (z − z'). */
async function between(
  model: Transformer,
  clean: WrittenRun,
  corrupted: WrittenRun,
  share: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly residuals: readonly Value[]; readonly logits: FloatValue }> {
  const residual = interpolate(corrupted.residuals[0]!, clean.residuals[0]!, share);
  const run = await model.run({ from: { layer: 0, residual }, logits: 'last', signal });
  return { residuals: run.residuals.map((value) => value!), logits: run.logits as FloatValue };
}

/** `a + share · (b − a)`. */
export function interpolate(a: Value, b: Value, share: number): FloatValue {
  const other = floatsOf(b);
  return floatValue(
    floatsOf(a).map((x, i) => x + share * (other[i]! - x)),
    a.dims,
  );
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

/** Adds `weight · Σ change · gradient` for the destinations of one hook and all sources that they read. */
async function addScores(
  { shape, scores }: ComponentGraph,
  contract: CompiledProgram,
  part: {
    readonly change: Float32Array;
    readonly gradient: Value;
    readonly first: number;
    readonly weight: number;
  },
): Promise<void> {
  const { sources } = graphSizes(shape);
  const [batch = 1, positions = 1] = part.gradient.dims;
  const width = batch * positions * shape.dModel;
  const gradient = floatsOf(part.gradient);
  const count = gradient.length / width;
  const end = readable(shape, part.first);
  const { scores: found } = await contract.run({
    change: floatValue(part.change.subarray(0, end * width), [end, width]),
    gradient: floatValue(gradient, [batch, positions, count, shape.dModel]),
  });
  const products = floatsOf(found!);
  for (let d = 0; d < count; d++) {
    for (let source = 0; source < end; source++) {
      scores[(part.first + d) * sources + source]! += part.weight * products[d * end + source]!;
    }
  }
}

/** `[destination, source]` products of changes `[source, n]` and gradients `[batch, position, destination, d_model]`. */
function contraction(dModel: number) {
  const change = input('change', 'float32', ['source', 'n']);
  const gradient = input('gradient', 'float32', ['batch', 'position', 'destination', dModel]);
  const byDestination = reshape(transpose(gradient, [2, 0, 1, 3]), ['destination', 'n']);
  return program({ scores: matMul(byDestination, transpose(change)) });
}
