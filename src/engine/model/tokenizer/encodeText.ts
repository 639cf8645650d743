/** From a text to tokens: added tokens, normalization, words, vocabulary; with the place of every token in the text. */
import type { Encoding } from '../tokenizer.ts';
import type { AddedToken, TokenizerJson } from '../tokenizerFile.ts';
import { addedTokenSplitter, type Section } from './addedTokens.ts';
import { type AlignedText, placeEnd, placeStart } from './alignedText.ts';
import { bytePairWords } from './bytePairWords.ts';
import { readNormalizer } from './normalizers.ts';
import { otherWords } from './otherWords.ts';
import { readPreTokenizer } from './preTokenizers.ts';
import { overBytes, remembering, type Word, type WordEncoder, WordWriter } from './words.ts';

export interface EncodeOptions {
  /** Tokens after which to stop. */
  readonly maxTokens?: number;
  /** Leaves out the space that some tokenizers put before a text. */
  readonly literal?: boolean;
}

/** Encodes a text of well-formed UTF-16. */
export type TextEncode = (text: string, options?: EncodeOptions) => Encoding;

/**
 * The encoder that the tokenizer file at `path` describes. What it does in which order is the Rust library's; the ids
 * of a word come from the JavaScript library's models.
 * @throws file.malformed
 */
export function textEncoder(path: string, json: TokenizerJson): TextEncode {
  const split = sectionSplitter(path, json);
  const { steps, byteLevel } = readPreTokenizer(path, json.pre_tokenizer);
  const words = wordEncoder(path, json.model, byteLevel);
  return (text, { maxTokens = Number.POSITIVE_INFINITY, literal = false } = {}) => {
    const out = new WordWriter();
    let complete = true;
    for (const section of split({ text, origin: 0 }, literal)) {
      complete &&= out.ids.length < maxTokens;
      if (!complete) break;
      if (section.id !== undefined) {
        out.push(section.id, placeStart(section.text, 0), placeEnd(section.text, section.text.text.length));
        continue;
      }
      const pieces = steps.reduce((all, step) => step(all, literal), [
        section.text,
      ] as readonly AlignedText[]);
      for (const piece of pieces) {
        complete &&= out.ids.length < maxTokens;
        if (!complete) break;
        place(out, piece, words(piece.text));
      }
    }
    complete &&= out.ids.length <= maxTokens;
    return finish(out, text.length, complete ? out.ids.length : maxTokens, complete);
  };
}

/** Added tokens that are found as they stand, then the normalized text with those that are found in it. */
function sectionSplitter(
  path: string,
  json: TokenizerJson,
): (source: AlignedText, literal: boolean) => Section[] {
  const normalizer = readNormalizer(path, json.normalizer);
  const kept = readNormalizer(path, json.normalizer, { literal: true });
  const normalize = (source: AlignedText, literal: boolean): AlignedText =>
    (literal ? kept : normalizer).reduce((text, step) => step(text), source);
  const tokens = json.added_tokens.map((token) => ({ token, written: token.content }));
  const isNormalized = (token: AddedToken) => token.normalized ?? !token.special;
  const inText = addedTokenSplitter(tokens.filter(({ token }) => !isNormalized(token)));
  const inNormalized = addedTokenSplitter(
    tokens
      .filter(({ token }) => isNormalized(token))
      .map(({ token, written }) => ({ token, written: normalize({ text: written, origin: 0 }, false).text })),
  );
  return (source, literal) =>
    inText(source).flatMap((section) =>
      section.id === undefined ? inNormalized(normalize(section.text, literal)) : section,
    );
}

function wordEncoder(path: string, model: TokenizerJson['model'], byteLevel: boolean): WordEncoder {
  if (model.type === 'BPE') {
    const encode = bytePairWords(path, model);
    return byteLevel ? remembering(overBytes(encode)) : encode;
  }
  const encode = otherWords(path, model);
  return remembering(byteLevel ? overBytes(encode) : encode);
}

function place(out: WordWriter, piece: AlignedText, { ids, starts, ends }: Word): void {
  for (let i = 0; i < ids.length; i++)
    out.push(ids[i]!, placeStart(piece, starts[i]!), placeEnd(piece, ends[i]!));
}

/**
 * Text that no token stands for (white space that a tokenizer drops, unknown characters it leaves out) goes to the
 * token after it, as the space before a word does elsewhere; at the end of the text it goes to the last token.
 */
function finish({ ids, starts, ends }: WordWriter, length: number, kept: number, whole: boolean): Encoding {
  const out = { starts: new Int32Array(kept), ends: new Int32Array(kept) };
  let [start, end] = [0, 0];
  for (let i = 0; i < kept; i++) {
    start = Math.max(start, Math.min(starts[i]!, end));
    end = Math.max(end, ends[i]!);
    out.starts[i] = start;
    out.ends[i] = end;
  }
  if (whole && kept > 0) out.ends[kept - 1] = length;
  const encodedUpTo = whole ? length : end;
  return { ids: Int32Array.from(ids.slice(0, kept)), ...out, exact: true, encodedUpTo };
}
