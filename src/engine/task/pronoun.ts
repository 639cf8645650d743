// Pronouns that follow the gender of a name: "Yesterday Mary stayed at home because" — she.
import type { Random } from '../random.ts';
import type { Filler } from './lexicon/fillers.ts';
import { objects, places } from './lexicon/fillers.ts';
import type { Gender } from './lexicon/names.ts';
import { firstNames, genderedNouns, pronounsOf } from './lexicon/names.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, slotSpans, withArticle } from './template.ts';
import type { Split, TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough, isHeldOutCombination } from './textKind.ts';

type Case = 'subject' | 'possessive' | 'object' | 'reflexive';

interface PronounTemplate {
  /** Up to the pronoun; [N] is the name. */
  readonly prompt: string;
  readonly form: Case;
  /** What may follow the pronoun. */
  readonly rest: readonly string[];
}

/** Templates of prompts; each begins with an opener, so that the name never opens a document. */
export const pronounTemplates: readonly PronounTemplate[] = [
  { prompt: '[N] stayed at home because', form: 'subject', rest: ['was tired', 'felt sick', 'had to work'] },
  { prompt: '[N] smiled when', form: 'subject', rest: ['saw the dog', 'heard the news', 'opened the door'] },
  {
    prompt: '[N] went to the [PLACE], where',
    form: 'subject',
    rest: ['met a friend', 'waited for an hour', 'bought [OBJECT]'],
  },
  { prompt: '[N] said that', form: 'subject', rest: ['was happy', 'wanted to go home', 'had lost [OBJECT]'] },
  {
    prompt: '[N] sat down after',
    form: 'subject',
    rest: ['had walked all day', 'came home', 'left the [PLACE]'],
  },
  {
    prompt: '[N] bought [OBJECT] before',
    form: 'subject',
    rest: ['left the [PLACE]', 'went home', 'met a friend'],
  },
  { prompt: '[N] forgot', form: 'possessive', rest: ['keys at the [PLACE]', 'coat again', 'lunch'] },
  { prompt: '[N] went for a walk with', form: 'possessive', rest: ['dog', 'mother', 'friends'] },
  { prompt: '[N] came to the [PLACE] with', form: 'possessive', rest: ['brother', 'sister', 'father'] },
  {
    prompt: '[N] asked us to help',
    form: 'object',
    rest: ['with the car', 'in the garden', 'find [OBJECT]'],
  },
  { prompt: '[N] waved when we saw', form: 'object', rest: ['at the [PLACE]', 'in the street', 'again'] },
  {
    prompt: '[N] looked in the mirror and saw',
    form: 'reflexive',
    rest: ['clearly', 'for the first time', 'smile'],
  },
  { prompt: '[N] fell down and hurt', form: 'reflexive', rest: ['badly', 'on the stairs', 'again'] },
];

const openers = [
  'Yesterday',
  'Last night',
  'This morning',
  'In the end',
  'That day',
  'On Monday',
  'As we all know,',
  'At noon',
];

/** The share of (name, template) combinations that the training text leaves out. */
const heldOutShare = 0.2;

interface Person {
  readonly text: string;
  readonly gender: Gender;
}

function isHeldOut(person: Person, template: PronounTemplate): boolean {
  return isHeldOutCombination(['pronoun', person.text, template.prompt], heldOutShare);
}

function fillers(random: Random, person: Person, fits: WordFilter = anyWord): Record<string, string> {
  const fitting = (list: readonly Filler[], what: string) =>
    enough(
      list.filter(({ text }) => fits(text)),
      1,
      what,
    );
  return {
    N: person.text,
    PLACE: random.pick(fitting(places, 'places')).text,
    OBJECT: withArticle(random.pick(fitting(objects, 'objects')).text),
  };
}

function sentence(random: Random, split: Split): string {
  const template = random.pick(pronounTemplates);
  const noun = random.next() < 0.25 ? random.pick(genderedNouns) : undefined;
  const person = noun ? { ...noun, text: `the ${noun.text}` } : random.pick(firstNames);
  if (!noun && isHeldOut(person, template) !== (split === 'heldOut')) return sentence(random, split);
  const slots = fillers(random, person);
  const opening = `${random.pick(openers)} ${fill(template.prompt, slots)}`;
  return `${opening} ${pronounsOf[person.gender][template.form]} ${fill(random.pick(template.rest), { ...slots, PLACE: random.pick(places).text })}.`;
}

function promptPair(random: Random, split: Split, fits: WordFilter = anyWord): PromptPair | undefined {
  const template = random.pick(pronounTemplates);
  const people = enough<Person>(
    firstNames.filter(({ text }) => fits(text)),
    2,
    'names',
  );
  const [person, other] = random.shuffle(people) as [Person, Person];
  if (person.gender === other.gender || isHeldOut(person, template) !== (split === 'heldOut'))
    return undefined;
  const whole = `${random.pick(openers)} ${template.prompt}`;
  const slots = fillers(random, person, fits);
  const clean = fill(whole, slots);
  return {
    kind: `pronoun.${template.form}`,
    template: whole,
    clean,
    corrupted: fill(whole, { ...slots, N: other.text }),
    answer: ` ${pronounsOf[person.gender][template.form]}`,
    wrongAnswer: ` ${pronounsOf[other.gender][template.form]}`,
    roles: { N: slotSpans(whole, slots).N as { start: number; end: number }, END: lastWord(clean) },
  };
}

/** Sentences with a person and a pronoun for that person, one to three to a document. */
export const pronoun: TestedTextKind = {
  name: 'pronoun',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(3) }, () => sentence(random, split)).join(' '),
  promptPairs: (random, count, split, fits) => distinctPairs(count, () => promptPair(random, split, fits)),
};
