/**
 * Path patching (Wang et al. 2022, §3.1 and appendix B; Goldowsky-Dill et al. 2023): how much of a sender's effect on the
 * metric goes through chosen receivers and nothing else.
 *
 * With x_orig the clean and x_new the corrupted prompts of a task, for every sender h:
 *
 * - A: run x_new and keep h's output,
 * - B: run x_orig and keep every head's output (and every MLP's, with `freezeMlps`),
 * - C: run x_orig with h's output from A and all other heads as in B; MLPs and norms follow, unless MLPs are frozen too;
 *   keep what the receivers get: q, k or v of heads, or the final stream,
 * - D: run x_orig with the receivers' values from C; everything behind them follows.
 *
 * effect(h) = (metric_D − metric_orig) / metric_orig, means over the pairs. Sender and receivers act at `positions`. As
 * no head moves anything in C, it is run at these positions alone: what other positions do cannot be reached.
 */
import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { PathReceiver, PathSender } from '../../shared/patchingApi.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { type FloatValue, floatsOf } from '../graph/value.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import { metricValue } from '../task/metric.ts';
import type { TokenPair, TokenTask } from '../task/task.ts';
import { BaseRun } from './baseRun.ts';
import { lacksRole } from './patchCells.ts';
import { addPairs, copyState, pairsPerBatch, type SweepState, type SweepUpdate } from './patchSweep.ts';
import { lastPosition, readRows } from './patchWave.ts';
import { receivedRows } from './pathReceivers.ts';
import { type PathBatch, sendRows } from './pathSenders.ts';

export interface PathPatchingInputs {
  readonly model: Transformer;
  /** Clean prompts are x_orig, corrupted ones x_new. */
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly senders: readonly PathSender[];
  /** Heads' queries, keys or values; the logits when empty. */
  readonly receivers: readonly PathReceiver[];
  /** Positions, or roles whose position each pair has for itself; all positions when left out. */
  readonly positions?: readonly (number | string)[];
  /** MLPs keep what they write in B instead of following. Default false, as in the paper. */
  readonly freezeMlps?: boolean;
  readonly resumeFrom?: SweepState;
  readonly update?: SweepUpdate;
}

export interface PathPatchingResult {
  /** Mean metric of x_orig. */
  readonly original: number;
  /** Mean metric of step D, by sender. */
  readonly state: SweepState;
  /** (metric_D − metric_orig) / metric_orig, by sender: −1 when nothing of the metric is left. */
  readonly effects: Float32Array;
}

/** Rows of one part of the work, counted in positions. */
export const waveTokens = 2048;

/** @throws request.invalid when a head, layer, position or role is not there, or the metric is 0 on x_orig; cancelled. */
export async function patchPaths(
  inputs: PathPatchingInputs,
  call: CallOptions = {},
): Promise<PathPatchingResult> {
  const { model, task, senders } = inputs;
  checkPlaces(inputs);
  const state = copyState(inputs.resumeFrom, senders.length);
  let [original, before] = [0, 0];
  const batches = batchesByLength(
    task.pairs.map(({ clean }) => clean),
    pairsPerBatch,
  );
  for (const { places, tokens } of batches) {
    const pairs = places.map((place) => task.pairs[place]!);
    const orig = await BaseRun.of(model, tokens, call.signal);
    const metricOf = pairMetric(inputs.metric, pairs, orig);
    original += sumOf(metricsOf(orig, metricOf));
    const open = senders.flatMap((_, i) => (state.pairs[i]! <= before ? [i] : []));
    if (open.length > 0) {
      const batch = await pathBatch(inputs, pairs, orig, call.signal);
      const isReaching = (sender: number): boolean => senders[sender]!.layer < lastLayer(inputs);
      const total = [...senders.keys()].filter(isReaching).length * task.pairs.length;
      // What cannot reach a receiver needs no run, and is known first.
      const idle = open.filter((sender) => !isReaching(sender));
      const waiting = chunks(batch, inputs, open.filter(isReaching));
      for (const chunk of idle.length > 0 ? [idle, ...waiting] : waiting) {
        const values = await patchChunk(batch, inputs, chunk, metricOf, call.signal);
        for (const [i, sender] of chunk.entries()) addPairs(state, sender, values[i]!, pairs.length);
        const done = state.pairs.reduce((sum, count, i) => sum + (isReaching(i) ? count : 0), 0);
        inputs.update?.(chunk, state, { done, total });
        call.report?.({ done, total, what: 'Patching paths' });
      }
    }
    before += places.length;
  }
  original /= task.pairs.length;
  return { original, state, effects: relativeEffects(state, original) };
}

