/** Opens GGUF files, the format of llama.cpp: metadata, and tensors whose places in the file are checked in full. */
import type { FileHandle } from 'node:fs/promises';
import { malformed, shorten } from './fileErrors.ts';
import {
  type GgufValue,
  HeaderGoesOn,
  parseGgufHeader,
  type RawGguf,
  type RawGgufTensor,
} from './ggufHeader.ts';
import { ggufTypes } from './ggufTypes.ts';
import { readBytes, realFile, withFile } from './regularFile.ts';
import { checkTensorName } from './tensorFile.ts';

export interface GgufTensor {
  readonly name: string;
  /** As ggml calls it: `Q4_K`. */
  readonly type: string;
  /** Slowest axis first, as everywhere else; the file has it the other way round. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** An opened file. It holds no file handle. */
export interface Gguf {
  /** Symbolic links resolved. */
  readonly path: string;
  /** Tells the file from one that replaced it (see `stampOf`). */
  readonly stamp: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where tensor data starts; everything before it is the header. */
  readonly dataStart: number;
}

const firstRead = 4 * 2 ** 20;
/** Headers with large vocabularies are some 20 MB. */
const maxHeaderBytes = 256 * 2 ** 20;
const defaultAlignment = 32;

/**
 * Opens the file at `path` and checks its header in full: types are known, every tensor lies inside the file at an
 * aligned place, and none overlaps another. No tensor data is read.
 * @throws file.missing, file.unreadable, file.malformed naming the field.
 */
export async function openGguf(path: string): Promise<Gguf> {
  const real = await realFile(path);
  return withFile(real, async (file, size, stamp) => {
    const raw = await readHeader(file, real, size);
    const dataStart = dataStartOf(real, raw);
    const tensors = new Map<string, GgufTensor>();
    for (const tensor of raw.tensors) {
      checkTensorName(real, tensor.name);
      if (tensors.has(tensor.name)) throw malformed(real, 'tensor name', 'a name of its own', tensor.name);
      tensors.set(tensor.name, place(real, tensor, dataStart, size));
    }
    checkOverlaps(real, tensors, dataStart);
    return { path: real, stamp, metadata: raw.metadata, tensors, dataStart };
  });
}

/** Reads as much of the file's start as the header turns out to need. */
async function readHeader(file: FileHandle, path: string, size: number): Promise<RawGguf> {
  for (let wanted = firstRead; ; wanted *= 4) {
    const length = Math.min(wanted, size, maxHeaderBytes);
    const bytes = await readBytes(path, file, 0, length);
    try {
      return parseGgufHeader(path, bytes, size);
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error;
      if (length === maxHeaderBytes)
        throw malformed(path, 'header', `at most ${maxHeaderBytes} bytes`, 'longer');
    }
  }
}

function dataStartOf(path: string, { metadata, end }: RawGguf): number {
  const alignment = alignmentOf(path, metadata);
  return Math.ceil(end / alignment) * alignment;
}

function alignmentOf(path: string, metadata: RawGguf['metadata']): number {
  const alignment = metadata.get('general.alignment') ?? defaultAlignment;
  const isPowerOfTwo = typeof alignment === 'number' && Number.isInteger(Math.log2(alignment));
  if (isPowerOfTwo && alignment >= 8 && alignment <= 65536) return alignment;
  throw malformed(path, 'general.alignment', 'a power of two from 8 to 65536', alignment);
}

function place(path: string, raw: RawGgufTensor, dataStart: number, fileSize: number): GgufTensor {
  const at = shorten(raw.name, 50);
  const type = ggufTypes.get(raw.type);
  if (!type) throw malformed(path, `${at}.type`, `one of ${knownTypes()}`, `the id ${raw.type}`);
  const row = raw.dims[0] ?? 1;
  if (raw.dims.length === 0 || raw.dims.some((dim) => dim < 1)) {
    throw malformed(path, `${at}.shape`, 'one to four dimensions of at least 1', raw.dims);
  }
  if (row % type.block !== 0) {
    throw malformed(
      path,
      `${at}.shape`,
      `rows of a multiple of ${type.block} numbers for ${type.name}`,
      raw.dims,
    );
  }
  const length = (raw.dims.reduce((product, dim) => product * dim, 1) / type.block) * type.bytes;
  const available = fileSize - dataStart;
  if (!(raw.offset + length <= available)) {
    const found = `${length} bytes at ${raw.offset}`;
    throw malformed(
      path,
      `${at}.offset`,
      `within the ${Math.max(0, available)} bytes of data in the file`,
      found,
    );
  }
  // Offsets of every known writer are aligned; less would do, but weights used in place have to start at 8 bytes.
  if (raw.offset % 8 !== 0) throw malformed(path, `${at}.offset`, 'a multiple of the alignment', raw.offset);
  return {
    name: raw.name,
    type: type.name,
    shape: [...raw.dims].reverse(),
    offset: dataStart + raw.offset,
    length,
  };
}

function checkOverlaps(path: string, tensors: ReadonlyMap<string, GgufTensor>, dataStart: number): void {
  const byOffset = [...tensors.values()].sort((a, b) => a.offset - b.offset);
  let end = dataStart;
  for (const { name, offset, length } of byOffset) {
    if (offset < end) {
      const found = `${offset - dataStart} (an overlap with the tensor before it)`;
      throw malformed(path, `${shorten(name, 50)}.offset`, `at least ${end - dataStart}`, found);
    }
    end = offset + length;
  }
}

function knownTypes(): string {
  return [...ggufTypes.values()].map(({ name }) => name).join(', ');
}
