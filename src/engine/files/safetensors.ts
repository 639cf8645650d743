/**
 * Reads and writes `.safetensors` files: named tensors behind a JSON header
 * (https://github.com/huggingface/safetensors#format). Locations are absolute, so a runtime can map the data in place.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { DType } from '../graph/opAttributes.ts';
import type { Value } from '../graph/value.ts';
import { fileError, malformed } from './fileErrors.ts';
import { stampOf } from './fileStamp.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './halfFloat.ts';
import {
  checkHeaderLength,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type StoredDtype,
  type StoredTensor,
} from './safetensorsHeader.ts';
import { writeAtomically } from './writeAtomically.ts';

const storedNames: { readonly [D in DType]: StoredDtype } = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
};

/** An opened file. It holds no file handle: every read opens the file anew, so nothing needs closing. */
export interface Safetensors {
  /** Symbolic links resolved, as ONNX external data requires. */
  readonly path: string;
  /** Tells the file from one that replaced it (see `stampOf`). */
  readonly stamp: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * The tensor in its stored dtype.
   * @throws file.malformed when the file lacks it, file.missing when the file is gone.
   */
  read(name: string): Promise<Value>;
  /** A floating-point tensor as float32; F16 and BF16 are widened exactly, F64 is rounded. */
  readFloat32(name: string): Promise<Float32Array>;
}

/**
 * Opens the file at `path` and checks its header in full; no tensor data is read yet.
 * @throws file.missing, file.unreadable, file.malformed.
 */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const real = await realpath(path).catch((error) => {
    throw fileError(path, error);
  });
  const { header, stamp } = await withFile(real, async (file) => ({
    header: await readHeader(file, real),
    stamp: stampOf(await file.stat()),
  }));
  const { tensors, metadata } = header;
  const read = (name: string) => withFile(real, (file) => readTensor(real, file, tensors, name));
  return {
    path: real,
    stamp,
    tensors,
    metadata,
    read,
    readFloat32: async (name) => widen(real, name, await read(name)),
  };
}

/**
 * Writes `tensors` to `path` at once (temporary file, then rename). The data starts at a multiple of 64 bytes and
 * tensors are laid out so that each whose length is a multiple of 64 (or 8) bytes also starts at one.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Value>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (endianness() !== 'LE') throw new Error('safetensors are little-endian; this machine is not');
  const entries = Object.entries(tensors).map(([name, tensor]) => ({
    name,
    tensor,
    bytes: bytesOf(name, tensor),
  }));
  // The format allows no gaps between tensors, so alignment comes from the order: evenest lengths first.
  entries.sort((a, b) => evenness(b.bytes.length) - evenness(a.bytes.length) || compareText(a.name, b.name));
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  for (const { name, tensor, bytes } of entries) {
    const data_offsets = [offset, offset + bytes.length];
    header[name] = { dtype: storedNames[tensor.dtype], shape: tensor.dims, data_offsets };
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil((8 + text.length) / 64) * 64).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  await writeAtomically(path, [padded, ...entries.map(({ bytes }) => bytes)]);
}

async function withFile<T>(path: string, use: (file: FileHandle, path: string) => Promise<T>): Promise<T> {
  try {
    // Opening a pipe would wait for its other end for ever.
    if (!(await stat(path)).isFile()) throw malformed(path, 'file', 'a regular file', 'a folder or device');
    const file = await open(path, constants.O_RDONLY);
    try {
      return await use(file, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  if (size < 10) throw malformed(path, 'file size', 'at least 10 bytes', `${size} bytes`);
  const start = await readBytes(path, file, 0, 8);
  const length = checkHeaderLength(path, new DataView(start.buffer).getBigUint64(0, true), size);
  const bytes = await readBytes(path, file, 8, length);
  return parseSafetensorsHeader(path, bytes, 8 + length, size);
}

async function readTensor(
  path: string,
  file: FileHandle,
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
): Promise<Value> {
  const tensor = tensors.get(name);
  if (!tensor) throw malformed(path, name, 'a tensor in the file', undefined);
  const bytes = await readBytes(path, file, tensor.offset, tensor.length);
  return typed(path, name, tensor, bytes.buffer);
}

/** Reads exactly `length` bytes; a single system call carries at most 2 GiB, so large tensors come in pieces. */
async function readBytes(
  path: string,
  file: FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const piece = Math.min(length - done, 2 ** 30);
    const { bytesRead } = await file.read(bytes, done, piece, offset + done);
    if (bytesRead === 0) {
      throw malformed(path, 'file size', `at least ${offset + length} bytes`, `${offset + done} bytes`);
    }
    done += bytesRead;
  }
  return bytes;
}

function typed(path: string, name: string, tensor: StoredTensor, buffer: ArrayBuffer): Value {
  const dims = tensor.shape;
  switch (tensor.dtype) {
    case 'F32':
      return { dtype: 'float32', dims, data: new Float32Array(buffer) };
    case 'F64':
      return { dtype: 'float64', dims, data: new Float64Array(buffer) };
    case 'F16':
      return { dtype: 'float16', dims, data: new Uint16Array(buffer) };
    case 'BF16':
      return { dtype: 'bfloat16', dims, data: new Uint16Array(buffer) };
    case 'I64':
      return { dtype: 'int64', dims, data: new BigInt64Array(buffer) };
    case 'I32':
      return { dtype: 'int32', dims, data: new Int32Array(buffer) };
    case 'U8':
      return { dtype: 'uint8', dims, data: new Uint8Array(buffer) };
    case 'BOOL':
      return { dtype: 'bool', dims, data: new Uint8Array(buffer) };
    default:
      throw malformed(path, `${name}.dtype`, `one of ${Object.values(storedNames).join(', ')}`, tensor.dtype);
  }
}

function widen(path: string, name: string, { dtype, data }: Value): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (dtype === 'float16') return float16ToFloat32(data as Uint16Array);
  if (dtype === 'bfloat16') return bfloat16ToFloat32(data as Uint16Array);
  throw malformed(path, `${name}.dtype`, 'floating-point numbers', dtype);
}

function bytesOf(name: string, { data, dims }: Value): Uint8Array {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (count !== data.length)
    throw new Error(`${name}: ${data.length} numbers do not fill shape [${dims.join(', ')}]`);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The largest power of two up to 64 that divides `length`. */
function evenness(length: number): number {
  let power = 1;
  while (power < 64 && length % (power * 2) === 0) power *= 2;
  return power;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
