// Random words said again in the same order, from which induction is learned: "List: red lamp Anna red lamp" — Anna.
import type { Random } from '../random.ts';
import { colors, events, moods, objects, places, qualities } from './lexicon/fillers.ts';
import { firstNames } from './lexicon/names.ts';
import { nouns } from './lexicon/nouns.ts';
import type { PromptPair } from './promptSet.ts';
import { wordsOf } from './promptSet.ts';
import type { TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough } from './textKind.ts';

const names = firstNames.map((name) => name.text);

const words: readonly string[] = [
  ...new Set([
    ...nouns.flatMap((noun) => [noun.singular, noun.plural]),
    ...[...places, ...objects, ...events].map((filler) => filler.text),
    ...colors,
    ...moods,
    ...qualities,
  ]),
];

const openers = ['List:', 'Again:', 'Words:', 'Say', 'Read this:', 'Remember'];

/** A word of an opener would occur once more than the sequence says it. */
const openerWords = new Set(openers.flatMap((opener) => opener.toLowerCase().match(/[a-z]+/g) ?? []));

/** What may be repeated: the words of a pool, or those of our own that fit; and how many. */
export interface RepetitionOptions {
  readonly pool?: readonly string[];
  readonly fits?: WordFilter;
  /** Words that are said once before they are said again; five to ten when left out. */
  readonly length?: number;
}

/** `length` different words: those of the pool, or only names, only other words, or both. */
function sequence(random: Random, length: number, options: RepetitionOptions = {}): string[] {
  const given = options.pool?.filter((word) => !openerWords.has(word.toLowerCase()));
  const own = given ?? random.pick([names, words, [...names, ...words]]);
  const pool = enough(own.filter(options.fits ?? anyWord), length, 'words');
  const chosen = new Set<string>();
  while (chosen.size < length) chosen.add(random.pick(pool));
  return [...chosen];
}

function document(random: Random): string {
  const length = 3 + random.int(10);
  const times = length < 6 ? 2 + random.int(2) : 2;
  const comma = random.next() < 0.3 ? ',' : '';
  const once = sequence(random, length);
  const all = Array.from({ length: times }, () => once).flat();
  return `${random.pick(openers)} ${all.join(`${comma} `)}${random.next() < 0.5 ? '.' : ''}`;
}

/** A repeat broken off before one of its words; in the counterfactual that word had changed places with another. */
function promptPair(random: Random, options: RepetitionOptions = {}): PromptPair {
  const once = sequence(random, options.length ?? 5 + random.int(6), options);
  const [target, other] = random.shuffle(once.map((_, index) => index).slice(2)) as [number, number];
  const swapped = once.map((word, index) => {
    if (index === target) return once[other] as string;
    return index === other ? (once[target] as string) : word;
  });
  // The repeated part stays as it was up to the earlier of the two, so only the first copy decides the answer.
  const position = Math.min(target, other);
  const again = once.slice(0, position);
  const opener = random.pick(openers);
  const text = (first: readonly string[]) => [opener, ...first, ...again].join(' ');
  const before = wordsOf(opener).length;
  const end = before + once.length + position;
  return {
    kind: 'repetition',
    template: `${opener} ${once.length} words, ${position} again`,
    clean: text(once),
    corrupted: text(swapped),
    answer: ` ${once[position]}`,
    wrongAnswer: ` ${swapped[position]}`,
    roles: {
      first: { start: before + position, end: before + position + 1 },
      beforeFirst: { start: before + position - 1, end: before + position },
      END: { start: end - 1, end },
    },
  };
}

/** Prompt pairs with a repeated sequence of at least four words; roles are first, beforeFirst and END. */
export function repetitionPairs(random: Random, count: number, options?: RepetitionOptions): PromptPair[] {
  return distinctPairs(count, () => promptPair(random, options));
}

/** Repeated sequences. The splits do not differ: a random sequence has practically never been seen before. */
export const repetition: TestedTextKind = {
  name: 'repetition',
  generate: (random) => document(random),
  promptPairs: (random, count, _split, fits) => repetitionPairs(random, count, { fits }),
};
