/** Linear layers over stored weights, in either of the two orders in which models keep them. Neither is ever copied. */
import { add } from '../graph/ops/elementwise.ts';
import { matMul, matMulTransposed } from '../graph/ops/layer.ts';
import { reshape, slice, squeeze, transpose } from '../graph/ops/layout.ts';
import type { Tensor } from '../graph/tensor.ts';

/** `y = x · W + bias`. `inOut` weights are stored as W `[in, out]`, `outIn` weights as Wᵀ `[out, in]`. */
export interface Linear {
  readonly order: 'inOut' | 'outIn';
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

/** `[…, in] → […, out]`. */
export function linear(x: Tensor, layer: Linear): Tensor {
  const product = project(x, layer);
  return layer.bias ? add(product, layer.bias) : product;
}

/** The same without the bias. */
export function project(x: Tensor, { order, weight }: Linear): Tensor {
  return order === 'inOut' ? matMul(x, weight) : matMulTransposed(x, weight);
}

/** Which rows or columns of a projection belong to one of queries, keys and values. */
export interface HeadSlice {
  readonly heads: number;
  readonly dHead: number;
  /** First output of the part when the parts lie side by side. */
  readonly start: number;
  /** Set when every head holds its own parts side by side: the number of parts and which one this is. */
  readonly interleaved?: { readonly parts: number; readonly index: number };
}

/** A part's weights head by head, `[head, in, d_head]`, and its biases `[head, d_head]`. Reading weights this way copies them. */
export function headMatrices(
  { order, weight, bias }: Linear,
  part: HeadSlice,
): { readonly weight: Tensor; readonly bias: Tensor | undefined } {
  const { heads, dHead } = part;
  const isOutIn = order === 'outIn';
  const outAxis = isOutIn ? 0 : 1;
  const inputs = weight.shape[1 - outAxis]!;
  const rows = cutPart(weight, outAxis, part);
  const perHead = isOutIn ? reshape(rows, [heads, dHead, inputs]) : reshape(rows, [inputs, heads, dHead]);
  return {
    weight: transpose(perHead, isOutIn ? [0, 2, 1] : [1, 0, 2]),
    bias: bias && reshape(cutPart(bias, 0, part), [heads, dHead]),
  };
}

/** The part's entries along `axis` of a weight or bias, heads one after the other. */
function cutPart(x: Tensor, axis: 0 | 1, { heads, dHead, start, interleaved }: HeadSlice): Tensor {
  if (!interleaved) return slice(x, axis, start, start + heads * dHead);
  const { parts, index } = interleaved;
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const apart = reshape(x, [...before, heads, parts, dHead, ...after]);
  const chosen = squeeze(slice(apart, axis + 1, index, index + 1), [axis + 1]);
  return reshape(chosen, [...before, heads * dHead, ...after]);
}

/** The output projection head by head: `[head, d_head, out]`. */
export function outputMatrices({ order, weight }: Linear, heads: number, dHead: number): Tensor {
  if (order === 'inOut') return reshape(weight, [heads, dHead, weight.shape[1]!]);
  return transpose(reshape(weight, [weight.shape[0]!, heads, dHead]), [1, 2, 0]);
}
