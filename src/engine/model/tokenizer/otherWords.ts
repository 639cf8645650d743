/** Words to tokens by WordPiece, Unigram and plain lookup: pieces by the tokenizer library, unknown ones as in Rust. */
import { Unigram, WordPiece } from '@huggingface/tokenizers';
import { malformed } from '../../files/fileErrors.ts';
import type { TokenizerJson } from '../tokenizerFile.ts';
import { unknownPieces } from './unknownPieces.ts';
import { type WordEncoder, WordWriter } from './words.ts';

type Model = TokenizerJson['model'];

/** The encoder of a model that is not BPE, of the tokenizer file at `path`. @throws file.malformed */
export function otherWords(path: string, model: Model): WordEncoder {
  if (model.type === 'WordPiece') return wordPieceWords(path, model);
  return model.type === 'Unigram' ? unigramWords(path, model) : wholeWords(model);
}

/** Longest-match-first pieces (Schuster & Nakajima 2012); a word with an unknown piece is unknown as a whole. */
function wordPieceWords(path: string, model: Model): WordEncoder {
  const prefix = model.continuing_subword_prefix ?? '##';
  if (typeof prefix !== 'string') throw malformed(path, 'model.continuing_subword_prefix', 'a text', prefix);
  const config = { ...model, continuing_subword_prefix: prefix };
  const library = new WordPiece(config as unknown as ConstructorParameters<typeof WordPiece>[0]);
  const ids = library.tokens_to_ids;
  const unknown = typeof model.unk_token === 'string' ? ids.get(model.unk_token) : undefined;
  if (unknown === undefined)
    throw malformed(path, 'model.unk_token', 'a token of model.vocab', model.unk_token);
  return (word) => {
    const writer = new WordWriter();
    const tokens = library.encode([word]);
    if (tokens.length === 1) {
      writer.push(ids.get(tokens[0]!) ?? unknown, 0, word.length);
      return writer;
    }
    let at = 0;
    for (const [i, token] of tokens.entries()) {
      const length = token.length - (i > 0 ? prefix.length : 0);
      writer.push(ids.get(token)!, at, at + length);
      at += length;
    }
    return writer;
  };
}

/** The most probable pieces (Kudo 2018). Unknown characters in a row are one unknown token, or their bytes. */
function unigramWords(path: string, model: Model): WordEncoder {
  const token = model.unk_id ?? undefined;
  const isToken = typeof token === 'number' && Object.hasOwn(model.vocab as object, token);
  if (token !== undefined && !isToken) throw malformed(path, 'model.unk_id', 'the id of a token', token);
  const config = model as unknown as ConstructorParameters<typeof Unigram>[0];
  const library = new Unigram(config, '');
  const ids = library.tokens_to_ids;
  const unknown = unknownPieces(ids, { token, fuse: true, byteFallback: model.byte_fallback === true });
  return (word) => {
    const writer = new WordWriter();
    let at = 0;
    let after = false;
    for (const piece of library.tokenize(word)) {
      const end = at + piece.length;
      const id = ids.get(piece);
      if (id === undefined) {
        after = unknown.write(writer, piece, [at, end], after);
      } else {
        writer.push(id, at, end);
        after = false;
      }
      at = end;
    }
    return writer;
  };
}

/** A word is a token or unknown. */
function wholeWords(model: Model): WordEncoder {
  const ids = new Map(Object.entries(model.vocab as Record<string, number>));
  const unknown = typeof model.unk_token === 'string' ? ids.get(model.unk_token) : undefined;
  return (word) => {
    const id = ids.get(word) ?? unknown;
    return id === undefined ? new WordWriter() : { ids: [id], starts: [0], ends: [word.length] };
  };
}
