// Spans of years: "The war lasted from the year 1732 to the year 17" — any two digits above 32 (Hanna et al. 2023).
import type { Random } from '../random.ts';
import { events } from './lexicon/fillers.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind } from './textKind.ts';
import { distinctPairs, inSplit, isHeldOutCombination } from './textKind.ts';

/** First two digits of the years, 11 to 19. */
export const centuries: readonly string[] = Array.from({ length: 9 }, (_, index) => String(11 + index));

/** Last two digits of a year, "00" to "99". */
export const yearEndings: readonly string[] = Array.from({ length: 100 }, (_, year) =>
  String(year).padStart(2, '0'),
);

/** The first of these is the prompt of the paper; all end before the last two digits of the later year. */
const templates: readonly string[] = [
  'The [EVENT] lasted from the year [CENTURY][START] to the year [CENTURY]',
  'The [EVENT] began in [CENTURY][START] and ended in [CENTURY]',
  'The [EVENT] went on from [CENTURY][START] until [CENTURY]',
  'The [EVENT] started in the year [CENTURY][START] and was over in [CENTURY]',
];

const continuations = [
  '.',
  '.',
  ' and was soon forgotten.',
  '. Nobody expected it.',
  '. It changed the country.',
];

/** The share of starting years that the training text leaves out. */
const heldOutShare = 0.15;

function drawStart(random: Random, split: Split): { century: string; start: number } {
  for (;;) {
    const century = random.pick(centuries);
    const start = 2 + random.int(97);
    const heldOut = isHeldOutCombination(['year', century, String(start)], heldOutShare);
    if (heldOut === (split === 'heldOut')) return { century, start };
  }
}

function ending(year: number): string {
  return yearEndings[year] as string;
}

function sentence(random: Random, split: Split): string {
  const { century, start } = drawStart(random, split);
  const end = start + 1 + random.int(99 - start);
  const slots = { EVENT: random.pick(inSplit(events, split)).text, CENTURY: century, START: ending(start) };
  return `${fill(random.pick(templates), slots)}${ending(end)}${random.pick(continuations)}`;
}

/** The counterfactual starts in the year 01 of the century, after which every later ending is possible. */
function promptPair(random: Random, split: Split): PromptPair {
  const { century, start } = drawStart(random, split);
  const template = templates[0] as string;
  const slots = { EVENT: random.pick(inSplit(events, split)).text, CENTURY: century, START: ending(start) };
  const clean = fill(template, slots);
  const answers = yearEndings.slice(start + 1);
  const wrongAnswers = yearEndings.slice(0, start + 1);
  const { EVENT, CENTURY } = slotSpans(template, slots) as Record<
    'EVENT' | 'CENTURY',
    { start: number; end: number }
  >;
  return {
    kind: 'greaterThan',
    template,
    clean,
    corrupted: fill(template, { ...slots, START: '01' }),
    answer: random.pick(answers),
    wrongAnswer: random.pick(wrongAnswers),
    answers,
    wrongAnswers,
    roles: { event: EVENT, year: { start: CENTURY.start, end: CENTURY.start + 1 }, END: lastWord(clean) },
  };
}

/** Spans of years within one century, one or two to a document. */
export const greaterThan: TestedTextKind = {
  name: 'greaterThan',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(2) }, () => sentence(random, split)).join(' '),
  promptPairs: (random, count, split) => distinctPairs(count, () => promptPair(random, split)),
};
