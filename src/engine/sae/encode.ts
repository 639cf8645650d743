/**
 * A sparse autoencoder or transcoder as tensor programs: encoding, decoding, and the change that editing features
 * makes to the hooked activation. The arithmetic follows the library whose files they are, so that files mean the
 * same here.
 */

import { add, cast, div, exp, greater, mul, relu, sqrt, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { fullLike, reshape, transpose, unsqueeze } from '../graph/ops/layout.ts';
import { gather, gatherElements, scatterElements, topK } from '../graph/ops/picking.ts';
import { reduceMean, reduceSum } from '../graph/ops/reduction.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { SaeConfig } from './format.ts';
import type { SaeTensors } from './tensors.ts';

/** What encoding gives. */
export interface Encoded {
  /** `[row, d_sae]`, in the SAE's own units (`hook_sae_acts_post`). */
  readonly activations: Tensor;
  /** What a skip connection reads: `[row, d_in]`, the scaled input with no bias subtracted. */
  readonly input: Tensor;
  /** Undoes the input's normalisation: `decoded * scale + shift`. */
  readonly restore: Restore;
}

/** By which the output is multiplied, and what is added to it then: `[row, 1]`. */
export interface Restore {
  readonly scale?: Tensor;
  readonly shift?: Tensor;
}

/**
 * Features of `x` `[row, d_in]`. `shown` `[row, 1]`, when given, is 0 for rows that show no features and 1 elsewhere.
 */
export function encode(x: Tensor, config: SaeConfig, weights: SaeTensors, shown?: Tensor): Encoded {
  const normalized = normalizeInput(x, config);
  const centered = config.applyBDecToInput ? sub(normalized.x, vector(weights, 'b_dec')) : normalized.x;
  const all = activate(centered, config, weights);
  const activations = shown ? mul(all, shown) : all;
  return { activations, input: normalized.x, restore: normalized.restore };
}

/** The reconstruction `[row, d_out]` of what was encoded. */
export function decode(encoded: Encoded, config: SaeConfig, weights: SaeTensors): Tensor {
  const written = product(unscaled(encoded.activations, config, weights), weights, 'W_dec');
  const biased = add(written, vector(weights, 'b_dec'));
  const plain = weights.W_skip ? add(biased, productWithTranspose(encoded.input, weights, 'W_skip')) : biased;
  const { scale, shift } = encoded.restore;
  const scaled = scale ? mul(plain, scale) : plain;
  const { outputScale = 1 } = config;
  const output = outputScale === 1 ? scaled : div(scaled, outputScale);
  return shift ? add(output, shift) : output;
}

/** What `change` `[row, d_sae]` of the activations on `x` changes in the output, through its normalisation: `[row, d_out]`. */
export function written(change: Tensor, x: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const plain = product(unscaled(change, config, weights), weights, 'W_dec');
  const { scale } = restoreOf(x, config);
  const { outputScale = 1 } = config;
  const scaled = scale ? mul(plain, scale) : plain;
  return outputScale === 1 ? scaled : div(scaled, outputScale);
}

/** What the skip connection of a transcoder adds to its output, `[row, d_out]`. */
export function skipOf(x: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const skipped = productWithTranspose(normalizeInput(x, config).x, weights, 'W_skip');
  const { outputScale = 1 } = config;
  return outputScale === 1 ? skipped : div(skipped, outputScale);
}

/** What undoes the normalisation of `x` `[row, d_in]` in the output; see `Encoded.restore`. */
export function restoreOf(x: Tensor, config: SaeConfig): Restore {
  return normalizeInput(x, config).restore;
}

/**
 * Decoder rows `[feature, d_out]` that one unit of each feature of `features` writes along, before the run-time
 * normalisation is undone: `W_dec`, divided by its norms where SAELens does so, and by the output's constant scale.
 */
export function decoderRowsOf(features: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const { tensor, transposed } = weight(weights, 'W_dec');
  const stored = transposed ? transpose(gather(tensor, features, 1)) : gather(tensor, features, 0);
  const tuned = config.finetuningScalingFactor
    ? mul(stored, unsqueeze(gather(vector(weights, 'scaling_factor'), features, 0), [1]))
    : stored;
  const rows = config.rescaleByDecoderNorm
    ? div(tuned, sqrt(reduceSum(mul(stored, stored), [1], { keepDims: true })))
    : tuned;
  const { outputScale = 1 } = config;
  return outputScale === 1 ? rows : div(rows, outputScale);
}

/** A vector of the weights; a missing one is a bug, since the format reader has checked the file. */
function vector(weights: SaeTensors, name: string): Tensor {
  return weight(weights, name).tensor;
}

function weight(weights: SaeTensors, name: string): SaeTensors[string] {
  const found = weights[name];
  if (!found) throw new Error(`The SAE has no tensor ${name}.`);
  return found;
}

/** `x · W`. One that lies transposed stays as it is: `(Wᵀ · xᵀ)ᵀ` turns the few rows of x, not the weights. */
function product(x: Tensor, weights: SaeTensors, name: string): Tensor {
  const { tensor, transposed } = weight(weights, name);
  return transposed ? transpose(matMul(tensor, transpose(x))) : matMul(x, tensor);
}

/** `x · Wᵀ`. */
function productWithTranspose(x: Tensor, weights: SaeTensors, name: string): Tensor {
  const { tensor, transposed } = weight(weights, name);
  return transposed ? matMul(x, tensor) : transpose(matMul(tensor, transpose(x)));
}

function activate(x: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const linear = (): Tensor => add(product(x, weights, 'W_enc'), vector(weights, 'b_enc'));
  switch (config.architecture) {
    case 'standard':
      return relu(rescaled(linear(), config, weights));
    case 'topk':
      return keepLargest(rescaled(linear(), config, weights), config, weights);
    case 'groupmax':
      return keepLargestOfGroups(relu(linear()), config);
    case 'jumprelu': {
      const pre = linear();
      const score = config.scoreByDecoderNorm ? mul(pre, decoderNorms(weights)) : pre;
      const open = cast(greater(score, vector(weights, 'threshold')), 'float32');
      return mul(config.signed ? pre : relu(pre), open);
    }
    case 'gated': {
      const shared = product(x, weights, 'W_enc');
      const gate = cast(greater(add(shared, vector(weights, 'b_gate')), 0), 'float32');
      // W_enc · exp(r_mag) scales columns, so it may as well scale the product.
      const magnitude = add(mul(shared, exp(vector(weights, 'r_mag'))), vector(weights, 'b_mag'));
      return mul(gate, relu(magnitude));
    }
  }
}

/** The k largest pre-activations of each row, clamped at 0 unless the SAE is signed; everything else 0. */
function keepLargest(pre: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const { k, dSae, signed, scoreByDecoderNorm } = config;
  const score = scoreByDecoderNorm ? mul(pre, decoderNorms(weights)) : pre;
  const largest = topK(score, Math.min(k ?? dSae, dSae));
  const values = scoreByDecoderNorm ? gatherElements(pre, largest.indices, 1) : largest.values;
  return scatterElements(fullLike(pre, 0), largest.indices, signed ? values : relu(values), 1);
}

/** The features in k groups of neighbours; of each group the largest stays, everything else is 0 (sparsify). */
function keepLargestOfGroups(active: Tensor, { k = 1, dSae }: SaeConfig): Tensor {
  const rows = active.shape[0]!;
  const groups = reshape(active, [rows, k, dSae / k]);
  const largest = topK(groups, 1);
  const kept = scatterElements(fullLike(groups, 0), largest.indices, largest.values, 2);
  return reshape(kept, [rows, dSae]);
}

function rescaled(pre: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  return config.rescaleByDecoderNorm ? mul(pre, decoderNorms(weights)) : pre;
}

/** Activations as they multiply the stored decoder. */
function unscaled(activations: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const tuned = config.finetuningScalingFactor
    ? mul(activations, vector(weights, 'scaling_factor'))
    : activations;
  return config.rescaleByDecoderNorm ? div(tuned, decoderNorms(weights)) : tuned;
}

/** ‖W_dec,i‖: `[d_sae]`. */
function decoderNorms(weights: SaeTensors): Tensor {
  const { tensor, transposed } = weight(weights, 'W_dec');
  return sqrt(reduceSum(mul(tensor, tensor), [transposed ? 0 : 1]));
}

interface Normalized {
  readonly x: Tensor;
  readonly restore: Restore;
}

/** The input as the encoder wants it: centred and scaled by constants first, then by what it is itself. */
function normalizeInput(given: Tensor, config: SaeConfig): Normalized {
  const { inputScale = 1, outputScale = 1, centerInput, target } = config;
  const mean = centerInput ? reduceMean(given, [1], { keepDims: true }) : undefined;
  const centered = mean ? sub(given, mean) : given;
  const { x, restore } = normalizeRows(inputScale === 1 ? centered : mul(centered, inputScale), config);
  const shift = restore.shift && outputScale !== 1 ? div(restore.shift, outputScale) : restore.shift;
  // What an SAE does not see it does not lose: the mean is put back. A transcoder writes elsewhere.
  const lost = target ? undefined : mean;
  return { x, restore: { scale: restore.scale, shift: shift && lost ? add(shift, lost) : (shift ?? lost) } };
}

function normalizeRows(x: Tensor, config: SaeConfig): Normalized {
  const keep = { keepDims: true };
  switch (config.normalizeActivations) {
    case 'none':
    case 'expected_average_only_in':
      // The latter's scale is folded into the weights, or given as the input's scale.
      return { x, restore: {} };
    case 'constant_norm_rescale': {
      const norm = sqrt(reduceSum(mul(x, x), [1], keep));
      const factor = div(Math.sqrt(config.dIn), norm);
      return { x: mul(x, factor), restore: { scale: div(1, factor) } };
    }
    case 'layer_norm': {
      const mean = reduceMean(x, [1], keep);
      const centered = sub(x, mean);
      // The unbiased standard deviation (n − 1), as torch.std computes it.
      const std = sqrt(div(reduceSum(mul(centered, centered), [1], keep), config.dIn - 1));
      return { x: div(centered, add(std, 1e-5)), restore: { scale: std, shift: mean } };
    }
  }
}
