/** What a vocabulary makes of one word: its tokens, and which part of the word each of them is. */
import { locateBytes, toByteCharacters } from '../byteLevel.ts';

/** A word as tokens, with UTF-16 offsets into the word, `[token]`. Tokens of one character share its place. */
export interface Word {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

export type WordEncoder = (word: string) => Word;

/** Writes the tokens of a word one by one. */
export class WordWriter {
  readonly ids: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  push(id: number, start: number, end: number): void {
    this.ids.push(id);
    this.starts.push(start);
    this.ends.push(end);
  }

  /** Appends another word that starts at `offset` of this one. */
  append({ ids, starts, ends }: Word, offset: number): void {
    for (let i = 0; i < ids.length; i++) this.push(ids[i]!, starts[i]! + offset, ends[i]! + offset);
  }
}

const remembered = 50_000;

/** Longer words are not remembered, and cut into such parts where that changes nothing. */
export const rememberedLength = 64;

/** `encode` with a memory for short words. */
export function remembering(encode: WordEncoder): WordEncoder {
  const known = new Map<string, Word>();
  return (word) => {
    const before = known.get(word);
    if (before) return before;
    const found = encode(word);
    if (word.length <= rememberedLength) {
      if (known.size >= remembered) known.clear();
      known.set(word, found);
    }
    return found;
  };
}

/** An encoder of words for one of words in the byte-level alphabet. */
export function overBytes(encode: WordEncoder): WordEncoder {
  return (word) => {
    const inner = encode(toByteCharacters(word));
    if (inner.ids.length === 1) return { ids: inner.ids, starts: [0], ends: [word.length] };
    const { starts, ends } = locateBytes(word);
    return {
      ids: inner.ids,
      starts: inner.starts.map((byte) => starts[byte]!),
      ends: inner.ends.map((byte) => ends[byte - 1]!),
    };
  };
}
