/** Tensors with their numbers, in JavaScript memory: what is fed to a compiled program and fetched from it. */

import type { DType } from './opAttributes.ts';

export type TypedArray = Float32Array | Float64Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * A dense row-major tensor. `data` is a Float32Array, Float64Array, Int32Array or BigInt64Array as the
 * dtype says; a Uint16Array of raw bits for the 16-bit floats; a Uint8Array for uint8 and bool (0 or 1).
 */
export interface Value {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

/** A `Value` that is known to hold float32. */
export interface FloatValue extends Value {
  readonly dtype: 'float32';
  readonly data: Float32Array;
}

/** Bytes per element. */
export const elementBytes: { readonly [D in DType]: number } = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  bool: 1,
};

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Number of elements of a tensor with these dimensions; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((count, dim) => count * dim, 1);
}

/** float32 tensor over `data` (not copied). `dims` defaults to one dimension. */
export function floatValue(data: Float32Array | readonly number[], dims?: readonly number[]): FloatValue {
  const array = data instanceof Float32Array ? data : Float32Array.from(data);
  return checked({ dtype: 'float32', dims: dims ?? [array.length], data: array });
}

/** int32 tensor over `data` (not copied): token ids, positions, indices. */
export function intValue(data: Int32Array | readonly number[], dims?: readonly number[]): Value {
  const array = data instanceof Int32Array ? data : Int32Array.from(data);
  return checked({ dtype: 'int32', dims: dims ?? [array.length], data: array });
}

/** bool tensor from 0 and 1. */
export function boolValue(data: Uint8Array | readonly number[], dims?: readonly number[]): Value {
  const array = data instanceof Uint8Array ? data : Uint8Array.from(data);
  return checked({ dtype: 'bool', dims: dims ?? [array.length], data: array });
}

/** A tensor of zeros. */
export function zerosValue(dtype: DType, dims: readonly number[]): Value {
  return { dtype, dims, data: new arrays[dtype](elementCount(dims)) };
}

/** A typed array of `dtype` with these numbers. The 16-bit floats cannot be made this way. */
export function typedArray(dtype: DType, numbers: ArrayLike<number>): TypedArray {
  if (dtype === 'float16' || dtype === 'bfloat16')
    throw new Error(`Numbers are not written as ${dtype} here.`);
  if (dtype === 'int64') return BigInt64Array.from(Array.from(numbers), BigInt);
  return arrays[dtype].from(numbers);
}

/** The elements as JavaScript numbers. */
export function toNumbers(value: Value): number[] {
  return Array.from(value.data as ArrayLike<number | bigint>, Number);
}

/** The float32 elements of `value`; throws when it holds another type. */
export function floatsOf(value: Value): Float32Array {
  if (value.dtype === 'float32' && value.data instanceof Float32Array) return value.data;
  throw new Error(`Expected a float32 tensor, got ${value.dtype}.`);
}

function checked<V extends Value>(value: V): V {
  const count = elementCount(value.dims);
  if (count !== value.data.length) {
    throw new Error(
      `A tensor of dimensions [${value.dims.join(', ')}] needs ${count} elements, got ${value.data.length}.`,
    );
  }
  return value;
}
