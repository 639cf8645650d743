/** How well an SAE reconstructs: the numbers the field reports, on given text. */

import type { CallOptions, SaeMetrics } from '../../shared/engineApi.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import type { Transformer } from '../model/transformer.ts';
import type { SparseAutoencoder } from './sparseAutoencoder.ts';

/** Sequences that run at once. */
const batchSize = 16;

/**
 * Measures `sae` on `rows` of tokens (equal lengths).
 *
 * - L0: mean number of active features per token.
 * - Fraction of variance explained: `1 − Σ‖x − x̂‖² / Σ‖x − x̄‖²`, x̄ the mean over all tokens.
 * - Cross-entropy recovered: `(CE_zero − CE_sae) / (CE_zero − CE_clean)`, with zero ablation of the hook.
 * - Dead: features that are active on none of the tokens.
 */
export async function measureSae(
  model: Transformer,
  sae: SparseAutoencoder,
  rows: readonly Int32Array[],
  call: CallOptions = {},
): Promise<SaeMetrics> {
  const hook = sae.config.hookName;
  const spread = new RunningVariance(sae.config.dIn);
  const fired = new Uint8Array(sae.config.dSae);
  let [tokens, active, squares] = [0, 0, 0];
  const losses = { clean: 0, sae: 0, zero: 0 };
  for (let start = 0; start < rows.length; start += batchSize) {
    throwIfCancelled(call.signal);
    const batch = rows.slice(start, start + batchSize);
    const clean = await model.run({ tokens: batch, capture: [hook], signal: call.signal });
    const value = clean.hooks.get(hook)!;
    spread.add(floatsOf(value));
    const quality = await sae.quality(value);
    for (const square of quality.squares) squares += square;
    tokens += quality.squares.length;
    active += countActive(quality.activations, fired);
    const replaced = { ...(await sae.reconstruct(value)), dims: value.dims };
    losses.clean += meanLoss(clean.logits!, batch) * batch.length;
    losses.sae += (await lossWith(model, batch, hook, replaced)) * batch.length;
    losses.zero += (await lossWith(model, batch, hook, 0)) * batch.length;
    call.report?.({ done: start + batch.length, total: rows.length, what: 'Measuring the SAE' });
  }
  return {
    tokens,
    l0: active / tokens,
    explainedVariance: 1 - squares / spread.total(),
    ceRecovered: (losses.zero - losses.sae) / (losses.zero - losses.clean),
    deadFraction: fired.reduce((dead, hit) => dead + (hit ? 0 : 1), 0) / fired.length,
  };
}

/** Mean next-token cross-entropy in nats of logits `[batch, position, d_vocab]`; the last position has no target. */
export function meanLoss(logits: Value, rows: readonly Int32Array[]): number {
  const [, positions = 0, dVocab = 0] = logits.dims;
  const data = floatsOf(logits);
  let sum = 0;
  let count = 0;
  rows.forEach((row, b) => {
    for (let position = 0; position + 1 < positions; position++) {
      const at = (b * positions + position) * dVocab;
      sum += crossEntropy(data.subarray(at, at + dVocab), row[position + 1]!);
      count++;
    }
  });
  return sum / count;
}

function crossEntropy(logits: Float32Array, target: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum) - logits[target]!;
}

async function lossWith(
  model: Transformer,
  tokens: readonly Int32Array[],
  hook: string,
  value: Value | number,
): Promise<number> {
  const { logits } = await model.run({ tokens, edits: [{ hook, keep: 0, add: value }] });
  return meanLoss(logits!, tokens);
}

function countActive(activations: Float32Array, fired: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < activations.length; i++) {
    if (activations[i]! > 0) {
      count++;
      fired[i % fired.length] = 1;
    }
  }
  return count;
}

/** Σ‖x − x̄‖² over rows that arrive in pieces. */
class RunningVariance {
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private count = 0;

  constructor(private readonly width: number) {
    this.sums = new Float64Array(width);
    this.squares = new Float64Array(width);
  }

  add(rows: Float32Array): void {
    for (let i = 0; i < rows.length; i++) {
      const column = i % this.width;
      this.sums[column]! += rows[i]!;
      this.squares[column]! += rows[i]! * rows[i]!;
    }
    this.count += rows.length / this.width;
  }

  total(): number {
    let total = 0;
    for (let i = 0; i < this.width; i++) total += this.squares[i]! - this.sums[i]! ** 2 / this.count;
    return total;
  }
}
