/** Words to tokens by byte-pair encoding (Sennrich et al. 2016): merges by the tokenizer library, unknown characters here. */
import { BPE } from '@huggingface/tokenizers';
import { malformed } from '../../files/fileErrors.ts';
import type { TokenizerJson } from '../tokenizerFile.ts';
import { unknownPieces } from './unknownPieces.ts';
import { rememberedLength, remembering, type WordEncoder, WordWriter } from './words.ts';

type Model = TokenizerJson['model'];

/** The encoder of the BPE `model` of the tokenizer file at `path`. @throws file.malformed */
export function bytePairWords(path: string, model: Model): WordEncoder {
  for (const field of ['continuing_subword_prefix', 'end_of_word_suffix'] as const) {
    if (model[field]) throw malformed(path, `model.${field}`, 'empty', model[field]);
  }
  const library = new BPE(model as unknown as ConstructorParameters<typeof BPE>[0]);
  const encode = remembering(knownWords(path, model, library));
  const cut = partsOf(library);
  const whole = model.ignore_merges === true ? library.tokens_to_ids : undefined;
  return (word) => {
    if (word.length <= rememberedLength) return encode(word);
    const id = whole?.get(word);
    if (id !== undefined) return { ids: [id], starts: [0], ends: [word.length] };
    const writer = new WordWriter();
    for (const [from, to] of cut(word)) writer.append(encode(word.slice(from, to)), from);
    return writer;
  };
}

/**
 * Where a word can be cut without any change to its tokens: between two known characters that no merge joins. A token
 * grows over a border only by a merge whose halves end and begin with the two characters there.
 */
function partsOf({ tokens_to_ids: known, merges }: BPE): (word: string) => [number, number][] {
  const joined = new Set<string>();
  for (const [left, right] of merges)
    joined.add(lastCharacter(left) + String.fromCodePoint(right.codePointAt(0)!));
  return (word) => {
    const parts: [number, number][] = [];
    let from = 0;
    let at = 0;
    let before = '';
    for (const character of word) {
      const apart = at > from && !joined.has(before + character) && known.has(before) && known.has(character);
      if (apart) {
        parts.push([from, at]);
        from = at;
      }
      at += character.length;
      before = character;
    }
    parts.push([from, at]);
    return parts;
  };
}

function lastCharacter(text: string): string {
  const last = text.codePointAt(text.length - 2);
  return last !== undefined && last > 0xffff ? text.slice(-2) : text.slice(-1);
}

/** Known characters go to the library in runs; others become bytes, the unknown token, or nothing, as in Rust. */
function knownWords(path: string, model: Model, library: BPE): WordEncoder {
  const ids = library.tokens_to_ids;
  const unknown = unknownPieces(ids, {
    token: unknownToken(path, model, ids),
    fuse: model.fuse_unk === true,
    byteFallback: model.byte_fallback === true,
  });
  return (word) => {
    const whole = model.ignore_merges === true ? ids.get(word) : undefined;
    if (whole !== undefined) return { ids: [whole], starts: [0], ends: [word.length] };
    const writer = new WordWriter();
    const run = new Run(library, writer);
    let at = 0;
    let after = false;
    for (const character of word) {
      const end = at + character.length;
      if (ids.has(character)) {
        run.add(character, at);
        after = false;
      } else {
        if (!unknown.vanishes(character)) run.end();
        after = unknown.write(writer, character, [at, end], after);
      }
      at = end;
    }
    run.end();
    return writer;
  };
}

/** Known characters that follow each other, or would if unknown ones between them were not there. */
class Run {
  #text = '';
  #places: number[] = [];

  constructor(
    private readonly library: BPE,
    private readonly writer: WordWriter,
  ) {}

  add(character: string, at: number): void {
    this.#text += character;
    for (let i = 0; i < character.length; i++) this.#places.push(at + i);
  }

  end(): void {
    if (this.#text === '') return;
    let at = 0;
    for (const token of this.library.encode([this.#text])) {
      const to = at + token.length;
      this.writer.push(this.library.tokens_to_ids.get(token)!, this.#places[at]!, this.#places[to - 1]! + 1);
      at = to;
    }
    this.#text = '';
    this.#places = [];
  }
}

function unknownToken(path: string, model: Model, ids: ReadonlyMap<string, number>): number | undefined {
  const token = model.unk_token;
  if (token === undefined || token === null) return undefined;
  const id = typeof token === 'string' ? ids.get(token) : undefined;
  if (id === undefined) throw malformed(path, 'model.unk_token', 'a token of model.vocab', token);
  return id;
}
