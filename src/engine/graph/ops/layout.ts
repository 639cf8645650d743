/** Operations that move elements without changing them: reshape, transpose, join, cut, pad. */

import { broadcastShapes, describeShape, multiplyDims, sameShape, sumDims } from '../broadcast.ts';
import { int64List, scalar, shapeOf, sizeOf } from '../sources.ts';
import { type Dim, frontAxis, makeNode, makeTensor, type Shape, type Tensor } from '../tensor.ts';

/**
 * The same elements in row-major order under another shape. One dimension may be −1 (worked out from
 * the rest). A name that `x` has keeps that dimension's size; one name that `x` lacks is worked out
 * from the rest and names the result, as in `reshape(x, ['batch*position', 64])`.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const named = nameUnknown(x.shape, shape);
  if (sameShape(x.shape, named)) return x;
  return makeTensor('Reshape', [x, targetShape(x, named)], {}, x.dtype, named);
}

/** `x` with the shape of `like`, which holds as many elements. */
export function reshapeLike(x: Tensor, like: Tensor): Tensor {
  if (sameShape(x.shape, like.shape)) return x;
  const unknown = like.shape.filter((dim) => typeof dim === 'string' && !x.shape.includes(dim));
  if (unknown.length <= 1) return reshape(x, like.shape);
  return makeTensor('Reshape', [x, shapeOf(like)], {}, x.dtype, like.shape);
}

/** `x` `[…, width]` with all leading axes as one: a matrix. */
export function flattenRows(x: Tensor): Tensor {
  return reshape(x, [-1, x.shape.at(-1)!]);
}

/** The rows of the matrix `x` `[rows, n]` laid out as those of `like` `[…, width]`: `[…, n]`. Undoes `flattenRows`. */
export function unflattenRows(x: Tensor, like: Tensor): Tensor {
  const leading = like.shape.slice(0, -1);
  const shape = [...leading, x.shape[1]!];
  if (leading.filter((dim) => typeof dim === 'string').length <= 1 && typeof x.shape[1] === 'number')
    return reshape(x, shape);
  const sizes = [...leading.map((_, axis) => sizeOf(like, axis)), sizeOf(x, 1)];
  return makeTensor('Reshape', [x, concat(sizes, 0)], {}, x.dtype, shape);
}

/** `x` with its axes in the order `perm` (reversed when not given). */
export function transpose(
  x: Tensor,
  perm: readonly number[] = x.shape.map((_, i) => x.shape.length - 1 - i),
): Tensor {
  const front = perm.map((axis) => frontAxis(axis, x.shape.length));
  if (new Set(front).size !== x.shape.length) {
    throw new Error(`[${perm.join(', ')}] is not an order of the axes of ${describeShape(x.shape)}.`);
  }
  return makeTensor(
    'Transpose',
    [x],
    { perm: front },
    x.dtype,
    front.map((axis) => x.shape[axis]!),
  );
}

