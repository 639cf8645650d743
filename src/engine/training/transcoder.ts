/**
 * Training of transcoders (Dunefsky et al. 2024): sparse features of an MLP's input that add up to its output. Features
 * above one threshold are active, which moves so that as many are as wanted (BatchTopK, Bussmann et al. 2024, its
 * threshold carried from step to step); the outcome is a JumpReLU transcoder, which reads every token by itself.
 */
import { add, cast, greater, max, mul, relu, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { reduceMean, reduceSum } from '../graph/ops/reduction.ts';
import { type FloatValue, floatValue } from '../graph/value.ts';
import type { Random } from '../random.ts';
import { meanRow, meanSquaredDistance } from './activationStatistics.ts';
import { auxiliaryLoss, normalizeDecoder, removeRadialPart, report } from './sparseAutoencoder.ts';
import type { StepGraph, StepInputs, TrainingTask } from './trainingTask.ts';

/** Rows of inputs `[n, d_in]`, and of the outputs that belong to them `[n, d_out]`. */
export interface TranscoderRows {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

export interface TranscoderOptions {
  readonly dIn: number;
  readonly dOut: number;
  readonly dSae: number;
  /** Features active per token, on average. */
  readonly k: number;
  /** A feature counts as dead after this many steps without firing. */
  readonly deadAfterSteps: number;
  /** Rows in a batch. */
  readonly rows: number;
  /** The rows of step `step`, a function of nothing else. */
  readonly batch: (step: number) => TranscoderRows;
  /** Some thousands of rows, from which centres, scales and the first directions are taken. */
  readonly sample: TranscoderRows;
  readonly random: Random;
}

/** Weights as SAELens stores them, for activations as the model gives them. */
export interface TranscoderWeights {
  /** `[d_in, d_sae]`. */
  readonly W_enc: FloatValue;
  /** `[d_sae]`. */
  readonly b_enc: FloatValue;
  /** `[d_sae, d_out]`, rows of norm 1. */
  readonly W_dec: FloatValue;
  /** `[d_out]`. */
  readonly b_dec: FloatValue;
  /** `[d_sae]`: features at or below are 0. */
  readonly threshold: FloatValue;
}

export interface TranscoderTraining {
  readonly task: TrainingTask;
  /** What the trained parameters and state mean for activations that are not rescaled. */
  finish(trained: Trained): TranscoderWeights;
}

type Trained = Readonly<Record<'parameters' | 'state', Readonly<Record<string, FloatValue>>>>;

/** By how much the threshold moves in a step for each wanted feature that is active too many, in normalised units. */
const thresholdStep = 0.02;

/** Weight of the loss that lets dead features explain what is left over, as in the SAEs' training. */
const auxiliaryWeight = 1 / 32;

/**
 * Prepares the training of one transcoder. Inside the program inputs and outputs are centred and scaled so that their mean
 * square is their width; `finish` takes that out again. Metrics: `fvu` (fraction of the output's variance unexplained),
 * `l0`, `dead` (fraction).
 */
export function trainTranscoder(options: TranscoderOptions): TranscoderTraining {
  const { dIn, dOut, dSae, rows, sample } = options;
  const input = scaling(sample.x, dIn);
  const output = scaling(sample.y, dOut);
  const task: TrainingTask = {
    parameters: initialParameters(options, input, output),
    state: { sinceFired: floatValue(new Float32Array(dSae)), threshold: floatValue([0]) },
    inputs: {
      x: { dtype: 'float32', shape: [rows, dIn] },
      y: { dtype: 'float32', shape: [rows, dOut] },
    },
    forward: (step) => forward(step, options),
    adjustGradients: removeRadialPart,
    project: normalizeDecoder,
    batch: async (step) => {
      const { x, y } = options.batch(step);
      return {
        x: floatValue(normalized(x, input), [rows, dIn]),
        y: floatValue(normalized(y, output), [rows, dOut]),
      };
    },
  };
  return { task, finish: (trained) => unscaled(trained, input, output) };
}

function forward({ batch, parameters, state }: StepInputs, options: TranscoderOptions): StepGraph {
  const { W_enc, b_enc, W_dec, b_dec } = parameters;
  const { threshold, sinceFired } = state;
  const { k, deadAfterSteps } = options;
  const y = batch.y!;
  const before = add(matMul(batch.x!, W_enc!), b_enc!);
  const open = cast(greater(before, threshold!), 'float32');
  const features = mul(relu(before), open);
  const error = sub(y, add(matMul(features, W_dec!), b_dec!));
  const squares = reduceMean(mul(error, error));
  const dead = greater(sinceFired!, deadAfterSteps);
  const revived = auxiliaryLoss(before, error, dead, parameters, { kind: 'topk', k, deadAfterSteps });
  const told = report(y, squares, features, sinceFired!, dead);
  const excess = sub(mul(reduceMean(reduceSum(open, [1])), 1 / k), 1);
  return {
    loss: add(squares, mul(revived, auxiliaryWeight)),
    ...told,
    state: { ...told.state, threshold: max(add(threshold!, mul(excess, thresholdStep)), 0) },
  };
}

/** What takes rows to mean 0 and mean square of their width. */
interface Scaling {
  readonly centre: Float32Array;
  readonly scale: number;
}

function scaling(sample: Float32Array, width: number): Scaling {
  const centre = Float32Array.from(meanRow(sample, width));
  return { centre, scale: Math.sqrt(width / meanSquaredDistance(sample, centre)) };
}

function normalized(rows: Float32Array, { centre, scale }: Scaling): Float32Array {
  return rows.map((x, i) => (x - centre[i % centre.length]!) * scale);
}

/** Every feature begins with one row of the sample: it reads along the input and writes along the output. */
function initialParameters(
  { dIn, dOut, dSae, sample, random }: TranscoderOptions,
  input: Scaling,
  output: Scaling,
): TrainingTask['parameters'] {
  const [encoder, decoder] = [new Float32Array(dIn * dSae), new Float32Array(dSae * dOut)];
  const count = sample.x.length / dIn;
  for (let feature = 0; feature < dSae; feature++) {
    const row = random.int(count);
    const read = unit(normalized(sample.x.subarray(row * dIn, (row + 1) * dIn), input));
    read.forEach((x, i) => {
      encoder[i * dSae + feature] = x;
    });
    decoder.set(unit(normalized(sample.y.subarray(row * dOut, (row + 1) * dOut), output)), feature * dOut);
  }
  return Object.fromEntries(
    Object.entries({
      W_enc: floatValue(encoder, [dIn, dSae]),
      b_enc: floatValue(new Float32Array(dSae)),
      W_dec: floatValue(decoder, [dSae, dOut]),
      b_dec: floatValue(new Float32Array(dOut)),
    }).map(([name, initial]) => [name, { initial, decay: false }]),
  );
}

function unit(row: Float32Array): Float32Array {
  const norm = Math.hypot(...row);
  return norm === 0 ? row.map((_, i) => (i === 0 ? 1 : 0)) : row.map((x) => x / norm);
}

/**
 * With x' = (x − c)·s and y' = (y − d)·t: a feature f of x' writes f·W_dec / t, so that features are divided by t, and the
 * input's centre goes into the encoder's bias.
 */
function unscaled({ parameters, state }: Trained, input: Scaling, output: Scaling): TranscoderWeights {
  const { W_enc, b_enc, W_dec, b_dec } = parameters as Record<keyof TranscoderWeights, FloatValue>;
  const [dIn, dSae] = W_enc.dims as readonly [number, number];
  const bias = Float64Array.from(b_enc.data);
  for (let i = 0; i < dIn; i++) {
    for (let feature = 0; feature < dSae; feature++)
      bias[feature]! -= input.centre[i]! * input.scale * W_enc.data[i * dSae + feature]!;
  }
  const factor = 1 / output.scale;
  return {
    W_enc: floatValue(
      W_enc.data.map((x) => x * input.scale * factor),
      W_enc.dims,
    ),
    b_enc: floatValue(Float32Array.from(bias, (x) => x * factor)),
    W_dec,
    b_dec: floatValue(b_dec.data.map((x, i) => x * factor + output.centre[i]!)),
    threshold: floatValue(new Float32Array(dSae).fill(state.threshold!.data[0]! * factor)),
  };
}
