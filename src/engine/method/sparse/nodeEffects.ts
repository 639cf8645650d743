/**
 * Effects of features and errors on a metric (Marks et al. 2024, §3.1): what a node's move to its value on the corrupted
 * prompt does to the metric, positive where it raises it; the mean over pairs.
 *
 * `atp` (eq. 2): `∂m/∂f · (f' − f)` on the clean run. Every site is spliced as `x = W f + b + ε`, with the paper's two
 * overrides: what arrives at ε is read there and not sent back through `ε = x − x̂(x)`, and what is handed to earlier sites
 * is the gradient at the whole of x. The splice is then the identity, so the model's own gradient at the site is all that
 * is needed: `∂m/∂f_i = s W_i · ∂m/∂x`, with s the scale of an SAE that normalises, held at its value.
 *
 * `ig` (eq. 3): that gradient averaged over `(1 − k/N) clean + (k/N) corrupted`, k = 0 … N − 1, of features and error
 * of one site at a time, everything before it being clean.
 */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../../shared/errors.ts';
import type { NodeEffectMethod } from '../../../shared/sparseCircuitApi.ts';
import type { TaskMetric } from '../../../shared/task.ts';
import { floatsOf } from '../../graph/value.ts';
import { gradientsAt } from '../../model/gradients.ts';
import type { Transformer } from '../../model/transformer.ts';
import { isDifferentiable, metricSeed } from '../../task/metric.ts';
import type { TokenPair } from '../../task/task.ts';
import { pairBatches } from '../pairBatches.ts';
import { between, meanGradient } from '../pathGradient.ts';
import { repeatRows } from '../rowValues.ts';
import { EffectTable } from './effectTable.ts';
import { addExactEffects } from './exactEffects.ts';
import { type BatchRun, patchedValue, runBatch, visitRow } from './siteValues.ts';
import { mostRows, type SparseSite } from './sparseSites.ts';

export interface EffectRequest {
  readonly sites: readonly SparseSite[];
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  readonly method: NodeEffectMethod;
  /** Of integrated gradients. */
  readonly steps: number;
  readonly aggregation: 'sum' | 'position';
}

/** A batch of pairs with the gradient at every site, `[row, d_model]`. */
export interface GradientRun extends BatchRun {
  readonly gradients: readonly Float32Array[];
}

/** Tokens that run side by side. */
const batchTokens = 4096;

/** Effects of all active nodes; `see` is shown each batch with its gradients. @throws request.invalid; cancelled */
export async function nodeEffects(
  model: Transformer,
  request: EffectRequest,
  call: CallOptions = {},
  see: (run: GradientRun) => void = () => undefined,
): Promise<EffectTable> {
  checkEffects(request);
  const { sites, pairs } = request;
  const table = new EffectTable(sites, request.aggregation === 'sum' ? undefined : pairs[0]!.clean.length);
  if (request.method === 'exact') {
    let before = 0;
    for (const batch of effectBatches(request)) {
      const run = await runBatch(model, sites, batch, call.signal);
      await addExactEffects(model, run, { table, request, before }, call);
      before += batch.pairs.length;
    }
    return table;
  }
  for await (const run of gradientRuns(model, request, call)) {
    addEffects(table, run, 1 / pairs.length);
    see(run);
  }
  return table;
}

/** The batches of a request. */
export function effectBatches({ sites, pairs, method, steps }: EffectRequest) {
  const rows = method === 'ig' ? steps : 1;
  return pairBatches(pairs, Math.min(batchTokens / rows, mostRows(sites)));
}

/** Batch after batch with the gradients that the method takes; those of the clean run for exact effects. */
export async function* gradientRuns(
  model: Transformer,
  request: EffectRequest,
  call: CallOptions = {},
): AsyncGenerator<GradientRun> {
  const batches = effectBatches(request);
  const total = batches.length * request.sites.length;
  for (const [i, batch] of batches.entries()) {
    const run = await runBatch(model, request.sites, batch, call.signal);
    const report = (done: number): void =>
      call.report?.({ done: i * request.sites.length + done, total, what: 'Effects of nodes' });
    const work = { model, request, run, report, signal: call.signal };
    yield { ...run, gradients: request.method === 'ig' ? await integrated(work) : await plain(work) };
    report(request.sites.length);
  }
}

