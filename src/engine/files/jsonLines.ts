/** Reads `.jsonl` and `.jsonl.gz` files line by line, however long they are; damaged lines are told and passed over. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { throwIfCancelled } from '../../shared/errors.ts';
import { doubledKey } from './doubledKey.ts';
import { malformed, shorten } from './fileErrors.ts';
import { parseJson } from './parseJson.ts';
import { realFile, withFile } from './regularFile.ts';

export interface JsonLinesOptions {
  readonly signal?: AbortSignal;
  /** Bytes of one line; a longer one counts as damaged. */
  readonly maxLineBytes?: number;
  /** Bytes of all lines, inflated. */
  readonly maxBytes?: number;
  /** Inflated bytes for each byte of the file, once they are more than 64 MiB. */
  readonly maxRatio?: number;
  /** Looks for keys that a line has twice (`JsonLine.doubled`). */
  readonly findDoubled?: boolean;
}

/**
 * A line as parsed, or what is wrong with it. Lines count from 1; empty ones are left out. `doubled` is a key that an
 * object of the line has twice, looked for when it was asked for.
 */
export type JsonLine =
  | { readonly line: number; readonly value: unknown; readonly doubled?: string }
  | { readonly line: number; readonly problem: string };

const defaults = { maxLineBytes: 16 * 2 ** 20, maxBytes: 16 * 2 ** 30, maxRatio: 200 };

/** Small files may shrink more than a plausible ratio: repeated lines do. */
const alwaysPlausible = 64 * 2 ** 20;
const pieceBytes = 256 * 1024;
const newline = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The lines of the file at `path`, in order. Whether it is compressed is told by its content.
 * @throws file.missing, file.unreadable, file.malformed when it is no whole gzip file or inflates beyond its bounds;
 * cancelled.
 */
export async function* readJsonLines(path: string, options: JsonLinesOptions = {}): AsyncGenerator<JsonLine> {
  const limits = { ...defaults, ...options };
  const real = await realFile(path);
  // The generator may be left half-way: the file is opened in pieces so that nothing stays open then.
  const { size, stamp, compressed } = await withFile(real, async (file, size, stamp) => {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return { size, stamp, compressed: bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b };
  });
  const stored = pieces(real, size, stamp, limits.signal);
  const plausible = Math.max(alwaysPlausible, limits.maxRatio * size);
  const most = Math.min(limits.maxBytes, compressed ? plausible : limits.maxBytes);
  const lines = new LineCutter(limits.maxLineBytes, limits.findDoubled);
  let total = 0;
  for await (const piece of compressed ? inflated(real, stored) : stored) {
    throwIfCancelled(limits.signal);
    total += piece.length;
    if (total > most) throw malformed(real, 'inflated size', `at most ${most} bytes`, 'more');
    yield* lines.cut(piece);
  }
  const last = lines.end();
  if (last) yield last;
}

/** The lines of a text that is in memory, told as those of a file are. */
export function* jsonLinesOf(
  text: string,
  {
    maxLineBytes = defaults.maxLineBytes,
    findDoubled,
  }: Pick<JsonLinesOptions, 'maxLineBytes' | 'findDoubled'> = {},
): Generator<JsonLine> {
  const lines = new LineCutter(maxLineBytes, findDoubled);
  yield* lines.cut(new TextEncoder().encode(text));
  const last = lines.end();
  if (last) yield last;
}

async function* pieces(
  path: string,
  size: number,
  stamp: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; ) {
    throwIfCancelled(signal);
    const at = offset;
    const piece = await withFile(path, (file) => readPiece(path, file, at, size), stamp);
    offset += piece.length;
    yield piece;
  }
}

async function readPiece(path: string, file: FileHandle, offset: number, size: number): Promise<Uint8Array> {
  const wanted = Math.min(pieceBytes, size - offset);
  const { bytesRead, buffer } = await file.read(new Uint8Array(wanted), 0, wanted, offset);
  if (bytesRead === 0) throw malformed(path, 'file size', `${size} bytes`, `${offset} bytes`);
  return buffer.subarray(0, bytesRead);
}

async function* inflated(path: string, stored: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  // Faults of either end arrive at the loop below; the promise only has to be taken note of.
  const done = pipeline(Readable.from(stored, { objectMode: false }), gunzip).catch(() => undefined);
  try {
    for await (const piece of gunzip as AsyncIterable<Uint8Array>) yield piece;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
    if (!code.startsWith('Z_')) throw error;
    throw malformed(path, 'gzip data', 'a whole gzip file', shorten((error as Error).message));
  } finally {
    gunzip.destroy();
    await done;
  }
}

/** Cuts a stream of bytes at newlines, and keeps no more than one line of the allowed length. */
class LineCutter {
  readonly #maxLineBytes: number;
  readonly #findDoubled: boolean;
  #kept: Uint8Array[] = [];
  #length = 0;
  #line = 1;

  constructor(maxLineBytes: number, findDoubled = false) {
    this.#maxLineBytes = maxLineBytes;
    this.#findDoubled = findDoubled;
  }

  /** The lines that end in `piece`. */
  cut(piece: Uint8Array): readonly JsonLine[] {
    const lines: JsonLine[] = [];
    let start = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      this.#keep(piece.subarray(start, end));
      const line = this.end();
      if (line) lines.push(line);
      start = end + 1;
    }
    this.#keep(piece.subarray(start));
    return lines;
  }

  /** What was kept since the last newline, as a line; undefined for an empty one. */
  end(): JsonLine | undefined {
    const line = this.#line;
    this.#line += 1;
    if (this.#length === 0) return undefined;
    const [kept, length] = [this.#kept, this.#length];
    this.#kept = [];
    this.#length = 0;
    if (length > this.#maxLineBytes) {
      return { line, problem: `is longer than ${this.#maxLineBytes} bytes` };
    }
    return parseLine(line, kept.length === 1 ? kept[0]! : Buffer.concat(kept), this.#findDoubled);
  }

  #keep(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > this.#maxLineBytes) this.#kept = [];
    else if (bytes.length > 0) this.#kept.push(bytes);
  }
}

function parseLine(line: number, bytes: Uint8Array, findDoubled: boolean): JsonLine | undefined {
  const wide = wideEncoding(bytes);
  if (wide) return { line, problem: `is text in ${wide}, and has to be in UTF-8` };
  try {
    const text = utf8.decode(bytes).trim();
    if (text === '') return undefined;
    const value = parseJson(text);
    const doubled = findDoubled ? doubledKey(text) : undefined;
    return { line, value, ...(doubled !== undefined && { doubled }) };
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is no text in UTF-8';
    if (hasLoneReturns(bytes)) {
      return {
        line,
        problem: 'has carriage returns alone where lines should end; save the file with LF or CRLF',
      };
    }
    return { line, problem: `is no JSON: ${shorten(reason)}` };
  }
}

/**
 * What text of two bytes a character is in: JSON in UTF-8 has no zero bytes. Lines are cut at the byte 0x0a, so those
 * after the first begin in the middle of a character when the low byte comes first.
 */
function wideEncoding(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16';
  const start = bytes.subarray(0, 64);
  const zeros = start.reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0);
  return zeros > 0 && zeros >= (start.length - 1) / 2 - 1 ? 'UTF-16' : undefined;
}

/** Line ends of old Macs: the whole file is one line. */
function hasLoneReturns(bytes: Uint8Array): boolean {
  const at = bytes.indexOf(0x0d);
  return at >= 0 && at < bytes.length - 1;
}
