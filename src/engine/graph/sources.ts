/** Where tensors come from: fed inputs, weights on disk, constants. */

import { describeShape, isStatic } from './broadcast.ts';
import type { DType } from './opAttributes.ts';
import { makeTensor, type Operand, type Shape, type StoredBytes, type Tensor } from './tensor.ts';
import { elementBytes, elementCount, type TypedArray, typedArray } from './value.ts';

/** A tensor that each run is fed under `name`. */
export function input(name: string, dtype: DType, shape: Shape): Tensor {
  return makeTensor('Input', [], { name }, dtype, shape);
}

/**
 * A weight that stays in its file: the runtime reads `bytes` in place. Weights stored as float16 or
 * bfloat16 come out under that dtype; follow with `cast(…, 'float32')`, which is folded at load.
 */
export function parameter(name: string, dtype: DType, shape: readonly number[], bytes: StoredBytes): Tensor {
  const expected = elementCount(shape) * elementBytes[dtype];
  if (expected !== bytes.length) {
    throw new Error(
      `Weight ${name}: ${dtype}${describeShape(shape)} is ${expected} bytes, but ${bytes.length} are given.`,
    );
  }
  return makeTensor('Parameter', [], { name, ...bytes }, dtype, shape);
}

/** A tensor known when the program is built. `data` is not copied: leave it alone afterwards. */
export function constant(data: TypedArray, shape: readonly number[], dtype: DType = dtypeOf(data)): Tensor {
  if (elementCount(shape) !== data.length) {
    throw new Error(`A constant of shape ${describeShape(shape)} cannot hold ${data.length} elements.`);
  }
  return makeTensor('Constant', [], { data }, dtype, shape);
}

/** A constant without dimensions. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  return constant(typedArray(dtype, [value]), [], dtype);
}

/** A list of int64, as ONNX wants shapes, starts and pads. */
export function int64List(numbers: readonly number[]): Tensor {
  return constant(typedArray('int64', numbers), [numbers.length]);
}

/** `operand` as a tensor; a number takes the element type of `like`. */
export function toTensor(operand: Operand, like: DType): Tensor {
  return typeof operand === 'number' ? scalar(operand, like) : operand;
}

/** The runtime shape of `x` as int64 `[rank]`: a constant when every dimension is known. */
export function shapeOf(x: Tensor): Tensor {
  if (isStatic(x.shape)) return int64List(x.shape);
  return makeTensor('Shape', [x], { start: 0, end: x.shape.length }, 'int64', [x.shape.length]);
}

/** The runtime size of one axis of `x` as int64 `[1]`: a constant when it is known. */
export function sizeOf(x: Tensor, axis: number): Tensor {
  const dim = x.shape.at(axis);
  if (dim === undefined) throw new Error(`Axis ${axis} does not exist in ${describeShape(x.shape)}.`);
  if (typeof dim === 'number') return int64List([dim]);
  const start = axis < 0 ? axis + x.shape.length : axis;
  return makeTensor('Shape', [x], { start, end: start + 1 }, 'int64', [1]);
}

function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Uint8Array) return 'uint8';
  throw new Error('Say whether a constant of 16-bit words is float16 or bfloat16.');
}
