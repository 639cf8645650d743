// The words that have to be single tokens, so that answers and the names in prompts are one token each.
import { centuries, yearEndings } from './greaterThan.ts';
import { countries } from './lexicon/countries.ts';
import { colors, events, moods, objects, places, qualities } from './lexicon/fillers.ts';
import { firstNames, genderedNouns, pronounsOf } from './lexicon/names.ts';
import { nouns } from './lexicon/nouns.ts';
import { opinionAdjectives } from './lexicon/opinions.ts';
import { professions } from './lexicon/professions.ts';
import { agreementVerbs } from './lexicon/verbs.ts';

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
