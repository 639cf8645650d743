/**
 * Training of sparse autoencoders on stored activations: TopK with an auxiliary loss for dead features
 * (Gao et al. 2024, https://arxiv.org/abs/2406.04093) and ReLU with an L1 penalty weighted by decoder
 * norms (Anthropic, April 2024 update). Weights carry the names and layouts of SAELens.
 */

import {
  add,
  cast,
  div,
  greater,
  greaterOrEqual,
  max,
  min,
  mul,
  relu,
  sqrt,
  stopGradient,
  sub,
  where,
} from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { slice } from '../graph/ops/layout.ts';
import { topK } from '../graph/ops/picking.ts';
import { reduceMax, reduceMean, reduceSum } from '../graph/ops/reduction.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type FloatValue, floatValue } from '../graph/value.ts';
import type { Random } from '../random.ts';
import { geometricMedian, meanSquaredDistance } from './activationStatistics.ts';
import type { NamedTensors, StepGraph, StepInputs, TrainingTask } from './trainingTask.ts';

/** Keeps the `k` largest positive features of each input. */
export interface TopKTraining {
  readonly kind: 'topk';
  readonly k: number;
  /** A feature counts as dead after this many steps without firing. */
  readonly deadAfterSteps: number;
  /** Dead features that help to explain what is left over, default d_in / 2 (Gao et al., appendix A.2). */
  readonly auxiliaryK?: number;
  /** Weight of that auxiliary loss, default 1/32. */
  readonly auxiliaryWeight?: number;
}

/** ReLU features under a penalty on Σ f·‖decoder row‖. */
export interface StandardTraining {
  readonly kind: 'standard';
  /** Weight of the penalty, e.g. 5. */
  readonly sparsity: number;
  /** Steps over which the weight rises from 0. */
  readonly sparsityWarmup: number;
  readonly deadAfterSteps: number;
}

export interface SparseAutoencoderOptions {
  readonly dIn: number;
  readonly dSae: number;
  readonly architecture: TopKTraining | StandardTraining;
  /** Activations in a batch. */
  readonly rows: number;
  /** Activations `[rows, d_in]` of step `step`, a function of nothing else. */
  readonly activations: (step: number) => Float32Array | Promise<Float32Array>;
  /** Some thousands of activations `[n, d_in]`, from which centre and scale are taken. */
  readonly sample: Float32Array;
  /** Draws the initial directions. */
  readonly random: Random;
}

/** Weights as SAELens stores them, for activations as the model gives them. */
export interface SparseAutoencoderWeights {
  /** `[d_in, d_sae]`. */
  readonly W_enc: FloatValue;
  /** `[d_sae]`. */
  readonly b_enc: FloatValue;
  /** `[d_sae, d_in]`, rows of norm 1. */
  readonly W_dec: FloatValue;
  /** `[d_in]`, also subtracted from the input. */
  readonly b_dec: FloatValue;
}

export interface SparseAutoencoderTraining {
  readonly task: TrainingTask;
  /** What the trained parameters mean for activations that are not rescaled. */
  finish(parameters: Readonly<Record<string, FloatValue>>): SparseAutoencoderWeights;
}

/**
 * Prepares the training of one autoencoder. Inside the program activations are scaled so that their mean
 * square distance from the centre is d_in, which makes settings alike for all sites; `finish` takes the
 * scale out again. Metrics: `fvu` (fraction of variance unexplained), `l0`, `dead` (fraction).
 */
export function trainSparseAutoencoder(options: SparseAutoencoderOptions): SparseAutoencoderTraining {
  const { dIn, dSae, rows, architecture, sample } = options;
  const centre = geometricMedian(sample, dIn);
  const scale = Math.sqrt(dIn / meanSquaredDistance(sample, centre));
  const isTopK = architecture.kind === 'topk';
  const task: TrainingTask = {
    parameters: initialParameters(options, centre, scale),
    state: { sinceFired: floatValue(new Float32Array(dSae)) },
    inputs: { x: { dtype: 'float32', shape: [rows, dIn] } },
    forward: (step) => {
      const x = mul(step.batch.x!, scale);
      return isTopK ? topKStep(x, step, architecture) : standardStep(x, step, architecture);
    },
    ...(isTopK && { adjustGradients: removeRadialPart, project: normalizeDecoder }),
    batch: async (step) => ({ x: floatValue(await options.activations(step), [rows, dIn]) }),
  };
  return { task, finish: (parameters) => unscaled(parameters, scale) };
}

function topKStep(x: Tensor, { parameters, state }: StepInputs, options: TopKTraining): StepGraph {
  const before = preActivations(x, parameters);
  const features = largest(before, options.k);
  const error = sub(x, decode(features, parameters));
  const squares = reduceMean(mul(error, error));
  const sinceFired = state.sinceFired!;
  const dead = greater(sinceFired, options.deadAfterSteps);
  const auxiliary = mul(
    auxiliaryLoss(before, error, dead, parameters, options),
    options.auxiliaryWeight ?? 1 / 32,
  );
  return { loss: add(squares, auxiliary), ...report(x, squares, features, sinceFired, dead) };
}

/**
 * How well dead features explain the error of the living: ‖e − ê‖² / ‖e‖², e held constant. A quarter of
 * the rows is enough to revive features, and costs a quarter.
 */
export function auxiliaryLoss(
  before: Tensor,
  error: Tensor,
  dead: Tensor,
  { W_dec }: NamedTensors,
  options: TopKTraining,
): Tensor {
  const [rows, dIn] = error.shape as readonly [number, number];
  const some = (t: Tensor) => slice(t, 0, 0, Math.ceil(rows / 4));
  const k = Math.min(options.auxiliaryK ?? Math.ceil(dIn / 2), dead.shape[0] as number);
  const features = largest(where(dead, some(before), -1), k);
  const target = stopGradient(some(error));
  const rest = sub(target, matMul(features, W_dec!));
  return div(reduceMean(mul(rest, rest)), add(reduceMean(mul(target, target)), 1e-8));
}

