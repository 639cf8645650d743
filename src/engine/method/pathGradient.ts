/** Gradients averaged along a straight way of one hook's value: integrated gradients of a single site (Marks et al. 2024, eq. 3). */
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { HookEdit } from '../model/edits.ts';
import { gradientsAt } from '../model/gradients.ts';
import type { LogitGradient } from '../model/logitGradients.ts';
import type { Transformer } from '../model/transformer.ts';
import { repeatRows } from './rowValues.ts';

export interface GradientPath {
  readonly hook: string;
  readonly layer: number;
  /** What enters the hook's block in the run that is changed: `[row, position, d_model]`. */
  readonly residual: Value;
  /** The hook's value at every step: `[step · row, …]`. */
  readonly values: Value;
  readonly steps: number;
  /** Where the backward pass starts, from the last position's logits `[step · row, 1, d_vocab]`. */
  seed(logits: Value): LogitGradient;
  readonly signal?: AbortSignal;
}

/** The mean over the steps of the gradient at the hook, `[row, …]`: one run from the hook's block on, steps side by side. */
export async function meanGradient(model: Transformer, path: GradientPath): Promise<Float32Array> {
  const { hook, layer, residual, values, steps, seed, signal } = path;
  const edits: HookEdit[] = [{ hook, keep: 0, add: values }];
  const from = { layer, residual: repeatRows(residual, steps) };
  const run = await model.run({ from, edits, logits: 'last', signal });
  const found = await gradientsAt(model, {
    residuals: run.residuals,
    edits,
    seed: seed(run.logits!),
    hooks: [hook],
    signal,
  });
  const all = floatsOf(found.get(hook)!);
  const mean = new Float32Array(all.length / steps);
  for (let i = 0; i < all.length; i++) mean[i % mean.length]! += all[i]! / steps;
  return mean;
}

/** `a + share · (b − a)` for every share: `[share · row, …]`. */
export function between(a: Value, b: Value, shares: readonly number[]): FloatValue {
  const [x, y] = [floatsOf(a), floatsOf(b)];
  const result = new Float32Array(shares.length * x.length);
  shares.forEach((share, row) => {
    for (let i = 0; i < x.length; i++) result[row * x.length + i] = x[i]! + share * (y[i]! - x[i]!);
  });
  return floatValue(result, [shares.length * a.dims[0]!, ...a.dims.slice(1)]);
}
