/**
 * Trains a byte-level BPE vocabulary (Sennrich et al. 2016; bytes and word pattern as in GPT-2) and writes it in the
 * format of Hugging Face's fast tokenizers. Equal texts and options give equal files.
 */
import { join } from 'node:path';
import type { Progress } from '../../shared/domain.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { writeJson } from '../files/json.ts';
import { byteCharacters, toByteCharacters, wordPattern } from '../model/byteLevel.ts';

/** Stands at the beginning of every training text; it has id 0. */
export const endOfText = '<|endoftext|>';

export interface BpeOptions {
  /** Entries in all: the special token, 256 bytes, and one per merge. */
  readonly vocabSize: number;
  /** Words that must come out as one token each, usually with their leading space: `' Mary'`. */
  readonly singleTokens?: readonly string[];
  /**
   * Tokens learned before all others, in this order; each is an earlier token followed by another. Numbers get no
   * further merges when this is given, so that `[' 1', ' 17', '32']` keeps splitting ` 1732` into ` 17` and `32`.
   */
  readonly firstTokens?: readonly string[];
  readonly signal?: AbortSignal;
  readonly report?: (progress: Progress) => void;
}

export interface TrainedBpe {
  /** `tokens[id]` in the byte-level alphabet; `endOfText` first. */
  readonly tokens: readonly string[];
  /** In the order in which they apply. */
  readonly merges: readonly (readonly [string, string])[];
}

/**
 * Merges the most frequent pair until the vocabulary is full; among equals, the pair with the smaller ids. As much room
 * is kept free as `singleTokens` still need, and when only that is left, only pairs of theirs are merged.
 * @throws Error when a listed word is several words to the pre-tokenizer or a number that no first token makes, or the
 * vocabulary is too small for the list.
 */
export async function trainBpe(texts: Iterable<string>, options: BpeOptions): Promise<TrainedBpe> {
  const { vocabSize, singleTokens = [], firstTokens = [], signal, report } = options;
  const free = (word: string): boolean => firstTokens.length === 0 || !/^ ?\d+$/.test(word);
  const unmade = singleTokens.find((word) => !free(word) && word.length > 1 && !firstTokens.includes(word));
  if (unmade !== undefined)
    throw new Error(`the number ${JSON.stringify(unmade)} is not among the first tokens`);
  const words = wordsWithCounts(texts, singleTokens, signal).filter((word) => free(word.text));
  const pairs = new PairCounts(words);
  const required = words.filter((word) => word.required);
  const tokens = [endOfText, ...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  for (const text of firstTokens) {
    const [left, right] = splitByTokens(toByteCharacters(text), ids);
    merges.push([left, right]);
    const id = tokens.push(left + right) - 1;
    ids.set(left + right, id);
    pairs.merge(ids.get(left)!, ids.get(right)!, id);
  }
  while (tokens.length < vocabSize) {
    const missing = required.filter((word) => word.ids.length > 1);
    const needed = missing.reduce((sum, word) => sum + word.ids.length - 1, 0);
    const best = pairs.best(vocabSize - tokens.length > needed ? undefined : missing);
    if (!best) break;
    const [left, right] = best;
    merges.push([tokens[left]!, tokens[right]!]);
    // Two different pairs can spell the same token; it keeps its first id.
    const token = tokens[left]! + tokens[right]!;
    if (!ids.has(token)) ids.set(token, tokens.push(token) - 1);
    pairs.merge(left, right, ids.get(token)!);
    if (merges.length % 64 === 0) {
      report?.({ done: tokens.length, total: vocabSize, what: 'Training the tokenizer' });
      await new Promise((resolve) => setImmediate(resolve));
      throwIfCancelled(signal);
    }
  }
  const broken = required.filter((word) => word.ids.length > 1).map((word) => JSON.stringify(word.text));
  if (broken.length > 0) {
    throw new Error(
      `a vocabulary of ${vocabSize} has no room for ${broken.length} words: ${broken.slice(0, 10).join(', ')}`,
    );
  }
  return { tokens, merges };
}

/** `token` as two tokens that exist already, the first as long as can be. @throws Error when there are no such two. */
function splitByTokens(token: string, ids: ReadonlyMap<string, number>): readonly [string, string] {
  if (!ids.has(token)) {
    for (let at = token.length - 1; at > 0; at--) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      if (ids.has(left) && ids.has(right)) return [left, right];
    }
  }
  throw new Error(`${JSON.stringify(token)} is not two earlier tokens`);
}

/** Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into `folder`. */
export async function writeBpeTokenizer(
  folder: string,
  trained: TrainedBpe,
  { contextLength }: { readonly contextLength: number },
): Promise<void> {
  await writeJson(join(folder, 'tokenizer.json'), tokenizerJson(trained));
  const special = { bos_token: endOfText, eos_token: endOfText, unk_token: endOfText };
  await writeJson(join(folder, 'tokenizer_config.json'), {
    tokenizer_class: 'GPT2Tokenizer',
    ...special,
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    model_max_length: contextLength,
  });
  await writeJson(join(folder, 'special_tokens_map.json'), special);
}

function tokenizerJson({ tokens, merges }: TrainedBpe): unknown {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [{ id: 0, content: endOfText, ...plain, special: true }],
    normalizer: null,
    pre_tokenizer: { ...byteLevel, trim_offsets: true },
    post_processor: { ...byteLevel, trim_offsets: false },
    decoder: { ...byteLevel, trim_offsets: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
}

/** The 256 characters in the order of their code points, as Hugging Face's trainer sorts them. */
const alphabet = [...byteCharacters].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
const alphabetIds = new Map(alphabet.map((character, i) => [character, i + 1]));

interface Word {
  readonly text: string;
  readonly required: boolean;
  readonly count: number;
  /** The word's present pieces. */
  ids: number[];
}

function wordsWithCounts(
  texts: Iterable<string>,
  singleTokens: readonly string[],
  signal?: AbortSignal,
): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    throwIfCancelled(signal);
    for (const part of text.split(endOfText)) {
      for (const [word] of part.matchAll(wordPattern())) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  const required = new Set(singleTokens);
  for (const word of required) {
    if (word.match(wordPattern())?.length !== 1)
      throw new Error(`${JSON.stringify(word)} is not a single word`);
    counts.set(word, counts.get(word) ?? 1);
  }
  return [...counts].map(([text, count]) => {
    const ids = Array.from(toByteCharacters(text), (character) => alphabetIds.get(character)!);
    return { text, required: required.has(text), count, ids };
  });
}

/** Pairs of ids as one number: vocabularies stay below 2^20 entries. */
const shift = 2 ** 20;

/** How often each pair of neighbours occurs, kept up to date as pairs are merged. */
class PairCounts {
  private readonly counts = new Map<number, number>();
  private readonly places = new Map<number, Set<Word>>();
  /** Pairs merged so far, in order, with what they became. */
  private readonly done = new Map<number, number>();

  constructor(words: readonly Word[]) {
    for (const word of words) this.add(word, 1);
  }

  /** The most frequent pair, over all words or only among the pairs inside `within`. */
  best(within?: readonly Word[]): readonly [number, number] | undefined {
    let best = -1;
    let most = 0;
    const consider = (pair: number) => {
      const count = this.counts.get(pair) ?? 0;
      if (count > most || (count === most && pair < best)) {
        most = count;
        best = pair;
      }
    };
    if (within) for (const word of within) for (const pair of pairsOf(word.ids)) consider(pair);
    else for (const pair of this.counts.keys()) consider(pair);
    return best < 0 ? undefined : [Math.floor(best / shift), best % shift];
  }

  /** Replaces the pair by `merged` in every word that holds it. */
  merge(left: number, right: number, merged: number): void {
    const pair = left * shift + right;
    this.done.set(pair, merged);
    for (const word of [...(this.places.get(pair) ?? [])]) {
      this.add(word, -1);
      word.ids = this.settle(joined(word.ids, pair, merged));
      this.add(word, 1);
    }
  }

  /** A token that is spelt anew can bring back a pair merged before; encoding would join it at once, so this does. */
  private settle(ids: number[]): number[] {
    const present = new Set(pairsOf(ids));
    if (![...present].some((pair) => this.done.has(pair))) return ids;
    for (const [pair, merged] of this.done)
      if (present.has(pair)) return this.settle(joined(ids, pair, merged));
    return ids;
  }

  private add(word: Word, sign: 1 | -1): void {
    for (const pair of pairsOf(word.ids)) {
      const count = (this.counts.get(pair) ?? 0) + sign * word.count;
      if (count > 0) this.counts.set(pair, count);
      else this.counts.delete(pair);
      const places = this.places.get(pair) ?? new Set();
      this.places.set(pair, places);
      if (sign > 0) places.add(word);
      else places.delete(word);
    }
  }
}

function pairsOf(ids: readonly number[]): number[] {
  return ids.slice(1).map((id, i) => ids[i]! * shift + id);
}

function joined(ids: readonly number[], pair: number, merged: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (i + 1 < ids.length && ids[i]! * shift + ids[i + 1]! === pair) {
      out.push(merged);
      i++;
    } else out.push(ids[i]!);
  }
  return out;
}
