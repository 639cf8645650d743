// What a kind of training text offers: documents to learn from and, where it has a right answer, prompts to be tested with.
import type { Random } from '../random.ts';
import { seededRandom } from '../random.ts';
import type { PromptPair } from './promptSet.ts';

/** `train` is what the model learns from; `heldOut` uses the words and combinations that `train` leaves out. */
export type Split = 'train' | 'heldOut';

/** Which words a prompt may use, told by the word without its leading space. */
export type WordFilter = (word: string) => boolean;

/** No word is left out. */
export const anyWord: WordFilter = () => true;

/** One kind of text. */
export interface TextKind {
  readonly name: string;
  /** One document: one to four short sentences, without a separator at its end. */
  generate(random: Random, options: { readonly split: Split }): string;
}

/** A kind of text with a right answer. */
export interface TestedTextKind extends TextKind {
  /** `count` different prompt pairs, whose names, fillers and answers are words that `fits` allows. */
  promptPairs(random: Random, count: number, split: Split, fits?: WordFilter): PromptPair[];
}

/** The elements a split may use, by their `heldOut` mark. */
export function inSplit<T extends { readonly heldOut: boolean }>(list: readonly T[], split: Split): T[] {
  return list.filter((element) => element.heldOut === (split === 'heldOut'));
}

/**
 * The list, when it has enough elements for a prompt.
 * @throws RangeError otherwise, which names `what` is lacking.
 */
export function enough<T>(list: readonly T[], least: number, what: string): readonly T[] {
  if (list.length >= least) return list;
  throw new RangeError(`Of the ${what} only ${list.length} can be used, and a prompt needs ${least}.`);
}

/**
 * Whether a combination of words is kept out of the training text although its words are not.
 * Depends on the words alone, so every corpus and every evaluation agrees on it.
 * @param share the share of combinations held out, in [0, 1].
 */
export function isHeldOutCombination(parts: readonly string[], share: number): boolean {
  return seededRandom(parts.join('|')).next() < share;
}

const triesPerPair = 400;

/**
 * Draws pairs until `count` different ones are there.
 * @throws Error when they cannot be found, because the kind has too few combinations.
 */
export function distinctPairs(count: number, draw: () => PromptPair | undefined): PromptPair[] {
  const found = new Map<string, PromptPair>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > count * triesPerPair)
      throw new Error(`Only ${found.size} of ${count} different prompt pairs were found.`);
    const pair = draw();
    if (pair) found.set([pair.clean, pair.corrupted, pair.answer, pair.wrongAnswer].join('|'), pair);
  }
  return [...found.values()];
}
