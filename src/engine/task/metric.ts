/** What a task measures: a number for each pair from the logits at its last position, and the gradient of that number. */
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { LogitGradient } from '../model/logitGradients.ts';
import type { TokenPair } from './task.ts';

/** Which tokens are right and which wrong; token ids. */
export type Answers = Pick<TokenPair, 'answers' | 'wrongAnswers'>;

/** Whether the metric has a gradient. Accuracy has none: it is constant but for jumps. */
export function isDifferentiable(metric: TaskMetric): boolean {
  return metric !== 'accuracy';
}

/**
 * The metric of one pair. `logits` `[d_vocab]` of the last position; `reference` `[d_vocab]` those of the clean run, which
 * only `kl` needs. Formulas, with q = softmax(logits), p = softmax(reference), A the answers, W the wrong ones:
 *
 * - `logitDifference`: mean_A logit − mean_W logit (Wang et al. 2022, §2)
 * - `answerSetLogOdds`: log Σ_A q − log Σ_W q
 * - `probability`: Σ_A q; `probabilityDifference`: Σ_A q − Σ_W q (Hanna et al. 2023, §2)
 * - `crossEntropy`: −log Σ_A q
 * - `kl`: Σ p (log p − log q)
 * - `accuracy`: 1 if `answerSetLogOdds` > 0, else 0
 *
 * @throws RangeError for `kl` without `reference`.
 */
export function metricValue(
  metric: TaskMetric,
  logits: Float32Array,
  { answers, wrongAnswers }: Answers,
  reference?: Float32Array,
): number {
  switch (metric) {
    case 'logitDifference':
      return meanAt(logits, answers) - meanAt(logits, wrongAnswers);
    case 'answerSetLogOdds':
      return logSumExp(logits, answers) - logSumExp(logits, wrongAnswers);
    case 'accuracy':
      return logSumExp(logits, answers) > logSumExp(logits, wrongAnswers) ? 1 : 0;
    case 'crossEntropy':
      return logSumExp(logits) - logSumExp(logits, answers);
    case 'probability':
      return probability(logits, answers);
    case 'probabilityDifference':
      return probability(logits, answers) - probability(logits, wrongAnswers);
    case 'kl':
      return divergence(requireReference(reference), logits);
  }
}

/**
 * Gradient of `metricValue` with respect to `logits`: `[d_vocab]`.
 * @throws RangeError for a metric that has none, and for `kl` without `reference`.
 */
export function metricGradient(
  metric: TaskMetric,
  logits: Float32Array,
  { answers, wrongAnswers }: Answers,
  reference?: Float32Array,
): Float64Array {
  const gradient = new Float64Array(logits.length);
  switch (metric) {
    case 'logitDifference':
      addEvenly(gradient, answers, 1 / answers.length);
      addEvenly(gradient, wrongAnswers, -1 / wrongAnswers.length);
      return gradient;
    case 'answerSetLogOdds':
      addShares(gradient, logits, answers, 1);
      addShares(gradient, logits, wrongAnswers, -1);
      return gradient;
    case 'crossEntropy':
      addShares(gradient, logits, answers, -1);
      return addSoftmax(gradient, logits, 1);
    case 'kl':
      addSoftmax(gradient, requireReference(reference), -1);
      return addSoftmax(gradient, logits, 1);
    case 'probability':
      return addProbability(gradient, logits, answers, 1);
    case 'probabilityDifference':
      addProbability(gradient, logits, answers, 1);
      return addProbability(gradient, logits, wrongAnswers, -1);
    case 'accuracy':
      throw new RangeError('Accuracy has no gradient; use the logit difference.');
  }
}

/**
 * The metric of every pair of a batch. `logits` and `references` are `[batch, 1, d_vocab]`, the last position of each
 * pair's run and of its clean run.
 */
export function metricValues(
  metric: TaskMetric,
  logits: Value,
  pairs: readonly Answers[],
  references?: Value,
): Float64Array {
  const row = rowsOf(logits, pairs.length);
  const reference = references && rowsOf(references, pairs.length);
  return Float64Array.from(pairs, (pair, i) => metricValue(metric, row(i), pair, reference?.(i)));
}

/** Whether `metricSeed` needs the logits: the gradient of a logit difference is the same everywhere. */
export function seedNeedsLogits(metric: TaskMetric): boolean {
  return metric !== 'logitDifference';
}

/**
 * Where the backward pass of a batch starts: each row holds the gradient of that pair's own metric, at `position`, the
 * last one of the prompts. Logits as in `metricValues`, which may be left out where `seedNeedsLogits` says so. The metrics
 * that compare answers alone give the gradient at the answers' tokens only. Divide by the number of pairs for the gradient
 * of their mean.
 */
export function metricSeed(
  metric: TaskMetric,
  position: number,
  logits: Value | undefined,
  pairs: readonly Answers[],
  references?: Value,
): LogitGradient {
  if (metric === 'logitDifference' || metric === 'answerSetLogOdds') {
    return answerSeed(metric, position, logits, pairs);
  }
  if (!logits) throw new RangeError(`The gradient of ${metric} needs logits.`);
  const row = rowsOf(logits, pairs.length);
  const reference = references && rowsOf(references, pairs.length);
  const dVocab = logits.dims.at(-1)!;
  const gradient = new Float32Array(pairs.length * dVocab);
  pairs.forEach((pair, i) => {
    gradient.set(metricGradient(metric, row(i), pair, reference?.(i)), i * dVocab);
  });
  return { positions: [position], gradient: floatValue(gradient, [pairs.length, 1, dVocab]) };
}

