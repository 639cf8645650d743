/**
 * The baseline that knows words instead of features: a classifier that sees only how close a text's mean activation is
 * to the directions of some words about the two professions (concept-bottleneck probe, Marks et al. 2024, §4.1, after
 * Yan et al. 2023).
 */

import type { HookName } from '../../../shared/domain.ts';
import type { Transformer } from '../../model/transformer.ts';
import { professions } from '../../task/lexicon/professions.ts';
import type { TextTokens } from './biographySets.ts';
import { pooledActivations, type Rows } from './pooledActivations.ts';

/** Words of each profession, at most. */
const wordsPerProfession = 10;

/** Shorter words are articles and prepositions. */
const shortestWord = 4;

const fillers = new Set([
  'with',
  'from',
  'over',
  'after',
  'about',
  'before',
  'every',
  'into',
  'beside',
  'behind',
]);

/** The word for each profession and the longest words of its workplaces and duties, without those of both. */
export function conceptWords(chosen: readonly [string, string]): readonly string[] {
  const lists = chosen.map((text) => {
    const profession = professions.find((candidate) => candidate.text === text);
    const phrases = profession ? [...profession.workplaces, ...profession.duties] : [];
    return [...new Set(phrases.flatMap((phrase) => phrase.split(' ')))].filter(
      (word) => word.length >= shortestWord && !fillers.has(word),
    );
  });
  return lists.flatMap((words, i) => {
    const own = words.filter((word) => !lists[1 - i]!.includes(word));
    return [chosen[i]!, ...own].slice(0, wordsPerProfession);
  });
}

/** The activation at the last token of each word, standing alone: `[word, width]`. */
export async function conceptDirections(
  model: Transformer,
  { tokenizer, bos }: TextTokens,
  {
    words,
    hook,
    signal,
  }: { readonly words: readonly string[]; readonly hook: HookName; readonly signal?: AbortSignal },
): Promise<Rows> {
  const texts = words.map((word) => {
    const { ids } = tokenizer.encode(` ${word}`);
    return bos === undefined ? ids : Int32Array.of(bos, ...ids);
  });
  let found: Rows | undefined;
  for (const [i, tokens] of texts.entries()) {
    // With all positions but the last left out, the mean is that position.
    const row = await pooledActivations(model, { texts: [tokens], hook, before: tokens.length - 1, signal });
    found ??= { data: new Float32Array(texts.length * row.width), width: row.width };
    found.data.set(row.data, i * row.width);
  }
  return found ?? { data: new Float32Array(0), width: 0 };
}

/** Cosines of each row with each direction, both seen from `centre` `[width]`: `[row, direction]`. */
export function cosines(rows: Rows, directions: Rows, centre: Float32Array): Rows {
  const unit = ({ data, width }: Rows): Float32Array => {
    const result = data.map((x, i) => x - centre[i % width]!);
    for (let start = 0; start < result.length; start += width) {
      const row = result.subarray(start, start + width);
      const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0)) || 1;
      for (let i = 0; i < width; i++) row[i]! /= norm;
    }
    return result;
  };
  const { width } = rows;
  const [a, b] = [unit(rows), unit(directions)];
  const count = b.length / width;
  const data = new Float32Array((a.length / width) * count);
  for (let at = 0; at < data.length; at++) {
    const [row, column] = [Math.floor(at / count) * width, (at % count) * width];
    for (let i = 0; i < width; i++) data[at]! += a[row + i]! * b[column + i]!;
  }
  return { data, width: count };
}

/** The mean row. */
export function meanRow({ data, width }: Rows): Float32Array {
  const mean = new Float64Array(width);
  const count = data.length / width;
  data.forEach((x, i) => {
    mean[i % width]! += x / count;
  });
  return Float32Array.from(mean);
}
