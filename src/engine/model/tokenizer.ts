/** Turns text into a model's tokens and back, and knows to the UTF-16 unit which part of the text each token is. */
import { EngineError } from '../../shared/errors.ts';
import { malformed } from '../files/fileErrors.ts';
import { readableBytes, textOfBytes } from './byteLevel.ts';
import { bosRule } from './tokenizer/bosPolicy.ts';
import { type EncodeOptions, textEncoder } from './tokenizer/encodeText.ts';
import { mentions, readVocabulary } from './tokenizer/vocabulary.ts';
import {
  readTokenizerFiles,
  type TokenizerConfig,
  type TokenizerFiles,
  type TokenizerJson,
} from './tokenizerFile.ts';

/** Longer prompts are refused; shorter ones that exceed the context are cut by the engine, which says so. */
export const maxPromptCharacters = 1_000_000;

/** A text as tokens. `starts` and `ends` are UTF-16 offsets into the text, `[token]`. */
export interface Encoding {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** False when offsets are a best alignment; every tokenizer that can be loaded gives exact ones. */
  readonly exact: boolean;
  /** UTF-16 offset up to which the text was encoded: its length, unless `maxTokens` cut it short. */
  readonly encodedUpTo: number;
}

export interface Tokenizer {
  /** Ids run from 0 to `vocabSize − 1`. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Whether this tokenizer by itself puts the beginning-of-sequence token before a text. `encode` never adds it. */
  readonly bosPolicy: 'none' | 'prepended';
  /** Whether the id is a mark rather than text, such as `<|endoftext|>`. */
  isSpecial(id: number): boolean;
  /**
   * Encodes `text` without adding special tokens (those written out in it are recognised). Tokens that hold a part of
   * one character all get the whole character's span; starts and ends never decrease; the spans cover the text. A
   * space that the tokenizer puts before the text stands for nothing: when it is a token of its own, that is empty.
   * With `maxTokens`, encoding stops once that many tokens are there.
   * @throws prompt.tooLong above `maxPromptCharacters`.
   */
  encode(text: string, options?: { readonly maxTokens?: number }): Encoding;
  /** The text of `ids`; bytes that form no character become U+FFFD. Unknown ids give nothing. */
  decode(ids: ArrayLike<number>): string;
  /** One token as people read it; bytes that are no whole character are shown as `‹E2 98›`. */
  tokenText(id: number): string;
  /**
   * The id of `text` when that is a single token. The text is taken as it is, so that `idOf(tokenText(id))` is `id` but
   * for bytes and texts of two tokens: ` Mary` begins a word and `Mary` continues one. Tokenizers that begin every text with a space (Llama's kin) give
   * ` Mary` for `Mary` as well when no token continues a word that way.
   */
  idOf(text: string): number | undefined;
  /** The texts of the tokens of `text`. */
  pieces(text: string): readonly string[];
}

/**
 * Loads the tokenizer of the model in `folder`.
 * @throws tokenizer.missing, file.missing (no such folder), file.malformed.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  return buildTokenizer(await readTokenizerFiles(folder));
}

/**
 * The tokenizer that `files` describe, wherever they come from. Parts that Fovea does not know are refused rather than
 * left out, so that ids are never wrong.
 * @throws file.malformed
 */
export function buildTokenizer({ path, tokenizer, config }: TokenizerFiles): Tokenizer {
  try {
    return makeTokenizer(path, tokenizer, config);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw malformed(path, 'the tokenizer', 'one that the tokenizer library can build', reason);
  }
}

/** The id of `text`. @throws answer.notOneToken when it is not a single token. */
export function requireOneToken(tokenizer: Tokenizer, text: string): number {
  const id = tokenizer.idOf(text);
  if (id !== undefined) return id;
  const pieces = tokenizer.pieces(text).map((piece) => JSON.stringify(piece));
  const shown = pieces.length > 12 ? [...pieces.slice(0, 12), '…'] : pieces;
  throw new EngineError('answer.notOneToken', { text, pieces: shown.join(' + ') || 'empty' });
}

/** @throws prompt.tooLong */
export function checkPromptLength(text: string, limit = maxPromptCharacters): void {
  if (text.length > limit) throw new EngineError('prompt.tooLong', { characters: text.length, limit });
}

/** A surrogate without its partner; what has no UTF-8 is read as U+FFFD, as `TextEncoder` does. */
const loneSurrogates = /\p{Cs}/gu;

function makeTokenizer(path: string, json: TokenizerJson, config: TokenizerConfig): Tokenizer {
  const { bytes, find, named, special } = readVocabulary(json);
  const encodeText = textEncoder(path, json);
  const bos = bosRule(json, config, find);
  const encode = (text: string, options: EncodeOptions = {}): Encoding => {
    checkPromptLength(text);
    return encodeText(text.replace(loneSurrogates, '\ufffd'), options);
  };
  const tokenText = (id: number) => readableBytes(bytes[id] ?? new Uint8Array());
  const single = (text: string, literal: boolean): number | undefined => {
    const { ids } = encode(text, { maxTokens: 2, literal });
    return ids.length === 1 ? ids[0] : undefined;
  };
  const addsSpace = putsSpaceBefore(json);
  return {
    vocabSize: bytes.length,
    bosId: bos.id,
    eosId: (config.eos_token == null ? undefined : find(config.eos_token)) ?? find('<|endoftext|>'),
    bosPolicy: bos.prepends ? 'prepended' : 'none',
    isSpecial: (id) => special.has(id),
    encode: (text, options) => encode(text, { maxTokens: options?.maxTokens }),
    decode: (ids) => {
      const text = textOfBytes(concatenate(Array.from(ids, (id) => bytes[id] ?? new Uint8Array())));
      return addsSpace && text.startsWith(' ') ? text.slice(1) : text;
    },
    tokenText,
    idOf: (text) => {
      const literal = single(text, true);
      if (literal !== undefined && (!addsSpace || tokenText(literal) === text)) return literal;
      return named(text) ?? (addsSpace ? single(text, false) : undefined);
    },
    pieces: (text) => Array.from(encode(text).ids, tokenText),
  };
}

/** Whether the tokenizer puts a space before a text that has none. */
function putsSpaceBefore({ normalizer, pre_tokenizer }: TokenizerJson): boolean {
  if (mentions(normalizer, 'Prepend')) return true;
  const steps = pre_tokenizer === null ? [] : [pre_tokenizer, pre_tokenizer.pretokenizers].flat();
  return steps.some((step) => {
    const { type, prepend_scheme, add_prefix_space } = (step ?? {}) as Record<string, unknown>;
    if (type === 'ByteLevel') return add_prefix_space === true;
    if (type !== 'Metaspace') return false;
    return prepend_scheme === undefined ? add_prefix_space !== false : prepend_scheme !== 'never';
  });
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
