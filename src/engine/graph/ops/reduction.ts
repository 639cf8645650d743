/** Sums, means, maxima and running sums along axes. */

import type { OpAttributes } from '../opAttributes.ts';
import { type Dim, frontAxis, makeTensor, type Shape, type Tensor } from '../tensor.ts';

export interface ReduceOptions {
  /** Leave the reduced axes in place with size 1. */
  readonly keepDims?: boolean;
}

/** Sum over `axes` (all axes when not given). */
export function reduceSum(x: Tensor, axes?: readonly number[], options?: ReduceOptions): Tensor {
  return reduce('ReduceSum', x, axes, options);
}

/** Mean over `axes` (all axes when not given). */
export function reduceMean(x: Tensor, axes?: readonly number[], options?: ReduceOptions): Tensor {
  return reduce('ReduceMean', x, axes, options);
}

/** Largest element over `axes` (all axes when not given). */
export function reduceMax(x: Tensor, axes?: readonly number[], options?: ReduceOptions): Tensor {
  return reduce('ReduceMax', x, axes, options);
}

/** Position of the largest element along `axis`, int64; the axis is removed. */
export function argMax(x: Tensor, axis: number): Tensor {
  const front = frontAxis(axis, x.shape.length);
  return makeTensor('ArgMax', [x], { axis: front, keepdims: 0 }, 'int64', reducedShape(x.shape, [front], 0));
}

/** Running sum along `axis`. `exclusive` leaves out the element itself; `reverse` runs from the end. */
export function cumSum(
  x: Tensor,
  axis: number,
  options: { exclusive?: boolean; reverse?: boolean } = {},
): Tensor {
  const attributes: OpAttributes['CumSum'] = {
    axis: frontAxis(axis, x.shape.length),
    exclusive: options.exclusive ? 1 : 0,
    reverse: options.reverse ? 1 : 0,
  };
  return makeTensor('CumSum', [x], attributes, x.dtype, x.shape);
}

function reduce(
  op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax',
  x: Tensor,
  axes: readonly number[] = x.shape.map((_, axis) => axis),
  options: ReduceOptions = {},
): Tensor {
  const front = axes.map((axis) => frontAxis(axis, x.shape.length)).sort((a, b) => a - b);
  // ONNX reads an empty list of axes as "all of them".
  if (front.length === 0) return x;
  const keepdims = options.keepDims ? 1 : 0;
  return makeTensor(op, [x], { axes: front, keepdims }, x.dtype, reducedShape(x.shape, front, keepdims));
}

function reducedShape(shape: Shape, axes: readonly number[], keepdims: 0 | 1): Shape {
  if (keepdims) return shape.map((dim, axis): Dim => (axes.includes(axis) ? 1 : dim));
  return shape.filter((_, axis) => !axes.includes(axis));
}
