/** Choosing elements by index or by size, and building index tensors. */

import { describeShape, sameShape } from '../broadcast.ts';
import type { DType } from '../opAttributes.ts';
import { constant, toTensor } from '../sources.ts';
import {
  type Dim,
  describeType,
  frontAxis,
  makeNode,
  makeTensor,
  type Operand,
  type Tensor,
} from '../tensor.ts';
import { typedArray } from '../value.ts';
import { withDim } from './layout.ts';

/** start, start + step, … below limit: `[dim]`. Operands are scalars of one type (int32 or int64 for indices). */
export function range(
  start: Operand,
  limit: Operand,
  step: Operand,
  dim: Dim,
  dtype: DType = 'int32',
): Tensor {
  const inputs = [start, limit, step].map((operand) => toTensor(operand, dtype));
  return makeTensor('Range', inputs, {}, dtype, [dim]);
}

/** 1 at each index and 0 elsewhere, on a new last axis of `depth`. Indices are int32 or int64. */
export function oneHot(indices: Tensor, depth: number, dtype: DType = 'float32'): Tensor {
  requireIndices('oneHot', indices);
  const values = constant(typedArray(dtype, [0, 1]), [2], dtype);
  const inputs = [indices, toTensor(depth, indices.dtype), values];
  return makeTensor('OneHot', inputs, { axis: -1 }, dtype, [...indices.shape, depth]);
}

/** Slices of `x` along `axis`, one per index: the axis is replaced by the shape of `indices`. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  requireIndices('gather', indices);
  const front = frontAxis(axis, x.shape.length);
  const shape = [...x.shape.slice(0, front), ...indices.shape, ...x.shape.slice(front + 1)];
  return makeTensor('Gather', [x, indices], { axis: front }, x.dtype, shape);
}

/** `y[i, j] = x[i, indices[i, j]]` for the last axis, and likewise for others (torch.gather). */
export function gatherElements(x: Tensor, indices: Tensor, axis: number): Tensor {
  requireIndices('gatherElements', indices);
  requireRank('gatherElements', x, indices);
  const attributes = { axis: frontAxis(axis, x.shape.length) };
  return makeTensor('GatherElements', [x, indices], attributes, x.dtype, indices.shape);
}

/**
 * A copy of `x` with `updates` written (or added) at `indices` along `axis`: the inverse of
 * `gatherElements`. With 'none', indices must not repeat.
 */
export function scatterElements(
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  axis: number,
  reduction: 'none' | 'add' = 'none',
): Tensor {
  requireIndices('scatterElements', indices);
  requireRank('scatterElements', x, indices);
  if (!sameShape(indices.shape, updates.shape) || updates.dtype !== x.dtype) {
    throw new Error(
      `scatterElements needs one update of ${x.dtype} for each index, got ${describeType(updates)}.`,
    );
  }
  const attributes = { axis: frontAxis(axis, x.shape.length), reduction };
  return makeTensor('ScatterElements', [x, indices, updates], attributes, x.dtype, x.shape);
}

export interface TopK {
  readonly values: Tensor;
  /** int64, positions along the axis. */
  readonly indices: Tensor;
}

/** The `k` largest elements along `axis`, in falling order. */
export function topK(x: Tensor, k: number, axis = -1): TopK {
  const front = frontAxis(axis, x.shape.length);
  const dim = x.shape[front]!;
  if (typeof dim === 'number' && k > dim) throw new Error(`topK cannot pick ${k} of ${dim} elements.`);
  const shape = withDim(x.shape, front, k);
  const types = [
    { dtype: x.dtype, shape },
    { dtype: 'int64', shape },
  ] as const;
  const [values, indices] = makeNode('TopK', [x], { axis: front, k, largest: 1, sorted: 1 }, types);
  return { values: values!, indices: indices! };
}

function requireIndices(name: string, indices: Tensor): void {
  if (indices.dtype === 'int32' || indices.dtype === 'int64') return;
  throw new Error(`${name} needs int32 or int64 indices, got ${describeType(indices)}.`);
}

function requireRank(name: string, x: Tensor, indices: Tensor): void {
  if (x.shape.length === indices.shape.length) return;
  throw new Error(
    `${name} needs as many dimensions in ${describeShape(indices.shape)} as in ${describeShape(x.shape)}.`,
  );
}
