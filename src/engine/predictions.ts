/** Rows of the readout as predictions with text and probability. */

import type { Prediction } from '../shared/analysis.ts';
import type { RowPredictions } from './model/readout.ts';
import type { Tokenizer } from './model/tokenizer.ts';

/** `[row]`: the most probable next tokens after each row, most probable first. */
export function predictionsOf(rows: RowPredictions, tokenizer: Tokenizer): Prediction[][] {
  const { k, ids, logits, logSumExp } = rows;
  return Array.from(logSumExp, (total, row) =>
    Array.from({ length: k }, (_, i) => {
      const id = ids[row * k + i]!;
      const logit = logits[row * k + i]!;
      return { id, text: tokenizer.tokenText(id), logit, probability: Math.exp(logit - total) };
    }),
  );
}

/** The `top` most probable tokens of one row of logits `[d_vocab]`, with the whole distribution's log-probabilities. */
export function topOfLogits(logits: Float32Array, top: number, tokenizer: Tokenizer): Prediction[] {
  const logProbabilities = logSoftmax(logits);
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  return order.slice(0, top).map((id) => ({
    id,
    text: tokenizer.tokenText(id),
    logit: logits[id]!,
    probability: Math.exp(logProbabilities[id]!),
  }));
}

/** log softmax of one row of logits. */
export function logSoftmax(logits: Float32Array): Float64Array {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  const total = highest + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - total);
}

/** KL(p ‖ q) in nats of two distributions given by their logits. */
export function klDivergence(p: Float32Array, q: Float32Array): number {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  let sum = 0;
  for (let i = 0; i < logP.length; i++) sum += Math.exp(logP[i]!) * (logP[i]! - logQ[i]!);
  return Math.max(0, sum);
}
