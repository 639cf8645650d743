/** Matrix product, softmax and layer normalization: the operations layers are made of. */

import { broadcastShapes, describeShape } from '../broadcast.ts';
import { describeType, frontAxis, isFloating, makeNode, makeTensor, type Tensor } from '../tensor.ts';
import { flattenRows, transposeLast, unflattenRows } from './layout.ts';

/** `[…, m, k] · […, k, n] → […, m, n]`; leading dimensions broadcast. Both need two dimensions at least. */
export function matMul(a: Tensor, b: Tensor): Tensor {
  if (a.dtype !== b.dtype || !isFloating(a.dtype)) {
    throw new Error(
      `matMul needs floating-point operands of one type, got ${describeType(a)} and ${describeType(b)}.`,
    );
  }
  if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== b.shape.at(-2)) {
    throw new Error(`matMul cannot multiply ${describeShape(a.shape)} by ${describeShape(b.shape)}.`);
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return makeTensor('MatMul', [a, b], {}, a.dtype, [...batch, a.shape.at(-2)!, b.shape.at(-1)!]);
}

/**
 * `[…, m, k] · [n, k]ᵀ → […, m, n]`: a product with a matrix that is stored transposed, as PyTorch stores linear layers.
 * The matrix is read where it lies; a `transpose` of it would be folded into a second copy.
 */
export function matMulTransposed(a: Tensor, b: Tensor): Tensor {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    throw new Error(
      `matMulTransposed needs float32 operands, got ${describeType(a)} and ${describeType(b)}.`,
    );
  }
  if (a.shape.length < 2 || b.shape.length !== 2 || a.shape.at(-1) !== b.shape[1]) {
    throw new Error(
      `matMulTransposed cannot multiply ${describeShape(a.shape)} by ${describeShape(b.shape)} transposed.`,
    );
  }
  return makeTensor('FusedMatMul', [a, b], { transB: 1 }, a.dtype, [...a.shape.slice(0, -1), b.shape[0]!]);
}

/**
 * `[…, k] · [n, k]ᵀ → […, n]` as `matMulTransposed`, computed as `(B · Aᵀ)ᵀ` over all rows of A at once. The runtime lays
 * its right factor out anew: of few rows that costs less than of a large matrix, half the time of the product in all
 * (measured; even at about 100 rows).
 */
export function matMulOfFewRows(a: Tensor, b: Tensor): Tensor {
  return unflattenRows(transposeLast(matMul(b, transposeLast(flattenRows(a)))), a);
}

/** exp(x) / Σ exp(x) along `axis`. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return makeTensor('Softmax', [x], { axis: frontAxis(axis, x.shape.length) }, x.dtype, x.shape);
}

/** x − log Σ exp(x) along `axis`. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return makeTensor('LogSoftmax', [x], { axis: frontAxis(axis, x.shape.length) }, x.dtype, x.shape);
}

export interface NormalizedLayer {
  /** `(x − mean) / √(variance + epsilon) · scale + bias`. */
  readonly y: Tensor;
  /** Mean over the last axis, kept with size 1. */
  readonly mean: Tensor;
  /** 1 / √(variance + epsilon), kept with size 1. */
  readonly inverseStd: Tensor;
}

/** Layer normalization over the last axis (Ba et al. 2016). `scale` and `bias` are `[x.shape.at(-1)]`. */
export function layerNormalization(x: Tensor, scale: Tensor, bias: Tensor, epsilon = 1e-5): NormalizedLayer {
  const width = x.shape.at(-1);
  if (width === undefined || [scale, bias].some(({ shape }) => shape.length !== 1 || shape[0] !== width)) {
    throw new Error(
      `layerNormalization of ${describeShape(x.shape)} cannot use scale ${describeShape(scale.shape)} and bias ${describeShape(bias.shape)}.`,
    );
  }
  const axis = x.shape.length - 1;
  const statistics = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
  const outputs = [{ dtype: x.dtype, shape: x.shape }, statistics, statistics];
  const [y, mean, inverseStd] = makeNode('LayerNormalization', [x, scale, bias], { axis, epsilon }, outputs);
  return { y: y!, mean: mean!, inverseStd: inverseStd! };
}
