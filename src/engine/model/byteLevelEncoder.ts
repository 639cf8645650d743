/** The quick and exact way to encode for GPT-2-style tokenizers: word by word, with offsets from the bytes of each piece. */
import type { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { locateBytes, toByteCharacters, wordPattern } from './byteLevel.ts';
import type { Encoding } from './tokenizer.ts';
import type { TokenizerJson } from './tokenizerFile.ts';

/** Encodes `text` until `maxTokens` tokens are there or the text ends. */
export type ByteLevelEncoder = (text: string, maxTokens: number) => Encoding;

interface Word {
  readonly ids: readonly number[];
  /** Bytes of each piece. */
  readonly lengths: readonly number[];
}

const cachedWords = 50_000;
const cachedWordLength = 64;

/**
 * An encoder when the tokenizer is byte-level BPE that leaves the text as it is, else undefined.
 * `vocabulary[id]` holds the bytes of each token.
 */
export function byteLevelEncoder(
  library: LibraryTokenizer,
  json: TokenizerJson,
  vocabulary: readonly Uint8Array[],
): ByteLevelEncoder | undefined {
  if (!isPlainByteLevel(json)) return undefined;
  const words = wordEncoder(library, vocabulary);
  if (!words) return undefined;
  const special = specialTokens(json);
  return (text, maxTokens) => {
    const out: Growing = { ids: [], starts: [], ends: [] };
    let at = 0;
    for (const section of special(text)) {
      if (out.ids.length >= maxTokens) break;
      at = section.start;
      if (section.id !== undefined) {
        push(out, section.id, section.start, section.end);
        at = section.end;
        continue;
      }
      const piece = text.slice(section.start, section.end);
      for (const match of piece.matchAll(wordPattern())) {
        if (out.ids.length >= maxTokens) break;
        appendWord(out, match[0], section.start + match.index, words(match[0]));
        at = section.start + match.index + match[0].length;
      }
    }
    return finish(out, maxTokens, at);
  };
}

interface Growing {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

function push(out: Growing, id: number, start: number, end: number): void {
  out.ids.push(id);
  out.starts.push(start);
  out.ends.push(end);
}

function appendWord(out: Growing, text: string, origin: number, word: Word): void {
  if (word.ids.length === 1) {
    push(out, word.ids[0]!, origin, origin + text.length);
    return;
  }
  const { starts, ends } = locateBytes(text, origin);
  let at = 0;
  for (const [i, id] of word.ids.entries()) {
    const length = word.lengths[i]!;
    push(out, id, starts[at]!, ends[at + length - 1]!);
    at += length;
  }
}

function finish({ ids, starts, ends }: Growing, maxTokens: number, at: number): Encoding {
  const kept = Math.min(ids.length, maxTokens);
  return {
    ids: Int32Array.from(ids.slice(0, kept)),
    starts: Int32Array.from(starts.slice(0, kept)),
    ends: Int32Array.from(ends.slice(0, kept)),
    exact: true,
    encodedUpTo: kept < ids.length ? (ends[kept - 1] ?? 0) : at,
  };
}

/** Words to tokens with a memory, or undefined when some byte has no token of its own. */
function wordEncoder(
  library: LibraryTokenizer,
  vocabulary: readonly Uint8Array[],
): ((word: string) => Word) | undefined {
  const model = library.model!;
  const single = new Set(vocabulary.filter((bytes) => bytes.length === 1).map((bytes) => bytes[0]));
  if (single.size < 256) return undefined;
  const known = new Map<string, Word>();
  return (text) => {
    const cached = known.get(text);
    if (cached) return cached;
    const ids = model.encode([toByteCharacters(text)]).map((token) => model.tokens_to_ids.get(token)!);
    const word = { ids, lengths: ids.map((id) => vocabulary[id]!.length) };
    if (text.length <= cachedWordLength) {
      if (known.size >= cachedWords) known.clear();
      known.set(text, word);
    }
    return word;
  };
}

/** Byte-level BPE with GPT-2's word pattern and nothing that changes the text or moves the borders of words. */
function isPlainByteLevel({
  model,
  normalizer,
  pre_tokenizer: words,
  added_tokens: added,
}: TokenizerJson): boolean {
  if (model.type !== 'BPE' || normalizer !== null || words?.type !== 'ByteLevel') return false;
  if (words.add_prefix_space === true || words.use_regex === false) return false;
  if (model.continuing_subword_prefix || model.continuing_subword_suffix || model.end_of_word_suffix)
    return false;
  return !added.some((token) => token.lstrip || token.rstrip || token.single_word);
}

interface Section {
  readonly start: number;
  readonly end: number;
  /** Set when the section is an added token, written out. */
  readonly id?: number;
}

/** Splits a text at added tokens; of two that start at the same place the longer one counts. */
function specialTokens(json: TokenizerJson): (text: string) => Generator<Section> {
  const ids = new Map(json.added_tokens.map((token) => [token.content, token.id]));
  const contents = [...ids.keys()].sort((a, b) => b.length - a.length);
  const source = contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|');
  return function* (text) {
    let at = 0;
    if (source !== '') {
      for (const match of text.matchAll(new RegExp(source, 'g'))) {
        if (match.index > at) yield { start: at, end: match.index };
        at = match.index + match[0].length;
        yield { start: match.index, end: at, id: ids.get(match[0])! };
      }
    }
    if (at < text.length) yield { start: at, end: text.length };
  };
}
