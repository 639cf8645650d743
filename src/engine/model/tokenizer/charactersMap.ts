/** SentencePiece's precompiled normalization: a table of texts and what replaces them, stored as a double-array trie. */
import { malformed } from '../../files/fileErrors.ts';
import { type AlignedText, AlignedWriter, placeEnd, placeStart } from './alignedText.ts';

const maxReplacement = 1024;
const remembered = 10_000;
/** Longer grapheme clusters are replaced character by character, as in the Rust implementation. */
const maxCluster = 6;

/**
 * A normalizer from the base64 text of `precompiled_charsmap`: the size of the trie in bytes, the trie's units of 32
 * bits (little-endian; darts-clone's format), and the replacements, each ended by a zero byte.
 * @throws file.malformed
 */
export function charactersMap(path: string, encoded: unknown): (source: AlignedText) => AlignedText {
  const field = 'normalizer.precompiled_charsmap';
  if (typeof encoded !== 'string') throw malformed(path, field, 'base64 text', encoded);
  const blob = Buffer.from(encoded, 'base64');
  if (blob.length === 0) return (source) => source;
  const size = blob.length >= 4 ? blob.readUInt32LE(0) : -1;
  if (size < 4 || size % 4 !== 0 || size + 4 > blob.length)
    throw malformed(path, field, 'a trie that fits into it', `a size of ${size} in ${blob.length} bytes`);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => blob.readUInt32LE(4 + 4 * i));
  const replacements = blob.subarray(4 + size);
  const known = new Map<string, string | undefined>();
  const find = (text: string): string | undefined => {
    if (known.has(text)) return known.get(text);
    const found = look(text);
    if (known.size < remembered) known.set(text, found);
    return found;
  };
  const look = (text: string): string | undefined => {
    const at = longestPrefix(units, encoder.encode(text));
    if (at === undefined || at >= replacements.length) return undefined;
    const end = replacements.indexOf(0, at);
    const bytes = replacements.subarray(at, end < 0 ? replacements.length : end);
    return bytes.length > maxReplacement ? undefined : bytes.toString('utf8');
  };
  return (source) => replaceGraphemes(source, find);
}

const encoder = new TextEncoder();

let graphemes: Intl.Segmenter | undefined;

/** Made on first use: it loads tables that few tokenizers need. */
function graphemesOf(text: string): Intl.Segments {
  graphemes ??= new Intl.Segmenter('und', { granularity: 'grapheme' });
  return graphemes.segment(text);
}

/**
 * The value of the shortest entry that is a prefix of `key`, as the Rust implementation takes it. A unit of the trie
 * holds an offset, a label, and whether it has a leaf; every step goes to another unit, so a damaged trie ends as well.
 */
function longestPrefix(units: Uint32Array, key: Uint8Array): number | undefined {
  let position = 0;
  let unit = units[0]!;
  position ^= offsetOf(unit);
  for (const byte of key) {
    if (byte === 0) return undefined;
    position ^= byte;
    unit = units[position] ?? 0;
    if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
    position ^= offsetOf(unit);
    if (((unit >>> 8) & 1) === 1) {
      const leaf = units[position];
      return leaf === undefined ? undefined : leaf & 0x7fffffff;
    }
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** The segmenter takes time proportional to the square of its text, so it is given stretches of about this length. */
const stretch = 256;

/** Two characters between which a grapheme cluster always ends: printable ASCII, kana or Han, the first also a mark. */
const apart =
  /^[\t\n\x20-\x7e\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\p{M}][\t\n\x20-\x7e\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]$/u;

function* clusters(text: string): Generator<{ segment: string; index: number }> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + stretch, text.length);
    while (to < text.length && !apart.test(text.slice(to - 1, to + 1))) to++;
    for (const { segment, index } of graphemesOf(text.slice(from, to)))
      yield { segment, index: from + index };
    from = to;
  }
}

function replaceGraphemes(source: AlignedText, find: (text: string) => string | undefined): AlignedText {
  const writer = new AlignedWriter();
  const replace = (text: string, from: number, other: string): void => {
    const [start, end] = [placeStart(source, from), placeEnd(source, from + text.length)];
    if (other === '') writer.extend(/^\p{M}/u.test(text) ? end : 0);
    else writer.write(other, start, end);
  };
  for (const { segment, index } of clusters(source.text)) {
    const short = encoder.encode(segment).length < maxCluster ? find(segment) : undefined;
    if (short !== undefined) {
      replace(segment, index, short);
      continue;
    }
    let at = index;
    for (const character of segment) {
      const other = find(character);
      if (other === undefined) writer.copy(source, at, at + character.length);
      else replace(character, at, other);
      at += character.length;
    }
  }
  return writer.done();
}