/** Both runs of some pairs, and where paths begin and end in each. @throws request.invalid; cancelled. */
export async function pathBatch(
  inputs: PathPatchingInputs,
  pairs: readonly TokenPair[],
  orig: BaseRun,
  signal?: AbortSignal,
): Promise<PathBatch> {
  const corrupted = pairs.map((pair) => pair.corrupted);
  const fresh = await BaseRun.of(inputs.model, corrupted, signal);
  return { pairs, orig, fresh, positions: positionsOf(inputs, pairs, orig.positions) };
}

/** The layer that paths end at: the highest receiver's, or the logits behind the last. */
export function lastLayer({ model, receivers }: PathPatchingInputs): number {
  return receivers.length === 0 ? model.config.nLayers : Math.max(...receivers.map(({ layer }) => layer));
}

/** Mean metric of step D for each sender of a chunk, which holds places in `inputs.senders`. */
export async function patchChunk(
  batch: PathBatch,
  inputs: PathPatchingInputs,
  chunk: readonly number[],
  metricOf: (logits: Float32Array, pair: number) => number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { orig, pairs } = batch;
  const { senders, receivers, freezeMlps = false } = inputs;
  const result = new Float64Array(chunk.length);
  const last = lastLayer(inputs);
  const reaching = chunk.map((_, i) => i).filter((i) => senders[chunk[i]!]!.layer < last);
  const isSeen = receivers.length > 0 || batch.positions.some((own) => own.includes(orig.positions - 1));
  const unchanged = sumOf(metricsOf(orig, metricOf)) / pairs.length;
  result.fill(unchanged);
  if (reaching.length === 0 || !isSeen) return result;
  const chosen = reaching.map((i) => senders[chunk[i]!]!);
  const stops =
    receivers.length === 0 ? [last] : [...new Set(receivers.map((r) => r.layer))].sort((a, b) => a - b);
  const sent = await sendRows(batch, chosen, { stops, freezeMlps, signal });
  throwIfCancelled(signal);
  const final =
    receivers.length === 0
      ? finalStreams(batch, sent.get(last)!)
      : await receivedRows(batch, receivers, sent, signal);
  for (const i of reaching) result[i] = 0;
  const see = (logits: Float32Array, row: number): void => {
    result[reaching[Math.floor(row / pairs.length)]!]! += metricOf(logits, row % pairs.length) / pairs.length;
  };
  await readRows(orig, final, see, signal);
  return result;
}

/** The last position of `[row, place, d_model]`, whose place is that of the last position: `[row, d_model]`. */
function finalStreams({ orig, positions }: PathBatch, rows: FloatValue): FloatValue {
  const [count = 0, places = 0, dModel = 0] = rows.dims;
  const result = new Float32Array(count * dModel);
  const end = floatsOf(lastPosition(orig.residual(orig.model.config.nLayers) as FloatValue));
  for (let row = 0; row < count; row++) {
    const pair = row % positions.length;
    const place = positions[pair]!.indexOf(orig.positions - 1);
    const at = (row * places + place) * dModel;
    // A pair whose positions leave out the last one keeps what it had there.
    const from =
      place < 0 ? end.subarray(pair * dModel, (pair + 1) * dModel) : rows.data.subarray(at, at + dModel);
    result.set(from, row * dModel);
  }
  return { dtype: 'float32', data: result, dims: [count, dModel] };
}

