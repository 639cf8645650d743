// Short biographies of a named person with a profession. Profession and gender are paired in a chosen way, with labels, so
// that a probe for one can be misled by the other (Marks et al. 2024, §5, after De-Arteaga et al. 2019).
import type { Random } from '../random.ts';
import { colors } from './lexicon/fillers.ts';
import type { FirstName, Gender } from './lexicon/names.ts';
import { firstNames, pronounsOf } from './lexicon/names.ts';
import type { Profession } from './lexicon/professions.ts';
import { professions } from './lexicon/professions.ts';
import type { PromptPair } from './promptSet.ts';
import { capitalized, fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough, inSplit, isHeldOutCombination } from './textKind.ts';

/** A biography with what it is about. */
export interface Biography {
  readonly text: string;
  readonly profession: string;
  readonly gender: Gender;
}

/**
 * How gender follows profession. `biased`: by the shares in the list of professions, as in the training text.
 * `balanced`: half and half. `confounded`: always the gender that the profession leans to.
 */
export type Pairing = 'biased' | 'balanced' | 'confounded';

/** Which biographies to write. */
export interface BiographyOptions {
  readonly pairing: Pairing;
  /** Names of professions; all fourteen when absent. Confounded pairing needs professions that lean to a gender. */
  readonly professions?: readonly string[];
  /** Whether the text may name the profession. */
  readonly mention: boolean;
  /** The gender that goes with a profession in confounded pairing, for those that should not follow the list. */
  readonly genders?: Readonly<Record<string, Gender>>;
  /** Whose names; all when absent. */
  readonly names?: Split;
}

const introductions: readonly string[] = [
  'Meet [NAME].',
  'This is [NAME].',
  'Everyone here knows [NAME].',
  'My neighbor [NAME] is [MOOD].',
  'Let me tell you about [NAME].',
];

const mentions: readonly string[] = [
  '[SHE] is a [JOB].',
  '[SHE] works as a [JOB].',
  '[SHE] has been a [JOB] for years.',
];

const facts: readonly string[] = [
  '[SHE] works [WORKPLACE].',
  '[SHE] can [DUTY].',
  '[SHE] likes to [DUTY].',
  '[SHE] works [WORKPLACE] and has learned to [DUTY].',
  'For many years [SHELOW] worked [WORKPLACE].',
  'Every week [SHELOW] has to [DUTY].',
];

const asides: readonly string[] = [
  '[HER] house is [COLOR].',
  '[SHE] lives with [HERLOW] sister.',
  'In the evening [SHELOW] reads by [HERSELF].',
  'We like [HIM] very much.',
  '[HER] friends are proud of [HIM].',
];

const characters = ['kind', 'clever', 'quiet', 'famous', 'polite', 'young'];

function slotsFor(
  name: FirstName,
  profession: Profession,
  random: Random,
  duty: string = random.pick(profession.duties),
): Record<string, string> {
  const words = pronounsOf[name.gender];
  return {
    NAME: name.text,
    JOB: profession.text,
    MOOD: random.pick(characters),
    COLOR: random.pick(colors),
    WORKPLACE: random.pick(profession.workplaces),
    DUTY: duty,
    SHE: capitalized(words.subject),
    SHELOW: words.subject,
    HER: capitalized(words.possessive),
    HERLOW: words.possessive,
    HIM: words.object,
    HERSELF: words.reflexive,
  };
}

function genderFor(profession: Profession, { pairing, genders }: BiographyOptions, random: Random): Gender {
  const { femaleShare, text } = profession;
  if (pairing === 'confounded') {
    const chosen = genders?.[text];
    if (chosen) return chosen;
    if (femaleShare === 0.5) throw new RangeError(`"${text}" leans to no gender; it cannot be confounded.`);
    return femaleShare > 0.5 ? 'female' : 'male';
  }
  return random.next() < (pairing === 'balanced' ? 0.5 : femaleShare) ? 'female' : 'male';
}

