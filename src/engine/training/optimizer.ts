/** AdamW with gradient clipping and learning-rate schedules, as part of a tensor program. */

import { add, cast, cos, div, less, max, min, mul, pow, sqrt, sub, where } from '../graph/ops/elementwise.ts';
import { reduceSum } from '../graph/ops/reduction.ts';
import { scalar } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';

/** How the learning rate moves. It rises from 0 over `warmup` steps; what follows depends on `kind`. */
export interface Schedule {
  /** constant: stays at the peak. linear: falls in a line. cosine: falls along half a cosine (Loshchilov & Hutter 2017). */
  readonly kind: 'constant' | 'linear' | 'cosine';
  readonly peak: number;
  /** Steps, default 0. */
  readonly warmup?: number;
  /** Steps during which it stays at the peak before it falls, counted from the start; default `warmup`. */
  readonly hold?: number;
  /** Step at which the fall ends. Needed unless constant. */
  readonly total?: number;
  /** Part of the peak that is left at the end, default 0. */
  readonly final?: number;
}

export interface AdamWOptions {
  readonly learningRate: Schedule;
  /** Decay rates of the two moments, default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay, default 0. */
  readonly weightDecay?: number;
  /** Largest norm of all gradients together; not clipped when not given. */
  readonly clipNorm?: number;
}

/** What AdamW works on: everything as vectors `[size]`. */
export interface AdamWState {
  readonly parameters: Tensor;
  /** Running mean of the gradient. */
  readonly moment1: Tensor;
  /** Running mean of its square. */
  readonly moment2: Tensor;
}

export interface AdamWUpdate extends AdamWState {
  /** Scalars for the log. */
  readonly learningRate: Tensor;
  readonly gradientNorm: Tensor;
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019, algorithm 2).
 *
 * @param step Number of this step, counted from 1, a float64 scalar.
 * @param decayMask 1 where weight decay applies, 0 elsewhere, `[size]`.
 */
export function adamW(
  state: AdamWState,
  gradient: Tensor,
  step: Tensor,
  decayMask: Tensor,
  options: AdamWOptions,
): AdamWUpdate {
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  const norm = sqrt(reduceSum(mul(gradient, gradient)));
  const clip = options.clipNorm ? min(div(options.clipNorm, add(norm, 1e-6)), 1) : scalar(1);
  const rate = learningRateAt(options.learningRate, step);

  const moment1 = add(mul(state.moment1, beta1), mul(gradient, mul(clip, 1 - beta1)));
  const squares = mul(mul(gradient, gradient), mul(mul(clip, clip), 1 - beta2));
  const moment2 = add(mul(state.moment2, beta2), squares);

  // Scalars are combined in double precision before they meet the vectors.
  const correction1 = sub(1, pow(scalar(beta1, 'float64'), step));
  const correction2 = sub(1, pow(scalar(beta2, 'float64'), step));
  const size = cast(div(rate, correction1), 'float32');
  const rootCorrection = cast(div(1, sqrt(correction2)), 'float32');
  const spread = add(mul(sqrt(moment2), rootCorrection), options.epsilon ?? 1e-8);
  const stepped = sub(state.parameters, mul(div(moment1, spread), size));
  const parameters = options.weightDecay
    ? sub(stepped, mul(mul(state.parameters, decayMask), cast(mul(rate, options.weightDecay), 'float32')))
    : stepped;
  return { parameters, moment1, moment2, learningRate: cast(rate, 'float32'), gradientNorm: norm };
}

/** The learning rate of step number `step` (counted from 1), both float64 scalars. */
export function learningRateAt(schedule: Schedule, step: Tensor): Tensor {
  const { kind, peak, warmup = 0, hold = warmup, total, final = 0 } = schedule;
  const rise = warmup > 0 ? min(div(step, warmup), 1) : scalar(1, 'float64');
  if (kind === 'constant') return mul(rise, peak);
  if (total === undefined || total <= hold) {
    throw new Error(`A ${kind} schedule needs a total number of steps beyond ${hold}, got ${total}.`);
  }
  const fallen = min(max(div(sub(step, hold), total - hold), 0), 1);
  const left = kind === 'linear' ? sub(1, fallen) : mul(add(cos(mul(fallen, Math.PI)), 1), 0.5);
  const fall = add(mul(left, 1 - final), final);
  return mul(where(less(step, warmup), rise, fall), peak);
}
