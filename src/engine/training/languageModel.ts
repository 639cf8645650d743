/**
 * Next-token training of a GPT-2 language model (Radford et al. 2019): layer norm before each part,
 * learned positions, tied embeddings, tanh GELU. Weights carry the names and layouts of Hugging Face.
 */

import { add, exp, gelu, mul, neg } from '../graph/ops/elementwise.ts';
import { layerNormalization, logSoftmax, matMul, softmax } from '../graph/ops/layer.ts';
import { reshape, slice, split, transpose } from '../graph/ops/layout.ts';
import { gather, gatherElements, scatterElements } from '../graph/ops/picking.ts';
import { reduceMean } from '../graph/ops/reduction.ts';
import { constant } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { elementCount, type FloatValue, floatValue, intValue } from '../graph/value.ts';
import type { Random } from '../random.ts';
import type { TrainedParameter } from './parameterVector.ts';
import type { NamedTensors, StepGraph, TrainingTask } from './trainingTask.ts';

/** Sizes of a GPT-2. */
export interface LanguageModelShape {
  readonly nLayers: number;
  readonly nHeads: number;
  readonly dModel: number;
  readonly dMlp: number;
  readonly dVocab: number;
  /** Positions that have an embedding. */
  readonly nContext: number;
  readonly layerNormEps: number;
}

export interface LanguageModelTask {
  readonly shape: LanguageModelShape;
  /** Sequences in a batch, and tokens predicted in each (at most `nContext`). */
  readonly rows: number;
  readonly rowLength: number;
  /** Draws the initial weights. */
  readonly random: Random;
  /** Weights to go on from instead, by their names. */
  readonly initial?: Readonly<Record<string, FloatValue>>;
  /** Ids `[rows, rowLength + 1]` of step `step`, a function of nothing else. */
  readonly tokens: (step: number) => Int32Array;
}

/** The task for the trainer. Its loss is the mean cross-entropy over all positions, in nats. */
export function languageModelTask(task: LanguageModelTask): TrainingTask {
  const { shape, rows, rowLength } = task;
  if (rowLength > shape.nContext)
    throw new Error(`Rows of ${rowLength} tokens exceed the context of ${shape.nContext}.`);
  const count = rows * rowLength;
  return {
    parameters: startingFrom(task.initial, initialWeights(shape, task.random)),
    inputs: {
      ids: { dtype: 'int32', shape: [rows, rowLength] },
      next: { dtype: 'int32', shape: [count, 1] },
    },
    forward: ({ parameters, batch }) => {
      const logits = logitsOf(parameters, batch.ids!, shape);
      return crossEntropy(logits, batch.next!);
    },
    batch: (step) => shifted(task.tokens(step), rows, rowLength),
  };
}

function startingFrom(
  initial: Readonly<Record<string, FloatValue>> | undefined,
  drawn: Record<string, TrainedParameter>,
): Record<string, TrainedParameter> {
  if (!initial) return drawn;
  return Object.fromEntries(
    Object.entries(drawn).map(([name, { decay }]) => [name, { initial: initial[name]!, decay }]),
  );
}

/** Initial weights as GPT-2 draws them: normal 0.02, and smaller by √(2·layers) where a part writes to the residual stream. */
export function initialWeights(shape: LanguageModelShape, random: Random): Record<string, TrainedParameter> {
  const { dModel, dMlp, dVocab, nContext, nLayers } = shape;
  const matrix = (name: string, dims: readonly number[], scale = 0.02): TrainedParameter => {
    const draw = random.fork(name);
    return {
      initial: floatValue(
        Float32Array.from({ length: elementCount(dims) }, () => draw.normal() * scale),
        dims,
      ),
      decay: true,
    };
  };
  const vector = (size: number, value: number): TrainedParameter => ({
    initial: floatValue(new Float32Array(size).fill(value), [size]),
    decay: false,
  });
  const weights: Record<string, TrainedParameter> = {
    'transformer.wte.weight': matrix('wte', [dVocab, dModel]),
    'transformer.wpe.weight': matrix('wpe', [nContext, dModel]),
    'transformer.ln_f.weight': vector(dModel, 1),
    'transformer.ln_f.bias': vector(dModel, 0),
  };
  const outScale = 0.02 / Math.sqrt(2 * nLayers);
  for (let layer = 0; layer < nLayers; layer++) {
    const at = `transformer.h.${layer}`;
    for (const norm of ['ln_1', 'ln_2']) {
      weights[`${at}.${norm}.weight`] = vector(dModel, 1);
      weights[`${at}.${norm}.bias`] = vector(dModel, 0);
    }
    const linear = (name: string, from: number, to: number, scale?: number) => {
      weights[`${at}.${name}.weight`] = matrix(`${at}.${name}`, [from, to], scale);
      weights[`${at}.${name}.bias`] = vector(to, 0);
    };
    linear('attn.c_attn', dModel, 3 * dModel);
    linear('attn.c_proj', dModel, dModel, outScale);
    linear('mlp.c_fc', dModel, dMlp);
    linear('mlp.c_proj', dMlp, dModel, outScale);
  }
  return weights;
}

