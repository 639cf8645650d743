/**
 * Edge attribution patching: the effect of giving one edge its value of the corrupted prompt, for all edges at once,
 *
 *   score(u → d) = Σ_position (u' − u) · ∂m/∂(input of d),
 *
 * u and u' being what the source writes on the clean and the corrupted prompt, and m the metric's mean over pairs (EAP: Syed
 * et al. 2023, eq. 2). With integrated gradients (EAP-IG: Hanna et al. 2024, eq. 4) the gradient is the mean over m steps
 * k = 1…m of runs whose input embeddings are z' + k/m (z − z'), or of runs in which the source itself writes
 * what lies between u and u', at the midpoints of the steps (along activations; Marks et al. 2024, eq. 3).
 * A positive score says that corrupting the edge raises the metric.
 */
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { compile } from '../graph/session.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { gradientsAt } from '../model/gradients.ts';
import type { Transformer } from '../model/transformer.ts';
import { isDifferentiable, metricSeed } from '../task/metric.ts';
import { type ComponentGraph, fullGraph, graphSizes } from './componentGraph.ts';
import { recordWrites, type WrittenRun } from './componentWrites.ts';
import {
  addScores,
  contraction,
  type EdgeAttributionRequest,
  readingHooks,
  type Scoring,
} from './edgeScoring.ts';
import { scoreAlongActivations } from './edgesAlongActivations.ts';
import { type PairBatch, pairBatches } from './pairBatches.ts';

/** Floats of activations and gradients that one batch may hold. */
export const batchFloats = 48 * 2 ** 20;

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
  const rows = request.along === 'activations' ? request.steps : 1;
  const perToken = (2 * sources + rows * destinations) * config.dModel;
  const batches = pairBatches(request.pairs, Math.floor(batchFloats / perToken));
  const graph = fullGraph(config);
  const contract = await compile(contraction(config.dModel));
  try {
    for (const [i, batch] of batches.entries()) {
      const report = (done: number): void =>
        call.report?.({ done: i + done, total: batches.length, what: 'edges' });
      const scoring = { graph, contract, report, signal: call.signal };
      if (request.along === 'activations') await scoreAlongActivations(model, request, batch, scoring);
      else await scoreBatch(model, request, batch, scoring);
    }
  } finally {
    await contract.release();
  }
  return graph;
}

function checkRequest({ pairs, metric, steps, along }: EdgeAttributionRequest): void {
  const invalid = (what: string, reason: string) => new EngineError('request.invalid', { what, reason });
  if (pairs.length === 0) throw invalid('The attribution of edges', 'there are no prompt pairs');
  if (!Number.isInteger(steps) || steps < 0 || steps > 1000) {
    throw invalid(`${steps} steps`, 'integrated gradients take between 0 and 1000 steps');
  }
  if (along === 'activations' && steps < 1)
    throw invalid('0 steps', 'integrated gradients along activations take at least one');
  if (!isDifferentiable(metric)) throw invalid('This metric', 'it has no gradient; use the logit difference');
  if (metric === 'kl' && steps < 2 && along !== 'activations') {
    const reason = 'its gradient is zero on the clean prompt; use integrated gradients with 2 steps or more';
    throw invalid('The KL divergence', reason);
  }
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