/** Adds `weight · Δ · gradient` of every node to the table. */
function addEffects(table: EffectTable, run: GradientRun, weight: number): void {
  const { length } = run.batch;
  for (const [index, values] of run.sites.entries()) {
    const { site, active, directions, scales, errorChange } = values;
    const gradient = run.gradients[index]!;
    const width = gradient.length / scales.length;
    for (let row = 0; row < scales.length; row++) {
      const position = row % length;
      visitRow(active, row, (entry, feature) => {
        if (active.change[entry] === 0) return;
        const slope = scales[row]! * directions.dot(feature, gradient, row * width);
        table.add(index, feature, position, weight * active.change[entry]! * slope);
      });
      if (!errorChange) continue;
      const change = errorChange.subarray(row * width, (row + 1) * width);
      if (change.every((x) => x === 0)) continue;
      const sum = change.reduce((found, x, d) => found + x * gradient[row * width + d]!, 0);
      table.add(index, site.dictionary.width, position, weight * sum);
    }
  }
}

interface Work {
  readonly model: Transformer;
  readonly request: EffectRequest;
  readonly run: BatchRun;
  report(done: number): void;
  readonly signal?: AbortSignal;
}

/** One backward pass for all sites. */
async function plain({ model, request, run, signal }: Work): Promise<Float32Array[]> {
  const { batch, residuals, logits } = run;
  const hooks = request.sites.map(({ hook }) => hook);
  const seed = metricSeed(request.metric, batch.length - 1, logits, batch.pairs, logits);
  const found = await gradientsAt(model, { residuals, seed, hooks, signal });
  return hooks.map((hook) => floatsOf(found.get(hook)!));
}

/** For each site one run from its block on, with all steps side by side. */
async function integrated({ model, request, run, report, signal }: Work): Promise<Float32Array[]> {
  const { batch, residuals, logits } = run;
  const { metric, steps } = request;
  const shares = Array.from({ length: steps }, (_, k) => k / steps);
  const repeated = shares.flatMap(() => batch.pairs);
  const reference = repeatRows(logits, steps);
  const gradients: Float32Array[] = [];
  for (const values of run.sites) {
    throwIfCancelled(signal);
    const { hook, layer } = values.site;
    const path = {
      hook,
      layer,
      residual: residuals[layer]!,
      values: between(values.value, patchedValue(values), shares),
      steps,
      seed: (last: typeof logits) => metricSeed(metric, batch.length - 1, last, repeated, reference),
      signal,
    };
    gradients.push(await meanGradient(model, path));
    report(gradients.length);
  }
  return gradients;
}

function checkEffects({ pairs, metric, method, steps, aggregation }: EffectRequest): void {
  const invalid = (what: string, reason: string) => new EngineError('request.invalid', { what, reason });
  if (pairs.length === 0) throw invalid('The circuit', 'there are no prompt pairs');
  if (aggregation === 'position' && new Set(pairs.map(({ clean }) => clean.length)).size > 1) {
    const reason = 'the pairs differ in length, so positions have no common meaning; sum over them instead';
    throw invalid('Effects by position', reason);
  }
  if (method === 'exact') return;
  if (!isDifferentiable(metric)) {
    throw invalid('This metric', 'it has no gradient; use the logit difference, or exact effects');
  }
  if (metric === 'kl' && method === 'atp') {
    throw invalid('The KL divergence', 'its gradient is zero on the clean prompt; use integrated gradients');
  }
  if (method === 'ig' && !(Number.isInteger(steps) && steps >= 1 && steps <= 1000)) {
    throw invalid(`${steps} steps`, 'integrated gradients take between 1 and 1000 steps');
  }
}
