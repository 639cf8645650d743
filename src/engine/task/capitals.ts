// Countries and their capitals: "The capital of France is" — Paris, and the other way round.
import type { Random } from '../random.ts';
import type { Country } from './lexicon/countries.ts';
import { countries } from './lexicon/countries.ts';
import { firstNames } from './lexicon/names.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind } from './textKind.ts';
import { distinctPairs, isHeldOutCombination } from './textKind.ts';

interface CapitalTemplate {
  /** Up to the answer; [GIVEN] is the country or the capital, [NAME] a first name. */
  readonly prompt: string;
  readonly asks: 'capital' | 'country';
  readonly rest: readonly string[];
}

const templates: readonly CapitalTemplate[] = [
  {
    prompt: 'The capital of [GIVEN] is',
    asks: 'capital',
    rest: ['.', ', as everyone knows.', ', a large city.'],
  },
  { prompt: 'In [GIVEN], the capital is', asks: 'capital', rest: ['.', ', an old city.'] },
  {
    prompt: 'Last year [NAME] flew to [GIVEN] and spent a week in',
    asks: 'capital',
    rest: ['.', ' with friends.'],
  },
  { prompt: 'The government of [GIVEN] sits in', asks: 'capital', rest: ['.', ', of course.'] },
  { prompt: 'If you go to [GIVEN], you must see', asks: 'capital', rest: ['.', ' in the spring.'] },
  { prompt: 'The largest museum of [GIVEN] is in', asks: 'capital', rest: ['.', ', near the river.'] },
  { prompt: 'The city of [GIVEN] is the capital of', asks: 'country', rest: ['.', ', as everyone knows.'] },
  {
    prompt: 'My friend [NAME] lives in [GIVEN], the capital of',
    asks: 'country',
    rest: ['.', ', with two cats.'],
  },
  { prompt: 'People who live in [GIVEN] have a passport from', asks: 'country', rest: ['.', ', as a rule.'] },
];

/** The share of (country, template) combinations that the training text leaves out. */
const heldOutShare = 0.2;

function isHeldOut(country: Country, template: CapitalTemplate): boolean {
  return isHeldOutCombination(['capital', country.text, template.prompt], heldOutShare);
}

function given(country: Country, template: CapitalTemplate): string {
  return template.asks === 'capital' ? country.text : country.capital;
}

function asked(country: Country, template: CapitalTemplate): string {
  return template.asks === 'capital' ? country.capital : country.text;
}

function sentence(random: Random, split: Split): string {
  const template = random.pick(templates);
  const country = random.pick(countries);
  if (isHeldOut(country, template) !== (split === 'heldOut')) return sentence(random, split);
  const slots = { GIVEN: given(country, template), NAME: random.pick(firstNames).text };
  return `${fill(template.prompt, slots)} ${asked(country, template)}${random.pick(template.rest)}`;
}

function promptPair(random: Random, split: Split): PromptPair | undefined {
  const template = random.pick(templates);
  const [country, other] = random.shuffle(countries) as [Country, Country];
  if (isHeldOut(country, template) !== (split === 'heldOut')) return undefined;
  const slots = { GIVEN: given(country, template), NAME: random.pick(firstNames).text };
  const clean = fill(template.prompt, slots);
  return {
    kind: `capitals.${template.asks}`,
    template: template.prompt,
    clean,
    corrupted: fill(template.prompt, { ...slots, GIVEN: given(other, template) }),
    answer: ` ${asked(country, template)}`,
    wrongAnswer: ` ${asked(other, template)}`,
    roles: { ...slotSpans(template.prompt, slots), END: lastWord(clean) },
  };
}

/** Facts about countries and capitals, one to three to a document. Every fact is in the training text in some template. */
export const capitals: TestedTextKind = {
  name: 'capitals',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(3) }, () => sentence(random, split)).join(' '),
  promptPairs: (random, count, split) => distinctPairs(count, () => promptPair(random, split)),
};
