/**
 * The linear classifier of SHIFT: a logistic probe trained with AdamW (Marks et al. 2024, §4.1: learning rate 1e-2, binary
 * cross-entropy). Inputs are centred and divided by one number, so that the learning rate means the same for every
 * model; the probe that is handed out reads activations as they are.
 */

import { add, mul, softplus, sub } from '../../graph/ops/elementwise.ts';
import { matMul } from '../../graph/ops/layer.ts';
import { expand, reshape } from '../../graph/ops/layout.ts';
import { reduceMean } from '../../graph/ops/reduction.ts';
import { floatValue } from '../../graph/value.ts';
import { seededRandom } from '../../random.ts';
import { train } from '../../training/trainer.ts';
import type { Rows } from './pooledActivations.ts';

/** Answers 1 when `weights · x + bias` is above 0. */
export interface Probe {
  /** `[width]` */
  readonly weights: Float32Array;
  readonly bias: number;
}

/** As torch's AdamW. */
const learningRate = 1e-2;
const weightDecay = 0.01;

/** Rows of a step. */
const batch = 32;

/** Steps: one pass over the paper's biographies is about as many, whose sets are larger than those here. */
const leastSteps = 160;

/** Trains a probe for `labels`. Equal seeds give equal probes. @throws cancelled, training.diverged */
export async function trainProbe(
  rows: Rows,
  labels: readonly (0 | 1)[],
  { seed, signal }: { readonly seed: number | string; readonly signal?: AbortSignal },
): Promise<Probe> {
  const { width } = rows;
  const count = labels.length;
  const { data, mean, scale } = standardized(rows);
  const size = Math.min(batch, count);
  const perPass = Math.floor(count / size);
  const steps = Math.max(leastSteps, perPass);
  const orderOf = passOrders(count, seed);
  const { parameters } = await train(
    {
      parameters: {
        weights: { initial: floatValue(new Float32Array(width), [width, 1]), decay: true },
        bias: { initial: floatValue([0], [1]), decay: false },
      },
      inputs: { x: { dtype: 'float32', shape: [size, width] }, y: { dtype: 'float32', shape: [size] } },
      forward: ({ parameters: { weights, bias }, batch: { x, y } }) => {
        const logits = add(reshape(matMul(x!, weights!), [size]), expand(bias!, [size]));
        // −log p(y) = softplus(z) − y z
        return { loss: reduceMean(sub(softplus(logits), mul(y!, logits))) };
      },
      batch: (step) => {
        const order = orderOf(Math.floor(step / perPass));
        const first = (step % perPass) * size;
        const x = new Float32Array(size * width);
        const y = new Float32Array(size);
        for (let i = 0; i < size; i++) {
          const row = order[first + i]!;
          x.set(data.subarray(row * width, (row + 1) * width), i * width);
          y[i] = labels[row]!;
        }
        return { x: floatValue(x, [size, width]), y: floatValue(y, [size]) };
      },
    },
    { steps, optimizer: { learningRate: { kind: 'constant', peak: learningRate }, weightDecay }, signal },
  );
  const weights = parameters.weights!.data.map((weight) => weight / scale);
  const shift = weights.reduce((sum, weight, i) => sum + weight * mean[i]!, 0);
  return { weights, bias: parameters.bias!.data[0]! - shift };
}

/** `weights · x + bias` of every row. */
export function probeLogits({ weights, bias }: Probe, { data, width }: Rows): Float32Array {
  const logits = new Float32Array(data.length / width);
  for (let row = 0, at = 0; row < logits.length; row++) {
    let sum = bias;
    for (let i = 0; i < width; i++, at++) sum += weights[i]! * data[at]!;
    logits[row] = sum;
  }
  return logits;
}

/** (x − mean) / s with s² the mean variance of a coordinate. */
function standardized({ data, width }: Rows): { data: Float32Array; mean: Float64Array; scale: number } {
  const count = data.length / width;
  const mean = new Float64Array(width);
  data.forEach((x, i) => {
    mean[i % width]! += x / count;
  });
  let squares = 0;
  data.forEach((x, i) => {
    squares += (x - mean[i % width]!) ** 2;
  });
  // Rows that are all alike have nothing to be divided by.
  const scale = Math.sqrt(squares / data.length) || 1;
  return { data: data.map((x, i) => (x - mean[i % width]!) / scale), mean, scale };
}

/** The order in which pass number `pass` goes through `count` rows. */
function passOrders(count: number, seed: number | string): (pass: number) => readonly number[] {
  let last: { readonly pass: number; readonly order: readonly number[] } | undefined;
  const all = Array.from({ length: count }, (_, i) => i);
  return (pass) => {
    if (last?.pass !== pass) last = { pass, order: seededRandom(`${seed}/probe/${pass}`).shuffle(all) };
    return last.order;
  };
}
