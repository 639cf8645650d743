/** The tokens of a tokenizer by id and by text, and the bytes that each stands for. */
import { fromByteCharacters, toByteCharacters } from '../byteLevel.ts';
import type { TokenizerJson } from '../tokenizerFile.ts';
import { byteOfToken } from './byteTokens.ts';

export interface Vocabulary {
  /** `[id]`: the bytes that the token stands for; empty for ids without a token. */
  readonly bytes: readonly Uint8Array[];
  /** The id of a token as the file writes it. */
  find(token: string): number | undefined;
  /** The id of the token that stands for a text, whether or not the text would be encoded as that. */
  named(text: string): number | undefined;
  /** Ids of tokens that are marks rather than text, such as `<|endoftext|>`. */
  readonly special: ReadonlySet<number>;
}

/** Reads the vocabulary and the added tokens of a tokenizer file. */
export function readVocabulary(json: TokenizerJson): Vocabulary {
  const { model } = json;
  const ids = new Map<string, number>(
    Array.isArray(model.vocab)
      ? model.vocab.map(([token]: [string, number], id: number): [string, number] => [token, id])
      : Object.entries(model.vocab as Record<string, number>),
  );
  const added = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  const byteLevel = [json.decoder, json.pre_tokenizer, json.normalizer].some((part) =>
    mentions(part, 'ByteLevel'),
  );
  const read = pieceReader(json.model, byteLevel);
  let size = 0;
  for (const id of [...ids.values(), ...added.values()]) size = Math.max(size, id + 1);
  const bytes = new Array<Uint8Array>(size).fill(new Uint8Array());
  for (const [token, id] of ids) bytes[id] = read(token);
  for (const [token, id] of added) bytes[id] = encoder.encode(token);
  return {
    bytes,
    find: (token) => added.get(token) ?? ids.get(token),
    named: (text) =>
      text === '' ? undefined : ids.get(byteLevel ? toByteCharacters(text) : text.replaceAll(' ', '▁')),
    special: new Set(json.added_tokens.filter(({ special }) => special).map(({ id }) => id)),
  };
}

const encoder = new TextEncoder();

/**
 * How pieces of a vocabulary are written: in the byte-level alphabet, with SentencePiece's `▁` for a space and `<0xE2>`
 * for a byte, or with WordPiece's mark before pieces that continue a word.
 */
function pieceReader(model: TokenizerJson['model'], byteLevel: boolean): (token: string) => Uint8Array {
  if (byteLevel) return (token) => fromByteCharacters(token) ?? encoder.encode(token);
  if (model.type === 'WordPiece') {
    const prefix =
      typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '##';
    const continues = (token: string) => token.startsWith(prefix) && token.length > prefix.length;
    return (token) => encoder.encode(continues(token) ? token.slice(prefix.length) : token);
  }
  return (token) => {
    const byte = model.byte_fallback === true ? byteOfToken(token) : undefined;
    return byte === undefined ? encoder.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(byte);
  };
}

/** Whether a part of a tokenizer file is, or has in a list of its own, a part of a type. */
export function mentions(part: unknown, type: string, depth = 0): boolean {
  if (typeof part !== 'object' || part === null || depth > 8) return false;
  if ((part as { type?: unknown }).type === type) return true;
  return Object.values(part).some(
    (inner) => Array.isArray(inner) && inner.some((item) => mentions(item, type, depth + 1)),
  );
}
