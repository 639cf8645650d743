/**
 * The byte-level alphabet and word splitting of GPT-2 (Radford et al. 2019): every byte has a printable character, so
 * that a vocabulary of texts can hold any bytes.
 */

/** `byteCharacters[b]` is the character that stands for byte b: printable Latin-1 as itself, the rest from U+0100 on. */
export const byteCharacters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
})();

const characterBytes = new Map(byteCharacters.map((character, byte) => [character.charCodeAt(0), byte]));
const encoder = new TextEncoder();

/**
 * GPT-2's pre-tokenization pattern. White space is Unicode's White_Space, as in the Rust tokenizers; JavaScript's `\s`
 * differs from it at U+0085 and U+FEFF. A fresh object each time, because matching moves its `lastIndex`.
 */
export function wordPattern(): RegExp {
  return /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
}

/** The UTF-8 bytes of `text` in the byte-level alphabet; unpaired surrogates become the bytes of U+FFFD. */
export function toByteCharacters(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += byteCharacters[byte]!;
  return out;
}

/** The bytes that a byte-level piece stands for, or undefined when a character is not of the alphabet. */
export function fromByteCharacters(piece: string): Uint8Array | undefined {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = characterBytes.get(piece.charCodeAt(i));
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** The UTF-8 bytes of a text, with the place in the text that each byte comes from. */
export interface LocatedBytes {
  readonly bytes: Uint8Array;
  /** `[byte]`: UTF-16 offset at which the character that the byte belongs to starts, and the one behind its end. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Encodes `text` and locates every byte; offsets count from `origin`. A surrogate without partner is a character. */
export function locateBytes(text: string, origin = 0): LocatedBytes {
  const bytes = encoder.encode(text);
  const starts = new Int32Array(bytes.length);
  const ends = new Int32Array(bytes.length);
  let at = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.codePointAt(i)!;
    const units = code > 0xffff ? 2 : 1;
    const count = utf8Length(code);
    starts.fill(origin + i, at, at + count);
    ends.fill(origin + i + units, at, at + count);
    at += count;
    i += units;
  }
  return { bytes, starts, ends };
}

function utf8Length(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  // An unpaired surrogate is written as U+FFFD, which also takes three bytes.
  return code < 0x10000 ? 3 : 4;
}

/** `bytes` as people read them: whole characters as text, stray bytes as hex between guillemets: `‹E2 98›`. */
export function readableBytes(bytes: Uint8Array): string {
  let out = '';
  let stray: string[] = [];
  const flush = () => {
    if (stray.length > 0) out += `‹${stray.join(' ')}›`;
    stray = [];
  };
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i);
    if (length === 0) {
      stray.push(bytes[i]!.toString(16).toUpperCase().padStart(2, '0'));
      i++;
      continue;
    }
    flush();
    out += lossless.decode(bytes.subarray(i, i + length));
    i += length;
  }
  flush();
  return out;
}

const lossless = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** `bytes` as text, with U+FFFD for bytes that are no whole character. */
export function textOfBytes(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** Length of the well-formed UTF-8 character at `i`; 0 when there is none. */
function characterLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  if (lead < 0x80) return 1;
  const length = sequenceLength(lead);
  if (length === 0 || i + length > bytes.length) return 0;
  try {
    lossless.decode(bytes.subarray(i, i + length));
    return length;
  } catch {
    return 0;
  }
}

function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}
