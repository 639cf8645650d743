/** First step of the embedded model: its tokenizer, from the generator's own text. */

import type { CallOptions } from '../../../shared/engineApi.ts';
import { corpus } from '../../task/corpus.ts';
import { singleTokenWords, yearTokens } from '../../task/singleTokenWords.ts';
import { trainBpe, writeBpeTokenizer } from '../bpe.ts';
import type { MiniRecipe } from './recipe.ts';

/** Trains the byte-level BPE and writes its files into `folder`. */
export async function trainMiniTokenizer(
  folder: string,
  recipe: MiniRecipe,
  call: CallOptions,
): Promise<void> {
  const documents = take(corpus({ seed: `${recipe.seed}/tokenizer` }), recipe.tokenizerDocuments);
  const trained = await trainBpe(documents, {
    vocabSize: recipe.vocabSize,
    singleTokens: singleTokenWords(),
    firstTokens: yearTokens(),
    ...call,
  });
  await writeBpeTokenizer(folder, trained, { contextLength: recipe.shape.nContext });
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ >= count) return;
    yield item;
  }
}
