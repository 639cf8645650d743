/** Turns text into a model's tokens and back, and knows to the UTF-16 unit which part of the text each token is. */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { EngineError } from '../../shared/errors.ts';
import { malformed } from '../files/fileErrors.ts';
import { fromByteCharacters, readableBytes, textOfBytes } from './byteLevel.ts';
import { byteLevelEncoder } from './byteLevelEncoder.ts';
import {
  type AddedToken,
  readTokenizerFiles,
  type TokenizerConfig,
  type TokenizerJson,
} from './tokenizerFile.ts';
import { tokenSpans } from './tokenSpans.ts';

/** Longer prompts are refused; shorter ones that exceed the context are cut by the engine, which says so. */
export const maxPromptCharacters = 1_000_000;

/** A text as tokens. `starts` and `ends` are UTF-16 offsets into the text, `[token]`. */
export interface Encoding {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** False when offsets are a best alignment, because the tokenizer changes the text before it splits it. */
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
  /**
   * Encodes `text` without adding special tokens (those written out in it are recognised). Tokens that hold a part of
   * one character all get the whole character's span; starts and ends never decrease; the spans cover the text.
   * With `maxTokens`, encoding stops once that many tokens are there.
   * @throws prompt.tooLong above `maxPromptCharacters`.
   */
  encode(text: string, options?: { readonly maxTokens?: number }): Encoding;
  /** The text of `ids`; bytes that form no character become U+FFFD. Unknown ids give nothing. */
  decode(ids: ArrayLike<number>): string;
  /** One token as people read it; bytes that are no whole character are shown as `‹E2 98›`. */
  tokenText(id: number): string;
  /** The id of `text` when that is a single token. */
  idOf(text: string): number | undefined;
  /** The texts of the tokens of `text`. */
  pieces(text: string): readonly string[];
}

/**
 * Loads the tokenizer of the model in `folder`.
 * @throws tokenizer.missing, file.missing (no such folder), file.malformed.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const { path, tokenizer, config } = await readTokenizerFiles(folder);
  try {
    // The library alters what it is given.
    const library = new LibraryTokenizer(structuredClone(tokenizer), { ...config });
    return makeTokenizer(library, tokenizer, config);
  } catch (error) {
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

function makeTokenizer(library: LibraryTokenizer, json: TokenizerJson, config: TokenizerConfig): Tokenizer {
  const vocabulary = tokenBytes(library, json);
  const fast = byteLevelEncoder(library, json, vocabulary);
  const find = (token: string | null | undefined) => (token == null ? undefined : library.token_to_id(token));
  const endOfText = find('<|endoftext|>');
  const bosId = find(config.bos_token) ?? endOfText;

  const encode: Tokenizer['encode'] = (text, { maxTokens = Number.POSITIVE_INFINITY } = {}) => {
    checkPromptLength(text);
    return fast ? fast(text, maxTokens) : encodeByLibrary(library, vocabulary, text, maxTokens);
  };
  const tokenText = (id: number) => readableBytes(vocabulary[id] ?? new Uint8Array());
  return {
    vocabSize: vocabulary.length,
    bosId,
    eosId: find(config.eos_token) ?? endOfText,
    bosPolicy: prependsBos(library, config, bosId) ? 'prepended' : 'none',
    encode,
    decode: (ids) => textOfBytes(concatenate(Array.from(ids, (id) => vocabulary[id] ?? new Uint8Array()))),
    tokenText,
    idOf: (text) => {
      const { ids } = encode(text, { maxTokens: 2 });
      return ids.length === 1 ? ids[0] : undefined;
    },
    pieces: (text) => Array.from(encode(text).ids, tokenText),
  };
}

/** The bytes that each id stands for, `[id]`; empty for ids without a token. */
function tokenBytes(library: LibraryTokenizer, json: TokenizerJson): readonly Uint8Array[] {
  const added = new Map(json.added_tokens.map((token: AddedToken) => [token.id, token.content]));
  const byteLevel = mentions(json.decoder, 'ByteLevel') || mentions(json.pre_tokenizer, 'ByteLevel');
  const encoder = new TextEncoder();
  const size = Math.max(-1, ...added.keys(), library.model!.vocab.length - 1) + 1;
  return Array.from({ length: size }, (_, id) => {
    const special = added.get(id);
    if (special !== undefined) return encoder.encode(special);
    const token = library.id_to_token(id) ?? '';
    return (byteLevel ? fromByteCharacters(token) : undefined) ?? encoder.encode(plainPiece(token));
  });
}

/** A piece of a vocabulary that is not byte-level, as text: SentencePiece's `▁` is a space, WordPiece's `##` nothing. */
function plainPiece(token: string): string {
  return token.startsWith('##') ? token.slice(2) : token.replaceAll('▁', ' ');
}

function mentions(part: unknown, type: string): boolean {
  if (typeof part !== 'object' || part === null) return false;
  if ((part as { type?: unknown }).type === type) return true;
  return Object.values(part).some(
    (inner) => Array.isArray(inner) && inner.some((item) => mentions(item, type)),
  );
}

function prependsBos(library: LibraryTokenizer, config: TokenizerConfig, bosId: number | undefined): boolean {
  if (bosId === undefined) return false;
  if (config.add_bos_token === true) return true;
  return library.encode('a').ids[0] === bosId;
}

function encodeByLibrary(
  library: LibraryTokenizer,
  vocabulary: readonly Uint8Array[],
  text: string,
  maxTokens: number,
): Encoding {
  const ids = library.encode(text, { add_special_tokens: false }).ids.filter((id) => id !== undefined);
  const { starts, ends, exact } = tokenSpans(
    text,
    ids.map((id) => vocabulary[id] ?? new Uint8Array()),
  );
  const kept = Math.min(ids.length, maxTokens);
  return {
    ids: Int32Array.from(ids.slice(0, kept)),
    starts: starts.slice(0, kept),
    ends: ends.slice(0, kept),
    exact,
    encodedUpTo: kept < ids.length ? (ends[kept - 1] ?? 0) : text.length,
  };
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
