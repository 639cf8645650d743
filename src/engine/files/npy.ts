/** Parses the header of an array in NumPy's format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1.0 to 3.0. */
import { malformed } from './fileErrors.ts';
import type { StoredDtype } from './safetensorsHeader.ts';
import { checkedLength } from './tensorFile.ts';

export interface NpyHeader {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** The first index varies fastest, instead of the last. */
  readonly fortranOrder: boolean;
  readonly bigEndian: boolean;
  /** Bytes before the numbers. */
  readonly headerLength: number;
  /** Bytes of the numbers. */
  readonly length: number;
}

/** A header lies within as many bytes from the start of the array; real ones take 128. */
export const maxNpyHeader = 64 * 1024;

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const dtypes: ReadonlyMap<string, StoredDtype> = new Map([
  ['f2', 'F16'],
  ['f4', 'F32'],
  ['f8', 'F64'],
  ['i1', 'I8'],
  ['i2', 'I16'],
  ['i4', 'I32'],
  ['i8', 'I64'],
  ['u1', 'U8'],
  ['u2', 'U16'],
  ['u4', 'U32'],
  ['u8', 'U64'],
  ['b1', 'BOOL'],
]);

/**
 * The header at the start of `bytes`, of an array that `name` stands for in messages.
 * @throws file.malformed naming the field: no NumPy array, pickled objects, records, texts.
 */
export function parseNpyHeader(path: string, name: string, bytes: Uint8Array): NpyHeader {
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte)) {
    throw malformed(path, name, 'a NumPy array', 'other bytes');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(6);
  if (version < 1 || version > 3) throw malformed(path, `${name} version`, '1, 2 or 3', version);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start)
    throw malformed(path, `${name} header`, `${start} bytes`, `${bytes.length} bytes`);
  const headerLength = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (headerLength > Math.min(bytes.length, maxNpyHeader)) {
    throw malformed(path, `${name} header`, `at most ${maxNpyHeader} bytes that are there`, headerLength);
  }
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(
    bytes.subarray(start, headerLength),
  );
  const { descr, fortranOrder, shape } = parseFields(path, name, text);
  const dtype = dtypes.get(descr.slice(1));
  if (!dtype || !'<>|='.includes(descr[0]!)) {
    throw malformed(path, `${name} descr`, 'plain numbers such as <f4, <f2 or <i8', descr);
  }
  const length = checkedLength(path, `${name} shape`, shape, dtype);
  return { dtype, shape, fortranOrder, bigEndian: descr[0] === '>', headerLength, length };
}

interface NpyFields {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** The header is the text of a Python dictionary; only its three known keys, each once, in any order, are taken. */
function parseFields(path: string, name: string, text: string): NpyFields {
  const body = /^\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) throw malformed(path, `${name} header`, 'a dictionary', text);
  const found = new Map<string, string>();
  let rest = body.trim();
  while (rest !== '') {
    const field =
      /^'(descr|fortran_order|shape)'\s*:\s*('[^'\\]*'|True|False|\([\d\s,]*\))\s*(?:,\s*|$)/.exec(rest);
    if (!field || found.has(field[1]!)) {
      throw malformed(path, `${name} header`, "'descr', 'fortran_order' and 'shape', once each", rest);
    }
    found.set(field[1]!, field[2]!);
    rest = rest.slice(field[0].length);
  }
  const descr = found.get('descr');
  if (!descr || descr.length < 3 || !descr.startsWith("'")) {
    throw malformed(path, `${name} descr`, 'a dtype', descr);
  }
  const fortran = found.get('fortran_order');
  if (fortran !== 'True' && fortran !== 'False') {
    throw malformed(path, `${name} fortran_order`, 'True or False', fortran);
  }
  return {
    descr: descr.slice(1, -1),
    fortranOrder: fortran === 'True',
    shape: parseShape(path, name, found.get('shape')),
  };
}

/** `()`, `(3,)` or `(3, 4)` with or without a last comma. */
function parseShape(path: string, name: string, text: string | undefined): readonly number[] {
  const expected = 'a tuple of whole numbers';
  const inner = text && /^\(\s*((?:\d+\s*,\s*)*(?:\d+)?)\s*\)$/.exec(text)?.[1]?.trim();
  if (inner === undefined || /^\d+$/.test(inner)) throw malformed(path, `${name} shape`, expected, text);
  if (inner === '') return [];
  return inner.replace(/,$/, '').split(',').map(Number);
}