/** The positions of every pair; only the last one can reach the logits by itself. */
function positionsOf(
  { positions, receivers }: PathPatchingInputs,
  pairs: readonly TokenPair[],
  length: number,
): readonly (readonly number[])[] {
  const all = positions ?? Array.from({ length }, (_, i) => i);
  const resolved = pairs.map((pair) => all.map((position) => resolve(position, pair, length)));
  const onlyLast = receivers.length === 0 && resolved.every((own) => own.includes(length - 1));
  return onlyLast ? pairs.map(() => [length - 1]) : resolved;
}

function resolve(position: number | string, { roles }: TokenPair, length: number): number {
  const isNumber = typeof position === 'number';
  const place = isNumber ? position : new Map(Object.entries(roles)).get(position);
  if (place !== undefined && Number.isInteger(place) && place >= 0 && place < length) return place;
  throw new EngineError('request.invalid', {
    what: isNumber ? `Position ${position}` : `The role ${position}`,
    reason: isNumber ? `the prompts have ${length} tokens` : lacksRole(roles),
  });
}

/** Senders that run together. */
export function chunks(
  batch: PathBatch,
  { receivers }: PathPatchingInputs,
  open: readonly number[],
): number[][] {
  const { orig, positions, pairs } = batch;
  const first = Math.min(...positions.flat());
  const width = receivers.length === 0 ? positions[0]!.length : orig.positions - first;
  const size = Math.max(1, Math.floor(waveTokens / (width * pairs.length)));
  const result: number[][] = [];
  for (let start = 0; start < open.length; start += size) result.push(open.slice(start, start + size));
  return result;
}

/** @throws request.invalid when a sender or receiver is not in the model. */
export function checkPlaces({ model: { config }, senders, receivers }: PathPatchingInputs): void {
  const { nLayers, nHeads, nKeyValueHeads } = config;
  const check = (what: string, layer: number, head: number | undefined, heads: number): void => {
    const isThere = Number.isInteger(layer) && layer >= 0 && layer < nLayers;
    const hasHead = head === undefined || (Number.isInteger(head) && head >= 0 && head < heads);
    if (isThere && hasHead) return;
    const shared = heads === nHeads ? '' : `, whose keys and values heads share: 0 to ${heads - 1}`;
    const reason = `the model has layers 0 to ${nLayers - 1} with heads 0 to ${nHeads - 1}${shared}`;
    throw new EngineError('request.invalid', {
      what: `${what} ${layer}${head === undefined ? '' : `.${head}`}`,
      reason,
    });
  };
  for (const { layer, head } of senders) check('The sender', layer, head, nHeads);
  for (const { layer, head, input } of receivers) {
    check('The receiver', layer, head, input === 'q' ? nHeads : nKeyValueHeads);
  }
}

function pairMetric(
  metric: TaskMetric,
  pairs: readonly TokenPair[],
  orig: BaseRun,
): (logits: Float32Array, pair: number) => number {
  const { dVocab } = orig.model.config;
  const references = floatsOf(orig.logits);
  return (logits, i) =>
    metricValue(metric, logits, pairs[i]!, references.subarray(i * dVocab, (i + 1) * dVocab));
}

function metricsOf(run: BaseRun, metricOf: (logits: Float32Array, pair: number) => number): number[] {
  const { dVocab } = run.model.config;
  const logits = floatsOf(run.logits);
  return run.tokens.map((_, i) => metricOf(logits.subarray(i * dVocab, (i + 1) * dVocab), i));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function relativeEffects({ values }: SweepState, original: number): Float32Array {
  if (original !== 0) return Float32Array.from(values, (value) => (value - original) / original);
  throw new EngineError('request.invalid', {
    what: 'The task',
    reason: 'the metric is 0 on its clean prompts, so that no relative change can be told',
  });
}