/** `x` with its last two axes exchanged: the matrix transpose. */
export function transposeLast(x: Tensor): Tensor {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Inserts axes of size 1; `axes` count in the result. */
export function unsqueeze(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length + axes.length;
  const front = axes.map((axis) => frontAxis(axis, rank)).sort((a, b) => a - b);
  const rest = [...x.shape];
  const shape = Array.from({ length: rank }, (_, axis): Dim => (front.includes(axis) ? 1 : rest.shift()!));
  return makeTensor('Unsqueeze', [x], { axes: front }, x.dtype, shape);
}

/** Removes axes of size 1. */
export function squeeze(x: Tensor, axes: readonly number[]): Tensor {
  const front = axes.map((axis) => frontAxis(axis, x.shape.length)).sort((a, b) => a - b);
  if (front.some((axis) => x.shape[axis] !== 1)) {
    throw new Error(
      `squeeze removes axes of size 1 only; ${describeShape(x.shape)} has others among [${axes.join(', ')}].`,
    );
  }
  return makeTensor(
    'Squeeze',
    [x],
    { axes: front },
    x.dtype,
    x.shape.filter((_, axis) => !front.includes(axis)),
  );
}

/** `x` repeated to the shape of `like`, by broadcasting. */
export function expandLike(x: Tensor, like: Tensor): Tensor {
  if (sameShape(x.shape, like.shape)) return x;
  if (!sameShape(broadcastShapes(x.shape, like.shape), like.shape)) {
    throw new Error(`${describeShape(x.shape)} does not expand to ${describeShape(like.shape)}.`);
  }
  return makeTensor('Expand', [x, shapeOf(like)], {}, x.dtype, like.shape);
}

/** `x` repeated to a shape of known sizes, by broadcasting. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const result = broadcastShapes(x.shape, shape);
  if (sameShape(x.shape, result)) return x;
  return makeTensor('Expand', [x, int64List(shape)], {}, x.dtype, result);
}

/** `value` in the shape and type of `like`. */
export function fullLike(like: Tensor, value: number): Tensor {
  return expandLike(scalar(value, like.dtype), like);
}

/** Tensors end to end along `axis`. Named sizes add up to a name (`past+position`) unless `dim` names the result. */
export function concat(tensors: readonly Tensor[], axis: number, dim?: Dim): Tensor {
  const [first, ...others] = tensors;
  if (!first) throw new Error('concat needs at least one tensor.');
  const front = frontAxis(axis, first.shape.length);
  const outside = (x: Tensor) => x.shape.filter((_, i) => i !== front);
  for (const other of others) {
    if (other.dtype !== first.dtype || !sameShape(outside(first), outside(other))) {
      throw new Error(
        `concat cannot join ${describeShape(first.shape)} and ${describeShape(other.shape)} along axis ${axis}.`,
      );
    }
  }
  const total = dim ?? sumDims(tensors.map((x) => x.shape[front]!));
  return makeTensor('Concat', tensors, { axis: front }, first.dtype, withDim(first.shape, front, total));
}

/**
 * Elements `start` up to (not including) `end` along `axis`; negative numbers count from the end. A
 * start or end known only at run time is an int64 tensor `[1]`, and `dim` then names the result.
 */
export function slice(
  x: Tensor,
  axis: number,
  start: number | Tensor,
  end: number | Tensor = endOfAxis,
  dim?: Dim,
): Tensor {
  const front = frontAxis(axis, x.shape.length);
  const size = dim ?? slicedDim(x.shape[front]!, start, end);
  const bounds = [start, end].map((bound) => (typeof bound === 'number' ? int64List([bound]) : bound));
  return makeTensor('Slice', [x, ...bounds], { axes: [front] }, x.dtype, withDim(x.shape, front, size));
}

/** Cuts `axis` into pieces of the given sizes. */
export function split(x: Tensor, axis: number, sizes: readonly number[]): readonly Tensor[] {
  const front = frontAxis(axis, x.shape.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (x.shape[front] !== total) {
    throw new Error(
      `split cannot cut ${describeShape(x.shape)} along axis ${axis} into [${sizes.join(', ')}].`,
    );
  }
  const types = sizes.map((size) => ({ dtype: x.dtype, shape: withDim(x.shape, front, size) }));
  return makeNode('Split', [x], { axis: front, split: sizes }, types);
}

/** Zeros before and after the elements of `axis`. Tensor amounts are int64 `[1]`; `dim` names the result's size. */
export function pad(
  x: Tensor,
  axis: number,
  before: number | Tensor,
  after: number | Tensor,
  dim?: Dim,
): Tensor {
  const front = frontAxis(axis, x.shape.length);
  const isKnown = typeof before === 'number' && typeof after === 'number';
  if (!isKnown && dim === undefined)
    throw new Error('pad needs a name for the size that is known only at run time.');
  const size = dim ?? sumDims([before as number, x.shape[front]!, after as number]);
  const amounts = isKnown
    ? int64List([before, after])
    : concat(
        [before, after].map((amount) => (typeof amount === 'number' ? int64List([amount]) : amount)),
        0,
      );
  const inputs = [x, amounts, scalar(0, x.dtype)];
  return makeTensor('Pad', inputs, { axes: [front] }, x.dtype, withDim(x.shape, front, size));
}

/** The lower (or upper) triangle of the last two axes, zeros elsewhere. `k` moves the diagonal to the right. */
export function trilu(x: Tensor, options: { upper?: boolean; k?: number } = {}): Tensor {
  const attributes = { upper: options.upper ? 1 : 0, k: options.k ?? 0 } as const;
  return makeTensor('Trilu', [x], attributes, x.dtype, x.shape);
}

/** `shape` with another dimension at `axis`. */
export function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old));
}

/** ONNX clamps an end beyond the axis, so the largest int32 stands for "to the end". */
const endOfAxis = 2 ** 31 - 1;

function slicedDim(dim: Dim, start: number | Tensor, end: number | Tensor): Dim {
  if (typeof start !== 'number' || typeof end !== 'number') {
    throw new Error('slice needs a name for the size that is known only at run time.');
  }
  if (typeof dim === 'number') {
    const inside = (bound: number) => Math.min(Math.max(bound < 0 ? bound + dim : bound, 0), dim);
    return Math.max(inside(end) - inside(start), 0);
  }
  if (end === endOfAxis && start === 0) return dim;
  if (end === endOfAxis && start < 0) return -start;
  const sameSide = start < 0 === end < 0;
  return sameSide && end !== endOfAxis ? end - start : `${dim}[${start}:${end === endOfAxis ? '' : end}]`;
}

/** Replaces −1 by the size or name that the other dimensions leave over. */
function nameUnknown(from: Shape, to: Shape): Shape {
  const unknown = to.indexOf(-1);
  if (unknown < 0) return to;
  const left = [...from];
  let size = 1;
  for (const dim of to) {
    if (typeof dim === 'string') left.splice(left.indexOf(dim) >= 0 ? left.indexOf(dim) : left.length, 1);
    else if (dim !== -1) size *= dim;
  }
  const names = left.filter((dim) => typeof dim === 'string');
  const leftover =
    left.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1) / size;
  if (!Number.isInteger(leftover))
    throw new Error(`${describeShape(from)} does not reshape to ${describeShape(to)}.`);
  return withDim(to, unknown, multiplyDims([leftover, ...names]));
}

/** The int64 shape that Reshape is given at run time. */
function targetShape(x: Tensor, shape: Shape): Tensor {
  const unknown = shape.filter((dim) => typeof dim === 'string' && !x.shape.includes(dim));
  if (unknown.length > 1) {
    throw new Error(
      `${describeShape(x.shape)} does not tell the sizes ${unknown.join(', ')} of ${describeShape(shape)}.`,
    );
  }
  const numbers = shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (unknown.includes(dim)) return -1;
    // 0 tells ONNX to keep the size of the same axis.
    return x.shape[axis] === dim ? 0 : undefined;
  });
  const missing = numbers.flatMap((number, axis) => (number === undefined ? [axis] : []));
  if (missing.length === 1 && !numbers.includes(-1)) numbers[missing[0]!] = -1;
  if (numbers.every((number) => number !== undefined)) return int64List(numbers);
  const pieces = numbers.map((number, axis) =>
    number === undefined ? sizeOf(x, x.shape.indexOf(shape[axis]!)) : int64List([number]),
  );
  return concat(pieces, 0);
}
