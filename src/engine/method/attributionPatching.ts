/**
 * Attribution patching of nodes (AtP, Nanda 2023): the effect of giving a head, an MLP or the embeddings their values of the
 * corrupted prompt, estimated for all of them at once as `Σ (a' − a) · ∂m/∂a`, with a the clean value, a' the corrupted one
 * and m the mean metric.
 *
 * Integrated gradients replace the gradient by its mean along the way from a to a': of the node's own layer and kind, patched
 * together and alone (`activations`; Marks et al. 2024, eq. 3, at the midpoints of the steps), or of the input embeddings
 * (`inputs`; Hanna et al. 2024, eq. 4, at k/m of the way from corrupted to clean).
 */
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import { gradientsAt, savedHooks } from '../model/gradients.ts';
import { blockHookName } from '../model/hooks.ts';
import type { RunRequest, Transformer } from '../model/transformer.ts';
import { isDifferentiable, metricSeed, seedNeedsLogits } from '../task/metric.ts';
import type { TokenPair } from '../task/task.ts';
import { graphSizes, sourceIndex } from './componentGraph.ts';
import { type PairBatch, pairBatches } from './pairBatches.ts';
import { between, meanGradient } from './pathGradient.ts';
import { repeatRows, rowRange } from './rowValues.ts';

export type Integration =
  | { readonly along: 'none' }
  | { readonly along: 'inputs' | 'activations'; readonly steps: number };

export interface NodeAttributionRequest {
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  readonly integrate: Integration;
}

export interface NodeEffects {
  /** `[source]`, numbered as in componentGraph.ts: estimated change of the mean metric, summed over positions. */
  readonly effects: Float64Array;
  /** `[source, position]`; absent when the pairs differ in length. */
  readonly byPosition?: Float64Array;
}

/** A hook whose values nodes are: its heads, or all of it. */
interface NodeSite {
  readonly hook: string;
  readonly layer: number;
  /** Number of its first node, and how many it has. */
  readonly first: number;
  readonly count: number;
}

interface NodeRun {
  readonly hooks: ReadonlyMap<string, Value>;
  readonly residuals: readonly Value[];
  /** Of the last position; absent when the metric's gradient does not need them. */
  readonly logits?: Value;
}

/**
 * Up to here a backward pass takes the blocks' inside from the run: reading weights takes longest then. Beyond, keeping it
 * costs more memory than computing it again costs time.
 */
const fewTokens = 512;

/** Tokens that run side by side. */
const batchTokens = 4096;

/** Estimates the effects of all nodes. @throws request.invalid for no pairs or a metric without a gradient; cancelled. */
export async function attributeAllNodes(
  model: Transformer,
  request: NodeAttributionRequest,
  call: CallOptions = {},
): Promise<NodeEffects> {
  checkRequest(request);
  const { pairs, integrate } = request;
  const rows = integrate.along === 'activations' ? Math.max(2, integrate.steps) : 2;
  const batches = pairBatches(pairs, Math.floor(batchTokens / rows));
  const { sources } = graphSizes(model.config);
  const lengths = new Set(pairs.map(({ clean }) => clean.length));
  const width = Math.max(...lengths);
  const table = new Float64Array(sources * width);
  for (const [i, batch] of batches.entries()) {
    const report = (done: number): void =>
      call.report?.({ done: i + done, total: batches.length, what: 'nodes' });
    report(0);
    const { clean, corrupted } = await runPrompts(model, batch, request.metric, call.signal);
    const work = { model, request, batch, clean, corrupted, report, signal: call.signal };
    const gradients = integrate.along === 'activations' ? alongActivations(work) : alongInputs(work);
    for await (const { site, gradient } of gradients) {
      const change = difference(corrupted.hooks.get(site.hook)!, clean.hooks.get(site.hook)!);
      addProducts(table, site, { change, gradient, width, batch, scale: 1 / pairs.length });
    }
  }
  const effects = Float64Array.from({ length: sources }, (_, source) =>
    table.subarray(source * width, (source + 1) * width).reduce((sum, x) => sum + x, 0),
  );
  return { effects, ...(lengths.size === 1 && { byPosition: table }) };
}

function checkRequest({ pairs, metric, integrate }: NodeAttributionRequest): void {
  const invalid = (what: string, reason: string) => new EngineError('request.invalid', { what, reason });
  if (pairs.length === 0) throw invalid('The attribution of nodes', 'there are no prompt pairs');
  if (!isDifferentiable(metric)) throw invalid('This metric', 'it has no gradient; use the logit difference');
  if (integrate.along === 'none') {
    if (metric !== 'kl') return;
    const reason = 'its gradient is zero on the clean prompt; use integrated gradients';
    throw invalid('The KL divergence', reason);
  }
  const { steps } = integrate;
  if (Number.isInteger(steps) && steps >= 1 && steps <= 1000) return;
  throw invalid(`${steps} steps`, 'integrated gradients take between 1 and 1000 steps');
}

/** The hooks of all nodes in the order of the forward pass. */
export function nodeSites({ config }: Transformer): readonly NodeSite[] {
  const sites: NodeSite[] = [{ hook: blockHookName(0, 'hook_resid_pre'), layer: 0, first: 0, count: 1 }];
  for (let layer = 0; layer < config.nLayers; layer++) {
    const heads = sourceIndex(config, { kind: 'head', layer, head: 0 });
    const mlp = sourceIndex(config, { kind: 'mlp', layer });
    sites.push({ hook: blockHookName(layer, 'attn.hook_z'), layer, first: heads, count: config.nHeads });
    sites.push({ hook: blockHookName(layer, 'hook_mlp_out'), layer, first: mlp, count: 1 });
  }
  return sites;
}

