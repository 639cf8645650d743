// Spans of years: "The war lasted from the year 1732 to the year 17" — any two digits above 32 (Hanna et al. 2023).
import type { Random } from '../random.ts';
import { events } from './lexicon/fillers.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough, inSplit, isHeldOutCombination } from './textKind.ts';

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

/** What the answer says: the last two digits of the year, or the one after the century, for tokens of one digit. */
export type YearAnswer = 'year' | 'decade';

const digits = yearEndings.slice(0, 10).map((year) => year.slice(1));

/** Answers after a year that ends in `start`, and those before it. The starting decade itself may be either. */
function answersAfter(start: number, answer: YearAnswer): readonly [string[], string[]] {
  if (answer === 'year') return [yearEndings.slice(start + 1), yearEndings.slice(0, start + 1)];
  const decade = Math.floor(start / 10);
  return [digits.slice(decade + 1), digits.slice(0, decade)];
}

/** The counterfactual starts in the year 01 of the century, after which every later ending is possible. */
function promptPair(
  random: Random,
  split: Split,
  { fits = anyWord, answer = 'year' }: GreaterThanOptions = {},
): PromptPair | undefined {
  const { century, start } = drawStart(random, split);
  const template = templates[0] as string;
  const happenings = enough(
    inSplit(events, split).filter(({ text }) => fits(text)),
    1,
    'events',
  );
  const slots = { EVENT: random.pick(happenings).text, CENTURY: century, START: ending(start) };
  const clean = fill(template, slots);
  const [answers, wrongAnswers] = answersAfter(start, answer);
  if (answers.length === 0 || wrongAnswers.length === 0) return undefined;
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

/** Which events may be named, and how much of the year is asked for. */
export interface GreaterThanOptions {
  readonly fits?: WordFilter;
  readonly answer?: YearAnswer;
}

/** Prompt pairs that ask for a later year; roles are event, year and END. */
export function greaterThanPairs(
  random: Random,
  count: number,
  split: Split,
  options?: GreaterThanOptions,
): PromptPair[] {
  return distinctPairs(count, () => promptPair(random, split, options));
}

/** Spans of years within one century, one or two to a document. */
export const greaterThan: TestedTextKind = {
  name: 'greaterThan',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(2) }, () => sentence(random, split)).join(' '),
  promptPairs: (random, count, split, fits) => greaterThanPairs(random, count, split, { fits }),
};
