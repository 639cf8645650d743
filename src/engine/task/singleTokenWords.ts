// The words that have to be single tokens, so that answers and the names in prompts are one token each.
import type { Tokenizer } from '../model/tokenizer.ts';
import { centuries, yearEndings } from './greaterThan.ts';
import { countries } from './lexicon/countries.ts';
import { colors, events, moods, objects, places, qualities } from './lexicon/fillers.ts';
import { firstNames, genderedNouns, pronounsOf } from './lexicon/names.ts';
import { nouns } from './lexicon/nouns.ts';
import { opinionAdjectives } from './lexicon/opinions.ts';
import { professions } from './lexicon/professions.ts';
import { agreementVerbs } from './lexicon/verbs.ts';
import type { WordFilter } from './textKind.ts';

/**
 * Tokens for years, in the order in which byte-pair merges have to be learned, before all other merges of digits:
 * " 1", then " 11" … " 19", then "00" … "99". In this order " 1732" always splits into " 17" and "32".
 */
export function yearTokens(): readonly string[] {
  return [' 1', ...centuries.map((century) => ` ${century}`), ...yearEndings];
}

/**
 * Words with their leading space, and after them the tokens of `yearTokens`. Each has to be one token, whatever the
 * tokenizer learns besides. No duplicates.
 */
export function singleTokenWords(): readonly string[] {
  const words = [
    ...firstNames.map((name) => name.text),
    ...genderedNouns.map((noun) => noun.text),
    ...[...places, ...objects, ...events].map((filler) => filler.text),
    ...nouns.flatMap((noun) => [noun.singular, noun.plural]),
    ...agreementVerbs.flatMap((verb) => [verb.singular, verb.plural]),
    ...Object.values(pronounsOf).flatMap((pronouns) => Object.values(pronouns)),
    ...countries.flatMap((country) => [country.text, country.capital]),
    ...professions.map((profession) => profession.text),
    ...Object.values(opinionAdjectives).flatMap((list) => list.map((adjective) => adjective.text)),
    ...colors,
    ...moods,
    ...qualities,
    'positive',
    'negative',
  ].map((word) => ` ${word}`);
  return [...new Set([...words, ...yearTokens()])];
}

/** Lets those words pass that are, with the space before them, one token of a model. */
export function singleTokenFilter(tokenizer: Tokenizer): WordFilter {
  const known = new Map<string, boolean>();
  return (word) => {
    const before = known.get(word);
    if (before !== undefined) return before;
    const fits = tokenizer.idOf(` ${word}`) !== undefined;
    known.set(word, fits);
    return fits;
  };
}

/**
 * Words of a vocabulary: tokens of two letters or more that begin with a space and are themselves when such a text is
 * encoded. In the order of their ids, without the space.
 */
export function vocabularyWords(tokenizer: Tokenizer): readonly string[] {
  const words: string[] = [];
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const text = tokenizer.tokenText(id);
    if (/^ [A-Za-z]{2,}$/.test(text) && tokenizer.idOf(text) === id) words.push(text.slice(1));
  }
  return words;
}
