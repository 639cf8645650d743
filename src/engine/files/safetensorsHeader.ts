/** Parses and checks the header of a safetensors file, so that everything behind it may trust offsets, shapes and names. */
import { malformed, shorten } from './fileErrors.ts';
import { parseJson } from './parseJson.ts';

/** Bytes per element of every dtype the format knows. */
export const bytesPerElement = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** A dtype as safetensors spells it. */
export type StoredDtype = keyof typeof bytesPerElement;

/** Where one tensor lies in its file. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation refuses longer headers too. */
export const maxHeaderBytes = 100_000_000;

const maxRank = 16;
/** Names that would reach an object's prototype when someone keys a record by tensor name. */
const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Checks the first eight bytes: the header's length in bytes.
 * @throws file.malformed when it cannot be right for a file of `fileSize` bytes.
 */
export function checkHeaderLength(path: string, length: bigint, fileSize: number): number {
  const room = fileSize - 8;
  if (length < 2n) throw malformed(path, 'header length', 'at least 2 bytes', length);
  if (length > BigInt(maxHeaderBytes)) {
    throw malformed(path, 'header length', `at most ${maxHeaderBytes} bytes`, length);
  }
  if (length > BigInt(room)) {
    throw malformed(path, 'header length', `at most the ${room} bytes that follow it in the file`, length);
  }
  return Number(length);
}

/**
 * Parses header text `bytes` of a file of `fileSize` bytes whose tensor data starts at `dataStart`.
 * The tensors must cover the data exactly: no overlap, no hole, nothing behind the last one.
 * @throws file.malformed naming the field.
 */
export function parseSafetensorsHeader(
  path: string,
  bytes: Uint8Array,
  dataStart: number,
  fileSize: number,
): SafetensorsHeader {
  const entries = Object.entries(parseObject(path, bytes));
  const tensors = new Map<string, StoredTensor>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, entry] of entries) {
    if (name === '__metadata__') {
      metadata = checkMetadata(path, entry);
      continue;
    }
    if (name === '' || forbiddenNames.has(name)) {
      throw malformed(path, 'tensor name', 'a name that is safe as a key', name);
    }
    tensors.set(name, checkTensor(path, name, entry, dataStart, fileSize));
  }
  checkCoverage(path, tensors, dataStart, fileSize);
  return { tensors, metadata };
}

function parseObject(path: string, bytes: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw malformed(path, 'header', 'JSON in UTF-8', shorten(reason));
  }
  if (!isRecord(parsed)) throw malformed(path, 'header', 'a JSON object', parsed);
  return parsed;
}

function checkMetadata(path: string, entry: unknown): Readonly<Record<string, string>> {
  if (!isRecord(entry)) throw malformed(path, '__metadata__', 'an object of texts', entry);
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') throw malformed(path, `__metadata__.${key}`, 'a text', value);
    if (forbiddenNames.has(key)) throw malformed(path, '__metadata__', 'keys that are safe as keys', key);
  }
  return entry as Record<string, string>;
}

function checkTensor(
  path: string,
  name: string,
  entry: unknown,
  dataStart: number,
  fileSize: number,
): StoredTensor {
  const at = shorten(name, 50);
  if (!isRecord(entry)) throw malformed(path, at, 'an object with dtype, shape and data_offsets', entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isStoredDtype(dtype)) {
    throw malformed(path, `${at}.dtype`, `one of ${Object.keys(bytesPerElement).join(', ')}`, dtype);
  }
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isCount)) {
    throw malformed(path, `${at}.shape`, `a list of at most ${maxRank} whole numbers ≥ 0`, shape);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw malformed(path, `${at}.data_offsets`, 'two whole numbers ≥ 0', offsets);
  }
  const [begin, end] = offsets as [number, number];
  const available = fileSize - dataStart;
  if (begin > end) throw malformed(path, `${at}.data_offsets`, 'a begin that is not behind the end', offsets);
  if (end > available) {
    throw malformed(path, `${at}.data_offsets`, `within the ${available} bytes of data in the file`, offsets);
  }
  const needed = shape.reduce((product: number, dim: number) => product * dim, bytesPerElement[dtype]);
  if (needed !== end - begin) {
    throw malformed(
      path,
      `${at}.data_offsets`,
      `${needed} bytes for shape [${shape.join(', ')}] of ${dtype}`,
      `${end - begin} bytes`,
    );
  }
  return { dtype, shape, offset: dataStart + begin, length: end - begin };
}

function checkCoverage(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  dataStart: number,
  fileSize: number,
): void {
  const byOffset = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length);
  let expected = dataStart;
  for (const [name, tensor] of byOffset) {
    if (tensor.offset !== expected) {
      const what = tensor.offset < expected ? 'an overlap with the tensor before it' : 'a gap before it';
      throw malformed(
        path,
        `${shorten(name, 50)}.data_offsets`,
        `a start at ${expected - dataStart}`,
        `${tensor.offset - dataStart} (${what})`,
      );
    }
    expected += tensor.length;
  }
  if (expected !== fileSize) {
    throw malformed(path, 'file size', `${expected} bytes`, `${fileSize} bytes`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStoredDtype(value: unknown): value is StoredDtype {
  return typeof value === 'string' && Object.hasOwn(bytesPerElement, value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