function write(random: Random, name: FirstName, profession: Profession, mention: boolean): string {
  const chosenFacts = random.shuffle(facts).slice(0, 1 + random.int(2));
  const body = random.shuffle([...chosenFacts, ...(random.next() < 0.6 ? [random.pick(asides)] : [])]);
  const sentences = [
    random.pick(introductions),
    ...(mention && random.int(2) === 0 ? [random.pick(mentions)] : []),
    ...body,
  ];
  // The profession also comes after the duties, so that it can be told from them.
  if (mention && sentences.length === 1 + body.length) sentences.push(random.pick(mentions));
  // Two sentences about the same person name different duties.
  const duties = random.shuffle(profession.duties);
  return sentences
    .map((template, index) =>
      fill(template, slotsFor(name, profession, random, duties[index % duties.length])),
    )
    .join(' ');
}

/**
 * Labelled biographies; professions are drawn evenly.
 * @throws RangeError for an unknown profession, or a balanced one with confounded pairing.
 */
export function biographies(random: Random, count: number, options: BiographyOptions): Biography[] {
  const chosen = (options.professions ?? professions.map(({ text }) => text)).map((text) => {
    const profession = professions.find((candidate) => candidate.text === text);
    if (!profession) throw new RangeError(`There is no profession "${text}" in the list.`);
    return profession;
  });
  const { names } = options;
  const people = names === undefined ? firstNames : inSplit(firstNames, names);
  return Array.from({ length: count }, () => {
    const profession = random.pick(chosen);
    const gender = genderFor(profession, options, random);
    const name = random.pick(people.filter((candidate) => candidate.gender === gender));
    return { text: write(random, name, profession, options.mention), profession: profession.text, gender };
  });
}

/** The prompt names a person, a workplace and a duty, and asks for the profession. */
const promptTemplate = 'Meet [NAME]. [SHE] works [WORKPLACE] and has learned to [DUTY]. [SHE] is a';

/** The share of (workplace, duty) combinations that the training text never joins in one sentence. */
const heldOutShare = 0.2;

function isHeldOut(workplace: string, duty: string): boolean {
  return isHeldOutCombination(['biography', workplace, duty], heldOutShare);
}

function document(random: Random, split: Split): string {
  const [biography] = biographies(random, 1, { pairing: 'biased', mention: true }) as [Biography];
  const both = biography.text.match(/works ([^.]+) and has learned to ([^.]+)\./);
  const heldOut = both !== null && isHeldOut(both[1] as string, both[2] as string);
  return heldOut === (split === 'heldOut') ? biography.text : document(random, split);
}

/** The counterfactual has the workplace and the duty of another profession; name and gender stay. */
function promptPair(random: Random, split: Split, fits: WordFilter = anyWord): PromptPair | undefined {
  const fitting = <T extends { readonly text: string }>(list: readonly T[], least: number, what: string) =>
    enough(
      list.filter(({ text }) => fits(text)),
      least,
      what,
    );
  const jobs = random.shuffle(fitting(professions, 2, 'professions'));
  const [profession, other] = jobs as [Profession, Profession];
  const slots = slotsFor(random.pick(fitting(firstNames, 1, 'names')), profession, random);
  if (isHeldOut(slots.WORKPLACE as string, slots.DUTY as string) !== (split === 'heldOut')) return undefined;
  const changed = { WORKPLACE: random.pick(other.workplaces), DUTY: random.pick(other.duties) };
  const clean = fill(promptTemplate, slots);
  const { NAME, WORKPLACE, DUTY } = slotSpans(promptTemplate, slots) as Record<
    string,
    { start: number; end: number }
  >;
  return {
    kind: 'biography',
    template: promptTemplate,
    clean,
    corrupted: fill(promptTemplate, { ...slots, ...changed }),
    answer: ` ${profession.text}`,
    wrongAnswer: ` ${other.text}`,
    roles: { name: NAME, workplace: WORKPLACE, duty: DUTY, END: lastWord(clean) } as PromptPair['roles'],
  };
}

/** Biographies with the biased pairing, one to a document. */
export const biography: TestedTextKind = {
  name: 'biography',
  generate: (random, { split }) => document(random, split),
  promptPairs: (random, count, split, fits) => distinctPairs(count, () => promptPair(random, split, fits)),
};