function standardStep(
  x: Tensor,
  { parameters, state, step }: StepInputs,
  options: StandardTraining,
): StepGraph {
  const features = relu(preActivations(x, parameters));
  const error = sub(x, decode(features, parameters));
  const squares = reduceMean(mul(error, error));
  const norms = sqrt(reduceSum(mul(parameters.W_dec!, parameters.W_dec!), [1]));
  const penalty = reduceMean(reduceSum(mul(features, norms), [1]));
  const risen = cast(min(div(step, Math.max(options.sparsityWarmup, 1)), 1), 'float32');
  const weight = mul(risen, options.sparsity / (x.shape[1] as number));
  const sinceFired = state.sinceFired!;
  const dead = greater(sinceFired, options.deadAfterSteps);
  return {
    loss: add(squares, mul(penalty, weight)),
    ...report(x, squares, features, sinceFired, dead),
  };
}

/** (x − b_dec)·W_enc + b_enc, `[row, d_sae]`. */
function preActivations(x: Tensor, { W_enc, b_enc, b_dec }: NamedTensors): Tensor {
  return add(matMul(sub(x, b_dec!), W_enc!), b_enc!);
}

function decode(features: Tensor, { W_dec, b_dec }: NamedTensors): Tensor {
  return add(matMul(features, W_dec!), b_dec!);
}

/** The `k` largest elements of each row, where positive, and zeros. */
function largest(x: Tensor, k: number): Tensor {
  const smallestKept = slice(topK(x, k).values, -1, k - 1, k);
  return where(greaterOrEqual(x, max(smallestKept, 1e-30)), x, 0);
}

/** Metrics, and how many steps each feature has been silent. */
export function report(x: Tensor, squares: Tensor, features: Tensor, sinceFired: Tensor, dead: Tensor) {
  const fired = greater(reduceMax(features, [0]), 0);
  const spread = sub(x, reduceMean(x, [0], { keepDims: true }));
  const active = cast(greater(features, 0), 'float32');
  return {
    state: { sinceFired: where(fired, 0, add(sinceFired, 1)) },
    metrics: {
      fvu: div(squares, reduceMean(mul(spread, spread))),
      l0: reduceMean(reduceSum(active, [1])),
      dead: reduceMean(cast(dead, 'float32')),
    },
  };
}

/** Without the part of the gradient that would only change the length of decoder rows (Bricken et al. 2023). */
export function removeRadialPart(gradients: NamedTensors, { W_dec }: NamedTensors): NamedTensors {
  const radial = reduceSum(mul(gradients.W_dec!, W_dec!), [1], { keepDims: true });
  return { W_dec: sub(gradients.W_dec!, mul(radial, W_dec!)) };
}

/** Decoder rows of length 1. */
export function normalizeDecoder({ W_dec }: NamedTensors): NamedTensors {
  return { W_dec: div(W_dec!, sqrt(reduceSum(mul(W_dec!, W_dec!), [1], { keepDims: true }))) };
}

/** Random decoder directions, the encoder their transpose, and the centre as decoder bias. */
function initialParameters(options: SparseAutoencoderOptions, centre: Float32Array, scale: number) {
  const { dIn, dSae, architecture } = options;
  const length = architecture.kind === 'topk' ? 1 : 0.1;
  const decoder = new Float32Array(dSae * dIn);
  const encoder = new Float32Array(dIn * dSae);
  for (let feature = 0; feature < dSae; feature++) {
    const direction = Array.from({ length: dIn }, () => options.random.normal());
    const norm = Math.hypot(...direction);
    direction.forEach((component, i) => {
      decoder[feature * dIn + i] = (length * component) / norm;
      encoder[i * dSae + feature] = (length * component) / norm;
    });
  }
  const initial = {
    W_enc: floatValue(encoder, [dIn, dSae]),
    b_enc: floatValue(new Float32Array(dSae)),
    W_dec: floatValue(decoder, [dSae, dIn]),
    b_dec: floatValue(centre.map((x) => x * scale)),
  };
  return Object.fromEntries(
    Object.entries(initial).map(([name, value]) => [name, { initial: value, decay: false }]),
  );
}

/**
 * For activations without `scale`, decoder rows of norm 1: ReLU and TopK commute with positive factors, so
 * features are divided by the scale and multiplied by their row's norm, and nothing else changes.
 */
function unscaled(parameters: Readonly<Record<string, FloatValue>>, scale: number): SparseAutoencoderWeights {
  const { W_enc, b_enc, W_dec, b_dec } = parameters as Record<keyof SparseAutoencoderWeights, FloatValue>;
  const [dSae, dIn] = W_dec.dims as readonly [number, number];
  const norms = Float32Array.from({ length: dSae }, (_, i) =>
    Math.hypot(...W_dec.data.subarray(i * dIn, (i + 1) * dIn)),
  );
  return {
    W_enc: floatValue(
      W_enc.data.map((x, i) => x * norms[i % dSae]!),
      W_enc.dims,
    ),
    b_enc: floatValue(
      b_enc.data.map((x, i) => (x * norms[i]!) / scale),
      b_enc.dims,
    ),
    W_dec: floatValue(
      W_dec.data.map((x, i) => x / norms[Math.floor(i / dIn)]!),
      W_dec.dims,
    ),
    b_dec: floatValue(
      b_dec.data.map((x) => x / scale),
      b_dec.dims,
    ),
  };
}