/** The same for metrics that read the logits of answers and wrong answers only: as if there were no other tokens. */
function answerSeed(
  metric: 'logitDifference' | 'answerSetLogOdds',
  position: number,
  logits: Value | undefined,
  pairs: readonly Answers[],
): LogitGradient {
  if (!logits && seedNeedsLogits(metric)) throw new RangeError(`The gradient of ${metric} needs logits.`);
  const all = pairs.flatMap(({ answers, wrongAnswers }) => [...answers, ...wrongAnswers]);
  const tokens = [...new Set(all)].sort((a, b) => a - b);
  const columns = new Map(tokens.map((token, column) => [token, column]));
  const columnsOf = (ids: readonly number[]) => ids.map((id) => columns.get(id)!);
  const row = logits && rowsOf(logits, pairs.length);
  const gradient = new Float32Array(pairs.length * tokens.length);
  pairs.forEach(({ answers, wrongAnswers }, i) => {
    const own = row?.(i);
    const read = Float32Array.from(tokens, (token) => own?.[token] ?? 0);
    const pair = { answers: columnsOf(answers), wrongAnswers: columnsOf(wrongAnswers) };
    gradient.set(metricGradient(metric, read, pair), i * tokens.length);
  });
  return { positions: [position], tokens, gradient: floatValue(gradient, [pairs.length, 1, tokens.length]) };
}

/** The mean of a metric over the pairs of a task; NaN over none. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/**
 * A metric on the scale on which the corrupted run is 0 and the clean run 1. Undefined where the two runs do not
 * differ: then no part of the model can make a difference, and any number would be noise.
 */
export function normalized(
  value: number,
  { clean, corrupted }: { readonly clean: number; readonly corrupted: number },
): number | undefined {
  const range = clean - corrupted;
  // Differences of this size are rounding of 32-bit logits.
  if (!(Math.abs(range) > 1e-6 * Math.max(1, Math.abs(clean), Math.abs(corrupted)))) return undefined;
  return (value - corrupted) / range;
}

function rowsOf(value: Value, rows: number): (index: number) => Float32Array {
  const dVocab = value.dims.at(-1)!;
  const data = floatsOf(value);
  if (data.length !== rows * dVocab) {
    throw new RangeError(
      `Logits of shape [${value.dims.join(', ')}] are not one row for each of ${rows} pairs.`,
    );
  }
  return (index) => data.subarray(index * dVocab, (index + 1) * dVocab);
}

function requireReference(reference: Float32Array | undefined): Float32Array {
  if (!reference) throw new RangeError('The divergence needs the logits of the clean run.');
  return reference;
}

function meanAt(logits: Float32Array, ids: readonly number[]): number {
  return ids.reduce((sum, id) => sum + logits[id]!, 0) / ids.length;
}

/** log Σ exp over some logits, or all. */
function logSumExp(logits: Float32Array, ids?: readonly number[]): number {
  if (ids) return logSumExp(Float32Array.from(ids, (id) => logits[id]!));
  let highest = -Infinity;
  for (const logit of logits) highest = Math.max(highest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum);
}

function probability(logits: Float32Array, ids: readonly number[]): number {
  return Math.exp(logSumExp(logits, ids) - logSumExp(logits));
}

function divergence(reference: Float32Array, logits: Float32Array): number {
  const [logP, logQ] = [logSumExp(reference), logSumExp(logits)];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const p = reference[i]! - logP;
    // A probability of 0 adds nothing; 0 · ∞ would make the sum no number.
    if (p > -700) sum += Math.exp(p) * (p - (logits[i]! - logQ));
  }
  return sum;
}

function addEvenly(gradient: Float64Array, ids: readonly number[], weight: number): void {
  for (const id of ids) gradient[id]! += weight;
}

/** Adds `weight` · ∂ log Σ_ids exp(logit), which is the softmax over `ids` alone. */
function addShares(
  gradient: Float64Array,
  logits: Float32Array,
  ids: readonly number[],
  weight: number,
): void {
  const whole = logSumExp(logits, ids);
  for (const id of ids) gradient[id]! += weight * Math.exp(logits[id]! - whole);
}

function addSoftmax(gradient: Float64Array, logits: Float32Array, weight: number): Float64Array {
  const whole = logSumExp(logits);
  for (let i = 0; i < logits.length; i++) gradient[i]! += weight * Math.exp(logits[i]! - whole);
  return gradient;
}

/** Adds `weight` · ∂ Σ_ids q: q_v · ([v ∈ ids] − Σ_ids q). */
function addProbability(
  gradient: Float64Array,
  logits: Float32Array,
  ids: readonly number[],
  weight: number,
): Float64Array {
  const total = probability(logits, ids);
  const whole = logSumExp(logits);
  for (const id of ids) gradient[id]! += weight * Math.exp(logits[id]! - whole);
  return addSoftmax(gradient, logits, -weight * total);
}
