/**
 * A sparse autoencoder as tensor programs: encoding, decoding, and the change that editing features
 * makes to the hooked activation. The arithmetic follows SAELens, so that its files mean the same here.
 */

import { add, cast, div, exp, greater, mul, relu, sqrt, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { fullLike, unsqueeze } from '../graph/ops/layout.ts';
import { scatterElements, topK } from '../graph/ops/picking.ts';
import { reduceMean, reduceSum } from '../graph/ops/reduction.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { SaeConfig } from './format.ts';

/** The weights as tensors, named as in SAELens files; which ones exist depends on the architecture. */
export type SaeTensors = Readonly<Record<string, Tensor>>;

/** What encoding gives. */
export interface Encoded {
  /** `[row, d_sae]`, in the SAE's own units (`hook_sae_acts_post`). */
  readonly activations: Tensor;
  /** Undoes the input's normalisation: `decoded * scale + shift`. */
  readonly restore: { readonly scale?: Tensor; readonly shift?: Tensor };
}

/** Features of `x` `[row, d_in]`. */
export function encode(x: Tensor, config: SaeConfig, weights: SaeTensors): Encoded {
  const normalized = normalizeInput(x, config);
  const centered = config.applyBDecToInput ? sub(normalized.x, weight(weights, 'b_dec')) : normalized.x;
  return { activations: activate(centered, config, weights), restore: normalized.restore };
}

/** The reconstruction `[row, d_out]` of activations `[row, d_sae]`. */
export function decode(encoded: Encoded, config: SaeConfig, weights: SaeTensors): Tensor {
  const plain = add(
    matMul(unscaled(encoded.activations, config, weights), weight(weights, 'W_dec')),
    weight(weights, 'b_dec'),
  );
  const { scale, shift } = encoded.restore;
  const scaled = scale ? mul(plain, scale) : plain;
  return shift ? add(scaled, shift) : scaled;
}

/** What undoes the normalisation of `x` `[row, d_in]` in the output; see `Encoded.restore`. */
export function restoreOf(x: Tensor, config: SaeConfig): Encoded['restore'] {
  return normalizeInput(x, config).restore;
}

/**
 * Decoder rows that one unit of activation writes along, before the output normalisation: `W_dec`, divided by
 * its norms where SAELens does so.
 */
export function effectiveDecoder(config: SaeConfig, weights: SaeTensors): Tensor {
  const stored = weight(weights, 'W_dec');
  const decoder = config.finetuningScalingFactor
    ? mul(stored, unsqueeze(weight(weights, 'scaling_factor'), [1]))
    : stored;
  return config.rescaleByDecoderNorm ? div(decoder, decoderNorms(weights, true)) : decoder;
}

/** The tensor `name`; a missing one is a bug, since the format reader has checked the file. */
export function weight(weights: SaeTensors, name: string): Tensor {
  const tensor = weights[name];
  if (!tensor) throw new Error(`The SAE has no tensor ${name}.`);
  return tensor;
}

function activate(x: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const linear = (): Tensor => add(matMul(x, weight(weights, 'W_enc')), weight(weights, 'b_enc'));
  switch (config.architecture) {
    case 'standard':
      return relu(linear());
    case 'topk':
      return keepLargest(rescaled(linear(), config, weights), config);
    case 'jumprelu': {
      const pre = linear();
      return mul(relu(pre), cast(greater(pre, weight(weights, 'threshold')), 'float32'));
    }
    case 'gated': {
      const shared = matMul(x, weight(weights, 'W_enc'));
      const gate = cast(greater(add(shared, weight(weights, 'b_gate')), 0), 'float32');
      // W_enc · exp(r_mag) scales columns, so it may as well scale the product.
      const magnitude = add(mul(shared, exp(weight(weights, 'r_mag'))), weight(weights, 'b_mag'));
      return mul(gate, relu(magnitude));
    }
  }
}

/** The k largest positive pre-activations of each row; everything else 0. */
function keepLargest(pre: Tensor, config: SaeConfig): Tensor {
  const largest = topK(pre, Math.min(config.k ?? config.dSae, config.dSae));
  return scatterElements(fullLike(pre, 0), largest.indices, relu(largest.values), 1);
}

function rescaled(pre: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  return config.rescaleByDecoderNorm ? mul(pre, decoderNorms(weights, false)) : pre;
}

/** Activations as they multiply the stored decoder. */
function unscaled(activations: Tensor, config: SaeConfig, weights: SaeTensors): Tensor {
  const tuned = config.finetuningScalingFactor
    ? mul(activations, weight(weights, 'scaling_factor'))
    : activations;
  return config.rescaleByDecoderNorm ? div(tuned, decoderNorms(weights, false)) : tuned;
}

/** ‖W_dec,i‖: `[d_sae]`, or `[d_sae, 1]` with `keepDims`. */
function decoderNorms(weights: SaeTensors, keepDims: boolean): Tensor {
  const decoder = weight(weights, 'W_dec');
  return sqrt(reduceSum(mul(decoder, decoder), [1], { keepDims }));
}

interface Normalized {
  readonly x: Tensor;
  readonly restore: Encoded['restore'];
}

function normalizeInput(x: Tensor, config: SaeConfig): Normalized {
  const keep = { keepDims: true };
  switch (config.normalizeActivations) {
    case 'none':
    case 'expected_average_only_in':
      // The latter's scale is folded into the weights before an SAE is used.
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
