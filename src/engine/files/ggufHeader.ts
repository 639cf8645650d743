/**
 * Parses the header of a GGUF file: metadata and where tensors lie
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Counts and lengths are checked against the bytes that
 * are there before anything is made of that size. The public reader of this format takes bytes behind the end of a
 * file for zeros, shortens texts at its buffer's end and keys objects by names from the file, hence this one.
 */
import { malformed, shorten } from './fileErrors.ts';

/** Texts, numbers (64-bit ones that are not exact stay bigint), flags, and lists of them. */
export type GgufValue =
  | string
  | number
  | bigint
  | boolean
  | Float64Array
  | readonly string[]
  | readonly GgufValue[];

/** A tensor as the header states it, unchecked. */
export interface RawGgufTensor {
  readonly name: string;
  /** Fastest axis first, as the file has it. */
  readonly dims: readonly number[];
  readonly type: number;
  /** Bytes from the start of the tensor data. */
  readonly offset: number;
}

export interface RawGguf {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly RawGgufTensor[];
  /** Where the header ends; tensor data starts at the next multiple of the alignment. */
  readonly end: number;
}

/** Thrown when `bytes` end before the header does, though the file goes on. */
export class HeaderGoesOn extends Error {}

const maxRank = 4;
const maxDepth = 3;
/** Values of all lists together: the largest vocabularies with their merges stay far below it. */
const maxListed = 16_000_000;

const numberTypes: Readonly<
  Record<number, { readonly bytes: number; read(view: DataView, at: number): number | bigint }>
> = {
  0: { bytes: 1, read: (view, at) => view.getUint8(at) },
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  10: { bytes: 8, read: (view, at) => plainNumber(view.getBigUint64(at, true)) },
  11: { bytes: 8, read: (view, at) => plainNumber(view.getBigInt64(at, true)) },
  12: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};
const [boolType, textType, listType] = [7, 8, 9];

/**
 * Parses the header from the first `bytes` of a file of `fileSize` bytes.
 * @throws HeaderGoesOn when more bytes are needed and there; file.malformed naming the field.
 */
export function parseGgufHeader(path: string, bytes: Uint8Array, fileSize: number): RawGguf {
  const cursor = new Cursor(path, bytes, fileSize);
  cursor.field = 'the first four bytes';
  const magic = new TextDecoder('latin1').decode(cursor.take(4));
  if (magic !== 'GGUF') throw malformed(path, cursor.field, 'GGUF', magic);
  cursor.field = 'version';
  const version = cursor.number(4) as number;
  if (version > 0 && (version & 0xffff) === 0)
    throw malformed(path, 'byte order', 'little-endian', 'big-endian');
  if (version !== 2 && version !== 3) throw malformed(path, 'version', '2 or 3', version);
  // A tensor takes at least 24 bytes of header, an entry of metadata at least 13.
  const tensorCount = cursor.count('tensor count', 24);
  const entryCount = cursor.count('metadata count', 13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryCount; i++) readEntry(cursor, i, metadata);
  const tensors: RawGgufTensor[] = [];
  for (let i = 0; i < tensorCount; i++) tensors.push(readTensor(cursor, i));
  return { metadata, tensors, end: cursor.at };
}

function readEntry(cursor: Cursor, i: number, metadata: Map<string, GgufValue>): void {
  cursor.field = `metadata[${i}]`;
  const key = cursor.text();
  if (key === '') throw cursor.fault('a name', key);
  cursor.field = shorten(key, 60);
  if (metadata.has(key)) throw cursor.fault('a key of its own', key);
  metadata.set(key, readValue(cursor, cursor.number(4) as number, 0));
}

function readTensor(cursor: Cursor, i: number): RawGgufTensor {
  cursor.field = `tensors[${i}]`;
  const name = cursor.text();
  if (name === '') throw cursor.fault('a name', name);
  cursor.field = shorten(name, 50);
  const rank = cursor.number(4) as number;
  if (rank > maxRank) throw cursor.fault(`at most ${maxRank} dimensions`, rank);
  const dims = Array.from({ length: rank }, () => cursor.safe('a dimension'));
  const type = cursor.number(4) as number;
  return { name, dims, type, offset: cursor.safe('an offset') };
}

function readValue(cursor: Cursor, type: number, depth: number): GgufValue {
  if (type === textType) return cursor.text();
  if (type === boolType) return cursor.take(1)[0] !== 0;
  if (type === listType) return readList(cursor, depth);
  return cursor.number(type);
}

function readList(cursor: Cursor, depth: number): GgufValue {
  if (depth >= maxDepth) throw cursor.fault(`lists at most ${maxDepth} deep`, 'deeper ones');
  const type = cursor.number(4) as number;
  const bytes = type === boolType ? 1 : (numberTypes[type]?.bytes ?? (type === textType ? 8 : 12));
  const count = cursor.count(cursor.field, bytes);
  cursor.listed += count;
  if (cursor.listed > maxListed) throw cursor.fault(`lists of at most ${maxListed} values in all`, 'more');
  if (type === textType) return Array.from({ length: count }, () => cursor.text());
  if (type === listType) return Array.from({ length: count }, () => readList(cursor, depth + 1));
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = Number(readValue(cursor, type, depth));
  return numbers;
}

/** Walks through the bytes and never past them. */
class Cursor {
  at = 0;
  /** What is being read, for messages. */
  field = '';
  /** Values of all lists so far. */
  listed = 0;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder();

  constructor(
    readonly path: string,
    readonly bytes: Uint8Array,
    readonly fileSize: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fault(expected: string, found: unknown): Error {
    return malformed(this.path, this.field, expected, found);
  }

  take(length: number): Uint8Array {
    this.#need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A number of the type with id `type`. */
  number(type: number): number | bigint {
    const reader = numberTypes[type];
    if (!reader) throw this.fault('a type of GGUF, an id from 0 to 12', type);
    this.#need(reader.bytes);
    this.at += reader.bytes;
    return reader.read(this.#view, this.at - reader.bytes);
  }

  /** An unsigned 64-bit number that is exact as a `number`. */
  safe(what: string): number {
    const found = this.number(10);
    if (typeof found === 'number') return found;
    throw this.fault(`${what} below 2^53`, found);
  }

  /** A number of things of at least `bytes` each, which have to fit into the rest of the file. */
  count(what: string, bytes: number): number {
    this.field = what;
    const found = this.number(10);
    const most = Math.floor((this.fileSize - this.at) / bytes);
    if (found > most) throw malformed(this.path, what, `at most ${most} in what is left of the file`, found);
    return Number(found);
  }

  text(): string {
    const length = this.number(10);
    const left = this.fileSize - this.at;
    if (length > left) throw this.fault(`a text within the ${left} bytes that are left`, `${length} bytes`);
    return this.#decoder.decode(this.take(Number(length)));
  }

  #need(length: number): void {
    if (this.at + length <= this.bytes.length) return;
    if (this.at + length <= this.fileSize) throw new HeaderGoesOn();
    throw this.fault(`${length} bytes`, `the end of the file after ${this.fileSize - this.at} bytes`);
  }
}

function plainNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