/** Logits `[rows·length, d_vocab]` for ids `[rows, length]`. Rows are laid end to end wherever attention is not. */
function logitsOf(weights: NamedTensors, ids: Tensor, shape: LanguageModelShape): Tensor {
  const [rows, length] = ids.shape as readonly [number, number];
  const wte = weights['transformer.wte.weight']!;
  const positions = slice(weights['transformer.wpe.weight']!, 0, 0, length);
  let residual = reshape(add(gather(wte, ids), positions), [rows * length, shape.dModel]);
  for (let layer = 0; layer < shape.nLayers; layer++) {
    const at = `transformer.h.${layer}`;
    residual = add(
      residual,
      attention(weights, `${at}.attn`, normalize(weights, `${at}.ln_1`, residual, shape), shape, rows),
    );
    residual = add(residual, mlp(weights, `${at}.mlp`, normalize(weights, `${at}.ln_2`, residual, shape)));
  }
  return matMul(normalize(weights, 'transformer.ln_f', residual, shape), transpose(wte));
}

function normalize(
  weights: NamedTensors,
  name: string,
  x: Tensor,
  { layerNormEps }: LanguageModelShape,
): Tensor {
  return layerNormalization(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, layerNormEps).y;
}

function linear(weights: NamedTensors, name: string, x: Tensor): Tensor {
  return add(matMul(x, weights[`${name}.weight`]!), weights[`${name}.bias`]!);
}

function mlp(weights: NamedTensors, name: string, x: Tensor): Tensor {
  return linear(weights, `${name}.c_proj`, gelu(linear(weights, `${name}.c_fc`, x), 'tanh'));
}

/** Causal self-attention over `x` `[rows·length, d_model]`. */
function attention(
  weights: NamedTensors,
  name: string,
  x: Tensor,
  shape: LanguageModelShape,
  rows: number,
): Tensor {
  const { nHeads, dModel } = shape;
  const dHead = dModel / nHeads;
  const length = (x.shape[0] as number) / rows;
  const projected = reshape(linear(weights, `${name}.c_attn`, x), [rows, length, 3, nHeads, dHead]);
  const [q, k, v] = split(transpose(projected, [2, 0, 3, 1, 4]), 0, [1, 1, 1]).map((part) =>
    reshape(part, [rows, nHeads, length, dHead]),
  ) as [Tensor, Tensor, Tensor];
  const scores = matMul(mul(q, 1 / Math.sqrt(dHead)), transpose(k, [0, 1, 3, 2]));
  const pattern = softmax(add(scores, causalMask(length)));
  const mixed = transpose(matMul(pattern, v), [0, 2, 1, 3]);
  return linear(weights, `${name}.c_proj`, reshape(mixed, [rows * length, dModel]));
}

/** Added to scores `[…, query, key]`: 0 where a key may be seen, so low elsewhere that softmax gives 0. */
function causalMask(length: number): Tensor {
  const mask = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? -1e9 : 0,
  );
  return constant(mask, [length, length]);
}

/**
 * Mean over rows of −log softmax(logits)[next]. Its gradient, (softmax − one-hot) / rows, is given in
 * closed form: a matrix of the vocabulary's width is the dearest thing here to pass over.
 */
function crossEntropy(logits: Tensor, next: Tensor): StepGraph {
  const count = logits.shape[0] as number;
  const chosen = gatherElements(logSoftmax(logits), next, 1);
  // A second softmax costs less than the exponential of the first one's logarithm.
  const probabilities = mul(softmax(logits), 1 / count);
  const ofNext = mul(add(exp(chosen), -1), 1 / count);
  const gradient = scatterElements(probabilities, next, ofNext, 1);
  return { loss: neg(reduceMean(chosen)), seeds: [{ tensor: logits, gradient }] };
}

function shifted(tokens: Int32Array, rows: number, rowLength: number) {
  const ids = new Int32Array(rows * rowLength);
  const next = new Int32Array(rows * rowLength);
  for (let row = 0; row < rows; row++) {
    const start = row * (rowLength + 1);
    ids.set(tokens.subarray(start, start + rowLength), row * rowLength);
    next.set(tokens.subarray(start + 1, start + 1 + rowLength), row * rowLength);
  }
  return { ids: intValue(ids, [rows, rowLength]), next: intValue(next, [rows * rowLength, 1]) };
}
