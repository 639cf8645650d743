/** Gradients of the usual metrics with respect to the logits: where a backward pass starts. */
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';

/** The gradient of a scalar with respect to the logits of some positions; it is zero at the others. */
export interface LogitGradient {
  /** Positions, the same ones for every prompt of the batch. */
  readonly positions: readonly number[];
  /** The tokens that the last axis of `gradient` is about, each once, when it is zero at all others. */
  readonly tokens?: readonly number[];
  /** `[batch, positions.length, tokens.length]`, or `d_vocab` without `tokens`. */
  readonly gradient: FloatValue;
}

/** The gradient with respect to all logits: `[batch, positions.length, d_vocab]`. */
export function denseGradient({ tokens, gradient }: LogitGradient, dVocab: number): FloatValue {
  if (!tokens) return gradient;
  const [batch = 1, positions = 0, width = 0] = gradient.dims;
  const dense = new Float32Array(batch * positions * dVocab);
  for (let i = 0; i < gradient.data.length; i++) {
    dense[Math.floor(i / width) * dVocab + tokens[i % width]!] = gradient.data[i]!;
  }
  return floatValue(dense, [batch, positions, dVocab]);
}

/** One term `weight · logit[row, position, token]` of a linear metric. */
export interface LogitTerm {
  /** Row of the batch; 0 when left out. */
  readonly row?: number;
  readonly position: number;
  readonly token: number;
  readonly weight: number;
}

/** Gradient of a weighted sum of logits, such as a logit difference (weights 1 and −1). */
export function linearGradient(terms: readonly LogitTerm[], batch = 1): LogitGradient {
  const inOrder = (numbers: readonly number[]) => [...new Set(numbers)].sort((a, b) => a - b);
  const positions = inOrder(terms.map(({ position }) => position));
  const tokens = inOrder(terms.map(({ token }) => token));
  const columns = new Map(tokens.map((token, column) => [token, column]));
  const gradient = new Float32Array(batch * positions.length * tokens.length);
  for (const { row = 0, position, token, weight } of terms) {
    const start = (row * positions.length + positions.indexOf(position)) * tokens.length;
    gradient[start + columns.get(token)!]! += weight;
  }
  return { positions, tokens, gradient: floatValue(gradient, [batch, positions.length, tokens.length]) };
}

/** Gradient of `logit[answer] − logit[wrong]` at one position of one prompt. */
export function logitDifferenceGradient(position: number, answer: number, wrong: number): LogitGradient {
  const terms = [
    { position, token: answer, weight: 1 },
    { position, token: wrong, weight: -1 },
  ];
  return linearGradient(terms);
}

/**
 * Gradient of the mean cross-entropy (in nats) of predicting each next token: (softmax − one-hot) / count.
 * `logits` `[batch, position, d_vocab]` of all positions, `tokens[row][position]`.
 */
export function crossEntropyGradient(logits: Value, tokens: readonly Int32Array[]): LogitGradient {
  const [batch, length, dVocab] = logits.dims as [number, number, number];
  const positions = Array.from({ length: length - 1 }, (_, i) => i);
  const count = batch * positions.length;
  const gradient = new Float32Array(count * dVocab);
  for (let row = 0; row < batch; row++) {
    for (const position of positions) {
      const start = (row * positions.length + position) * dVocab;
      const target = gradient.subarray(start, start + dVocab);
      target.set(softmaxRow(logits, row * length + position));
      target[tokens[row]![position + 1]!]! -= 1;
      for (let i = 0; i < dVocab; i++) target[i]! /= count;
    }
  }
  return { positions, gradient: floatValue(gradient, [batch, positions.length, dVocab]) };
}

/**
 * Gradient of KL(reference ‖ run) (in nats) at one position, averaged over the batch: (softmax(run) − softmax(reference)) / batch.
 * Both logits are `[batch, position, d_vocab]`.
 */
export function klGradient(reference: Value, run: Value, position: number): LogitGradient {
  const [batch, length, dVocab] = run.dims as [number, number, number];
  const gradient = new Float32Array(batch * dVocab);
  for (let row = 0; row < batch; row++) {
    const p = softmaxRow(reference, row * length + position);
    const q = softmaxRow(run, row * length + position);
    for (let i = 0; i < dVocab; i++) gradient[row * dVocab + i] = (q[i]! - p[i]!) / batch;
  }
  return { positions: [position], gradient: floatValue(gradient, [batch, 1, dVocab]) };
}

function softmaxRow(logits: Value, index: number): Float64Array {
  const dVocab = logits.dims.at(-1)!;
  const row = Float64Array.from(floatsOf(logits).subarray(index * dVocab, (index + 1) * dVocab));
  const most = row.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let i = 0; i < dVocab; i++) sum += row[i] = Math.exp(row[i]! - most);
  for (let i = 0; i < dVocab; i++) row[i]! /= sum;
  return row;
}
