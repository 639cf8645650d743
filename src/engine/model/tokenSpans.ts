/** Finds which part of a text each token stands for, from the tokens' bytes. */
import { locateBytes } from './byteLevel.ts';

/** `[token]`: UTF-16 offsets into the text. */
export interface TokenSpans {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** False when the pieces' bytes are not the text's bytes, so that spans are a best alignment. */
  readonly exact: boolean;
}

/**
 * Spans of `pieces` (the bytes of each token, in order) in `text`. A piece that holds only a part of a character gets
 * the whole character's span, so neighbours may share it. Starts and ends never decrease, and together the spans
 * cover the text without a gap.
 */
export function tokenSpans(text: string, pieces: readonly Uint8Array[]): TokenSpans {
  const located = locateBytes(text);
  const exact = exactPlaces(located.bytes, pieces);
  const { from, to } = exact ?? alignedPlaces(located.bytes, pieces);
  const starts = from.map((byte) => located.starts[byte] ?? text.length);
  let end = 0;
  // An aligned piece can be empty within a character; then it shares that character.
  const ends = to.map((byte) => {
    end = Math.max(end, byte > 0 ? located.ends[byte - 1]! : 0);
    return end;
  });
  return { starts, ends, exact: exact !== undefined };
}

/** `[piece]`: the bytes of the text that a piece stands for. */
interface Places {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/** Piece after piece, or undefined unless the pieces spell out `bytes`. */
function exactPlaces(bytes: Uint8Array, pieces: readonly Uint8Array[]): Places | undefined {
  const from = new Int32Array(pieces.length);
  const to = new Int32Array(pieces.length);
  let at = 0;
  for (const [i, piece] of pieces.entries()) {
    if (!matches(bytes, at, piece)) return undefined;
    from[i] = at;
    at += piece.length;
    to[i] = at;
  }
  return at === bytes.length ? { from, to } : undefined;
}

/** How far ahead a piece is looked for when it does not stand where the one before it ended. */
const searchBytes = 256;

/**
 * A greedy alignment: each piece where its text next occurs. Text in between belongs to the pieces that were not found
 * there, all of which share it, or else to the piece before it.
 */
function alignedPlaces(bytes: Uint8Array, pieces: readonly Uint8Array[]): Places {
  const from = new Int32Array(pieces.length);
  const to = new Int32Array(pieces.length);
  let at = 0;
  let lost = 0;
  const close = (next: number, end: number) => {
    // `lost` pieces before `next` were not found; without any, the last found one reaches up to `end`.
    for (let i = Math.max(0, next - Math.max(1, lost)); i < next; i++) to[i] = end;
    lost = 0;
  };
  for (const [i, piece] of pieces.entries()) {
    const found = find(bytes, at, piece);
    from[i] = i === 0 ? 0 : (found?.from ?? at);
    if (found === undefined) {
      lost++;
      continue;
    }
    close(i, found.from);
    at = found.to;
    to[i] = at;
  }
  close(pieces.length, bytes.length);
  return { from, to };
}

function find(bytes: Uint8Array, at: number, piece: Uint8Array): { from: number; to: number } | undefined {
  // Some tokenizers put a space before the first word that the text does not have.
  const bare = piece[0] === 0x20 ? piece.subarray(1) : undefined;
  if (bare?.length && matches(bytes, at, bare, true)) return { from: at, to: at + bare.length };
  return search(bytes, at, piece) ?? (bare && search(bytes, at, bare));
}

function search(bytes: Uint8Array, at: number, piece: Uint8Array): { from: number; to: number } | undefined {
  if (piece.length === 0) return undefined;
  const last = Math.min(bytes.length - piece.length, at + searchBytes);
  for (let from = at; from <= last; from++) {
    if (matches(bytes, from, piece, true)) return { from, to: from + piece.length };
  }
  return undefined;
}

function matches(bytes: Uint8Array, at: number, piece: Uint8Array, ignoreCase = false): boolean {
  if (at + piece.length > bytes.length) return false;
  for (let i = 0; i < piece.length; i++) {
    const a = bytes[at + i]!;
    const b = piece[i]!;
    if (a !== b && !(ignoreCase && lower(a) === lower(b))) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
