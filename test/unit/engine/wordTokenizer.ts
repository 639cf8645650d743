/** A tokenizer for tests: words with their leading space, and single other characters, numbered in the order of a list. */
import type { Tokenizer } from '../../../src/engine/model/tokenizer.ts';

/** Every token of a text must be in `vocabulary`; `idOf` knows single tokens only. */
export function wordTokenizer(vocabulary: readonly string[]): Tokenizer {
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  const split = (text: string) => [...text.matchAll(/ ?\w+|[^\w]/gu)];
  const idOf = (token: string): number => {
    const id = ids.get(token);
    if (id === undefined) throw new Error(`The test's vocabulary lacks ${JSON.stringify(token)}.`);
    return id;
  };
  const pieces = (text: string) => split(text).map(([token]) => token);
  return {
    vocabSize: vocabulary.length,
    bosId: undefined,
    eosId: undefined,
    bosPolicy: 'none',
    isSpecial: () => false,
    encode: (text) => {
      const found = split(text);
      return {
        ids: Int32Array.from(found, ([token]) => idOf(token)),
        starts: Int32Array.from(found, ({ index }) => index),
        ends: Int32Array.from(found, ({ index, 0: token }) => index + token.length),
        exact: true,
        encodedUpTo: text.length,
      };
    },
    decode: (tokens) => Array.from(tokens, (id) => vocabulary[id] ?? '').join(''),
    tokenText: (id) => vocabulary[id] ?? '',
    idOf: (text) => (pieces(text).length === 1 ? ids.get(text) : undefined),
    pieces,
  };
}
