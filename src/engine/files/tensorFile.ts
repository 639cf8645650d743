/** What all files of named tensors have in common, whatever their format: shapes at once, numbers when asked, places to map. */
import { endianness } from 'node:os';
import type { Value } from '../graph/value.ts';
import { malformed, shorten } from './fileErrors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './halfFloat.ts';
import { bytesPerElement, type StoredDtype } from './safetensorsHeader.ts';

/** One tensor of a file. */
export interface FileTensor {
  readonly dtype: StoredDtype;
  /** Logical shape; what `read` returns is row-major in it, however the file lays the numbers out. */
  readonly shape: readonly number[];
  /**
   * Bytes from the start of the file, when the numbers lie there just as they are used: uncompressed, little-endian,
   * row-major. Absent for others (deflated, Fortran order, transposed views), which only `read` can deliver.
   */
  readonly offset?: number;
  /** Bytes of the tensor's numbers, whether they lie in the file in this form or not. */
  readonly length: number;
}

/** A text, number or truth value that stands beside the tensors. */
export type PlainValue = string | number | bigint | boolean | null;

/** An opened file of named tensors. It holds no file handle: every read opens the file anew, so nothing needs closing. */
export interface TensorFile {
  /** Symbolic links resolved. */
  readonly path: string;
  /** Tells the file from one that replaced it (see `stampOf`); reads are refused once it is another one. */
  readonly stamp: string;
  readonly format: 'safetensors' | 'npz' | 'torch';
  /** By name. Names of nested dictionaries are joined by dots: `ae.encoder.weight`. */
  readonly tensors: ReadonlyMap<string, FileTensor>;
  /** What the file says beside its tensors, by dotted name: metadata of safetensors, plain values of a checkpoint. */
  readonly values: ReadonlyMap<string, PlainValue>;
  /**
   * The tensor in its stored dtype, row-major.
   * @throws file.malformed when the file lacks it or it has a dtype that programs do not know; file.missing, file.changed.
   */
  read(name: string): Promise<Value>;
  /** A floating-point tensor as float32; F16 and BF16 are widened exactly, F64 is rounded. */
  readFloat32(name: string): Promise<Float32Array>;
}

/** The runtime maps weights in place only where they start at a multiple of this many bytes. */
const alignment = 8;

/** True when a program can use the tensor where it lies in its file, without a copy. */
export function isInPlace(tensor: FileTensor): tensor is FileTensor & { readonly offset: number } {
  return tensor.offset !== undefined && tensor.offset % alignment === 0;
}

/** Names that would reach an object's prototype when someone keys a record by tensor name. */
const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws file.malformed for a name that is empty or dangerous as a key. */
export function checkTensorName(path: string, name: string): void {
  if (name === '' || name.length > 1000 || forbiddenNames.has(name)) {
    throw malformed(path, 'tensor name', 'a name that is safe as a key', name);
  }
}

/** Dimensions a tensor may have at most. */
export const maxRank = 16;

/**
 * Bytes of a tensor of these dimensions, when both are ones that a file can have.
 * @throws file.malformed naming `field` for another rank, for dimensions that are no counts, and for too large a product.
 */
export function checkedLength(
  path: string,
  field: string,
  shape: readonly unknown[],
  dtype: StoredDtype,
): number {
  const isCount = (dim: unknown) => Number.isSafeInteger(dim) && (dim as number) >= 0;
  if (shape.length > maxRank || !shape.every(isCount)) {
    throw malformed(path, field, `at most ${maxRank} whole numbers ≥ 0`, shape);
  }
  const dims = shape as readonly number[];
  const length = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, bytesPerElement[dtype]);
  if (!Number.isSafeInteger(length)) throw malformed(path, field, 'a size that a file can have', shape);
  return length;
}

/** The tensor `name`. @throws file.malformed when the file lacks it. */
export function tensorOf<T>(path: string, tensors: ReadonlyMap<string, T>, name: string): T {
  const tensor = tensors.get(name);
  if (!tensor) throw malformed(path, shorten(name, 50), 'a tensor in the file', undefined);
  return tensor;
}

/** Little-endian, row-major `bytes` of a tensor as a value; copied only when they lie unevenly in their buffer. */
export function storedValue(
  path: string,
  name: string,
  { dtype, shape: dims }: { readonly dtype: StoredDtype; readonly shape: readonly number[] },
  bytes: Uint8Array,
): Value {
  if (endianness() !== 'LE') throw new Error('stored tensors are little-endian; this machine is not');
  const { buffer, byteOffset, length } = bytes.byteOffset % alignment === 0 ? bytes : bytes.slice();
  switch (dtype) {
    case 'F32':
      return { dtype: 'float32', dims, data: new Float32Array(buffer, byteOffset, length / 4) };
    case 'F64':
      return { dtype: 'float64', dims, data: new Float64Array(buffer, byteOffset, length / 8) };
    case 'F16':
      return { dtype: 'float16', dims, data: new Uint16Array(buffer, byteOffset, length / 2) };
    case 'BF16':
      return { dtype: 'bfloat16', dims, data: new Uint16Array(buffer, byteOffset, length / 2) };
    case 'I64':
      return { dtype: 'int64', dims, data: new BigInt64Array(buffer, byteOffset, length / 8) };
    case 'I32':
      return { dtype: 'int32', dims, data: new Int32Array(buffer, byteOffset, length / 4) };
    case 'U8':
      return { dtype: 'uint8', dims, data: new Uint8Array(buffer, byteOffset, length) };
    case 'BOOL':
      return { dtype: 'bool', dims, data: new Uint8Array(buffer, byteOffset, length) };
    default: {
      const known = 'F32, F64, F16, BF16, I64, I32, U8 or BOOL';
      throw malformed(path, `${shorten(name, 50)}.dtype`, known, dtype);
    }
  }
}

/** The numbers of a floating-point tensor as float32. @throws file.malformed when it holds others. */
export function widenToFloat32(path: string, name: string, { dtype, data }: Value): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (dtype === 'float16') return float16ToFloat32(data as Uint16Array);
  if (dtype === 'bfloat16') return bfloat16ToFloat32(data as Uint16Array);
  throw malformed(path, `${shorten(name, 50)}.dtype`, 'floating-point numbers', dtype);
}
