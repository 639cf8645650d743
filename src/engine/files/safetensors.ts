/**
 * Reads and writes `.safetensors` files: named tensors behind a JSON header
 * (https://github.com/huggingface/safetensors#format). Locations are absolute, so a runtime can map the data in place.
 */
import type { FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { DType } from '../graph/opAttributes.ts';
import type { Value } from '../graph/value.ts';
import { malformed } from './fileErrors.ts';
import { readBytes, realFile, withFile } from './regularFile.ts';
import {
  checkHeaderLength,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type StoredDtype,
  type StoredTensor,
} from './safetensorsHeader.ts';
import { storedValue, type TensorFile, tensorOf, widenToFloat32 } from './tensorFile.ts';
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

/** An opened safetensors file: every tensor lies in it as it is used. */
export interface Safetensors extends TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Opens the file at `path` and checks its header in full; no tensor data is read yet.
 * @throws file.missing, file.unreadable, file.malformed.
 */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const real = await realFile(path);
  const { header, stamp } = await withFile(real, async (file, size, stamp) => ({
    header: await readHeader(file, real, size),
    stamp,
  }));
  const { tensors, metadata } = header;
  const read = async (name: string) =>
    withFile(real, (file) => readTensor(real, file, tensorOf(real, tensors, name), name), stamp);
  return {
    path: real,
    stamp,
    format: 'safetensors',
    tensors,
    metadata,
    values: new Map(Object.entries(metadata)),
    read,
    readFloat32: async (name) => widenToFloat32(real, name, await read(name)),
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

async function readHeader(file: FileHandle, path: string, size: number): Promise<SafetensorsHeader> {
  if (size < 10) throw malformed(path, 'file size', 'at least 10 bytes', `${size} bytes`);
  const start = await readBytes(path, file, 0, 8);
  const length = checkHeaderLength(path, new DataView(start.buffer).getBigUint64(0, true), size);
  const bytes = await readBytes(path, file, 8, length);
  return parseSafetensorsHeader(path, bytes, 8 + length, size);
}

async function readTensor(
  path: string,
  file: FileHandle,
  tensor: StoredTensor,
  name: string,
): Promise<Value> {
  return storedValue(path, name, tensor, await readBytes(path, file, tensor.offset, tensor.length));
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