async function runNodes(
  model: Transformer,
  request: Pick<RunRequest, 'tokens' | 'from'>,
  metric: TaskMetric,
  signal?: AbortSignal,
): Promise<NodeRun> {
  const { tokens: rows, from } = request;
  const [count, length] = rows ? [rows.length, rows[0]!.length] : (from!.residual.dims as [number, number]);
  const capture = new Set(nodeSites(model).map(({ hook }) => hook));
  if (count * length <= fewTokens) for (const hook of savedHooks(model.config)) capture.add(hook);
  const logits = seedNeedsLogits(metric) ? 'last' : 'none';
  const run = await model.run({ ...request, capture: [...capture], logits, signal });
  const residuals = run.residuals as readonly Value[];
  return { hooks: run.hooks, residuals, ...(run.logits && { logits: run.logits }) };
}

/** Both prompts of every pair in one batch: each block's weights are read once for all. */
async function runPrompts(
  model: Transformer,
  { clean, corrupted }: PairBatch,
  metric: TaskMetric,
  signal?: AbortSignal,
): Promise<{ readonly clean: NodeRun; readonly corrupted: NodeRun }> {
  const both = await runNodes(model, { tokens: [...clean, ...corrupted] }, metric, signal);
  const part = (start: number, end: number): NodeRun => ({
    hooks: new Map([...both.hooks].map(([hook, value]) => [hook, rowRange(value, start, end)])),
    residuals: both.residuals.map((value) => rowRange(value, start, end)),
    ...(both.logits && { logits: rowRange(both.logits, start, end) }),
  });
  return { clean: part(0, clean.length), corrupted: part(clean.length, 2 * clean.length) };
}

interface Work {
  readonly model: Transformer;
  readonly request: NodeAttributionRequest;
  readonly batch: PairBatch;
  readonly clean: NodeRun;
  readonly corrupted: NodeRun;
  report(done: number): void;
  readonly signal?: AbortSignal;
}

interface SiteGradient {
  readonly site: NodeSite;
  /** `[pair, position, …]`, the mean over the steps. */
  readonly gradient: Float32Array;
}

/** One backward pass for all nodes, or one at each step between the corrupted embeddings and the clean ones. */
async function* alongInputs(work: Work): AsyncGenerator<SiteGradient> {
  const { model, request, batch, clean, corrupted, signal } = work;
  const { integrate, metric } = request;
  const steps = integrate.along === 'none' ? 1 : integrate.steps;
  const sites = nodeSites(model);
  const sums = new Map<NodeSite, Float32Array>();
  for (let step = 1; step <= steps; step++) {
    throwIfCancelled(signal);
    const [from, to] = [corrupted.residuals[0]!, clean.residuals[0]!];
    const residual = between(from, to, [step / steps]);
    const run =
      step === steps ? clean : await runNodes(model, { from: { layer: 0, residual } }, metric, signal);
    const gradients = await gradientsAt(model, {
      residuals: run.residuals,
      seed: metricSeed(metric, batch.length - 1, run.logits, batch.pairs, clean.logits),
      hooks: sites.map(({ hook }) => hook),
      saved: run.hooks,
      signal,
    });
    for (const site of sites) {
      const gradient = floatsOf(gradients.get(site.hook)!);
      const sum = sums.get(site) ?? new Float32Array(gradient.length);
      for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]! / steps;
      sums.set(site, sum);
    }
    work.report(step / steps);
  }
  for (const [site, gradient] of sums) yield { site, gradient };
}

/** For each hook one run from its layer on, with the steps between its clean and corrupted values side by side. */
async function* alongActivations(work: Work): AsyncGenerator<SiteGradient> {
  const { model, request, batch, clean, corrupted, signal } = work;
  const steps = request.integrate.along === 'none' ? 1 : request.integrate.steps;
  const shares = Array.from({ length: steps }, (_, k) => (k + 0.5) / steps);
  const repeated = shares.flatMap(() => batch.pairs);
  const reference = clean.logits && repeatRows(clean.logits, steps);
  const sites = nodeSites(model);
  for (const [i, site] of sites.entries()) {
    throwIfCancelled(signal);
    const { hook, layer } = site;
    const gradient = await meanGradient(model, {
      hook,
      layer,
      residual: clean.residuals[layer]!,
      values: between(clean.hooks.get(hook)!, corrupted.hooks.get(hook)!, shares),
      steps,
      seed: (logits) => metricSeed(request.metric, batch.length - 1, logits, repeated, reference),
      signal,
    });
    yield { site, gradient };
    work.report((i + 1) / sites.length);
  }
}

function difference(a: Value, b: Value): Float32Array {
  const other = floatsOf(b);
  return floatsOf(a).map((x, i) => x - other[i]!);
}

/** Adds `scale · Σ_pair change · gradient` of every node of a site to `table[source, position]`. */
function addProducts(
  table: Float64Array,
  { first, count }: NodeSite,
  part: {
    readonly change: Float32Array;
    readonly gradient: Float32Array;
    readonly width: number;
    readonly batch: PairBatch;
    readonly scale: number;
  },
): void {
  const { change, gradient, width, batch, scale } = part;
  const size = change.length / (batch.pairs.length * batch.length * count);
  for (let row = 0, at = 0; row < batch.pairs.length * batch.length; row++) {
    const position = row % batch.length;
    for (let node = first; node < first + count; node++) {
      let sum = 0;
      for (let i = 0; i < size; i++, at++) sum += change[at]! * gradient[at]!;
      table[node * width + position]! += scale * sum;
    }
  }
}
