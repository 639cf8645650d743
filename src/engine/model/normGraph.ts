/** Normalization over the last axis: LayerNorm (Ba et al. 2016) and RMSNorm (Zhang & Sennrich 2019), with their hooks. */
import { add, div, mul, sqrt, stopGradient, sub } from '../graph/ops/elementwise.ts';
import { layerNormalization } from '../graph/ops/layer.ts';
import { unsqueeze } from '../graph/ops/layout.ts';
import { reduceMean } from '../graph/ops/reduction.ts';
import { constant } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { HookSites } from './hookSites.ts';

/** Where a norm with hooks of its own stands. */
export type NormSite = 'ln1' | 'ln1_post' | 'ln2' | 'ln2_post' | 'ln_final';

/** `layerNorm` subtracts the mean and divides by the deviation; `rms` only divides, by the root of the mean square. */
export interface Norm {
  readonly kind: 'layerNorm' | 'rms';
  readonly epsilon: number;
  /** Learned gain and bias, `[width]`; none when the norm has no parameters. */
  readonly scale: Tensor | undefined;
  readonly bias: Tensor | undefined;
  /** Added to the stored gain: Gemma stores its distance from 1. */
  readonly gainOffset: 0 | 1;
}

/** `prefix.hook_scale` is what is divided by, `prefix.hook_normalized` the value before the learned gain. */
export function normalize(sites: HookSites, prefix: NormSite, x: Tensor, norm: Norm): Tensor {
  const scaleHook = `${prefix}.hook_scale` as const;
  const normalizedHook = `${prefix}.hook_normalized` as const;
  const isWanted = sites.wants(scaleHook, normalizedHook);
  if (norm.kind === 'layerNorm' && !isWanted && !sites.freezesNorms) return plainNorm(x, norm);
  if (norm.kind === 'layerNorm' && !sites.reaches(scaleHook, normalizedHook) && !sites.freezesNorms) {
    const { y, inverseStd } = layerNormalization(x, ...unitGain(x), norm.epsilon);
    sites.at(scaleHook, div(1, inverseStd));
    return learned(sites.at(normalizedHook, y), norm);
  }
  const centered = norm.kind === 'rms' ? x : sub(x, reduceMean(x, [-1], { keepDims: true }));
  const measured = sites.at(scaleHook, deviationOf(centered, norm.epsilon));
  const deviation = sites.freezesNorms ? stopGradient(measured) : measured;
  return learned(sites.at(normalizedHook, div(centered, deviation)), norm);
}

/** The same without hooks, for any number of leading axes. */
export function plainNorm(x: Tensor, norm: Norm): Tensor {
  if (norm.kind === 'rms') return learned(div(x, deviationOf(x, norm.epsilon)), norm);
  const [ones, zeros] = unitGain(x);
  return layerNormalization(x, gainOf(norm) ?? ones, norm.bias ?? zeros, norm.epsilon).y;
}

/**
 * `parts` `[batch, position, part, width]` of a sum `whole` `[batch, position, width]`, each divided and scaled as the norm
 * does with the whole: an RMSNorm's outcome taken apart.
 */
export function normParts(parts: Tensor, whole: Tensor, norm: Norm): Tensor {
  const centered = (x: Tensor) => (norm.kind === 'rms' ? x : sub(x, reduceMean(x, [-1], { keepDims: true })));
  const deviation = unsqueeze(deviationOf(centered(whole), norm.epsilon), [2]);
  const gain = gainOf(norm);
  const divided = div(centered(parts), deviation);
  return gain ? mul(divided, gain) : divided;
}

function deviationOf(centered: Tensor, epsilon: number): Tensor {
  return sqrt(add(reduceMean(mul(centered, centered), [-1], { keepDims: true }), epsilon));
}

function learned(normalized: Tensor, norm: Norm): Tensor {
  const gain = gainOf(norm);
  const scaled = gain ? mul(normalized, gain) : normalized;
  return norm.bias ? add(scaled, norm.bias) : scaled;
}

function gainOf({ scale, gainOffset }: Norm): Tensor | undefined {
  return scale && gainOffset !== 0 ? add(scale, gainOffset) : scale;
}

function unitGain(x: Tensor): readonly [ones: Tensor, zeros: Tensor] {
  const width = x.shape.at(-1) as number;
  return [constant(new Float32Array(width).fill(1), [width]), constant(new Float32Array(width), [width])];
}
