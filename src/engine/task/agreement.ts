// Subject–verb agreement in four structures (Finlayson et al. 2021; Marks et al. 2024, §4): the counterfactual changes the
// number of the noun that the verb agrees with, and of nothing else.
import { type AgreementStructure, agreementStructures } from '../../shared/task.ts';
import type { Random } from '../random.ts';
import { nouns } from './lexicon/nouns.ts';
import type { VerbPair } from './lexicon/verbs.ts';
import type { GrammaticalNumber, NumberedNoun } from './predicate.ts';
import {
  complementOf,
  formOf,
  otherNumber,
  relativePredicate,
  relativeVerbsFor,
  verbsFor,
  verbsWithObject,
} from './predicate.ts';
import type { PromptPair } from './promptSet.ts';
import { capitalized, fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough, inSplit, isHeldOutCombination } from './textKind.ts';

const prepositions = ['near', 'behind', 'beside', 'by', 'next to', 'in front of', 'across from', 'close to'];

/** Prompts up to the verb. `N1` or `N2` agrees with it; `V1` is the verb of the relative clause. */
const prompts: Readonly<Record<AgreementStructure, string>> = {
  simple: 'The [N1]',
  nounpp: 'The [N1] [P] the [N2]',
  rc: 'The [N1] that the [N2] [V1]',
  within_rc: 'The [N1] that the [N2]',
};

/** The share of (noun, verb) combinations that simple sentences of the training text leave out. */
const heldOutShare = 0.15;

function isHeldOutSimple(subject: NumberedNoun, verb: VerbPair): boolean {
  return isHeldOutCombination(['agreement', subject.noun.singular, verb.singular], heldOutShare);
}

function randomNumber(random: Random): GrammaticalNumber {
  return random.pick(['singular', 'plural'] as const);
}

function drawNoun(
  random: Random,
  options: { split?: Split; animate?: boolean; not?: NumberedNoun; fits?: WordFilter },
): NumberedNoun {
  const pool = (options.split ? inSplit(nouns, options.split) : nouns).filter(
    (noun) =>
      noun !== options.not?.noun &&
      (!options.animate || noun.animate) &&
      inBothNumbers(noun, options.fits ?? anyWord),
  );
  return { noun: random.pick(enough(pool, 1, 'nouns')), number: randomNumber(random) };
}

function inBothNumbers(word: VerbPair, fits: WordFilter): boolean {
  return fits(word.singular) && fits(word.plural);
}

function wordOf(subject: NumberedNoun): string {
  return formOf(subject.noun, subject.number);
}

/** A main verb with its complement. */
function predicate(
  random: Random,
  subject: NumberedNoun,
  allowed: (verb: VerbPair) => boolean = () => true,
): string {
  const verb = random.pick(verbsFor(subject.noun).filter(allowed));
  return `${formOf(verb, subject.number)} ${complementOf(verb, subject, random)}`;
}

const singularDeterminers = ['The', 'The', 'The', 'The', 'This', 'That', 'Every', 'One', 'My', 'Our'];
const pluralDeterminers = ['The', 'The', 'The', 'The', 'These', 'Those', 'All', 'Many', 'My', 'Our'];

function simpleSentence(random: Random, split: Split): string {
  // Simple sentences use every noun, so that the number of the held-out ones is learned too.
  const subject = drawNoun(random, {});
  const determiner = random.pick(subject.number === 'singular' ? singularDeterminers : pluralDeterminers);
  const allowed = (verb: VerbPair) => isHeldOutSimple(subject, verb) === (split === 'heldOut');
  if (!verbsFor(subject.noun).some(allowed)) return simpleSentence(random, split);
  return `${determiner} ${wordOf(subject)} ${predicate(random, subject, allowed)}`;
}

function complexSentence(random: Random, split: Split): string {
  const n1 = drawNoun(random, { split });
  const base = { N1: wordOf(n1) };
  if (random.next() < 0.4) {
    const n2 = drawNoun(random, { split, not: n1 });
    const subject = fill(prompts.nounpp, { ...base, P: random.pick(prepositions), N2: wordOf(n2) });
    return `${subject} ${predicate(random, n1)}`;
  }
  const n2 = drawNoun(random, { split, animate: true, not: n1 });
  const subject = fill(prompts.rc, {
    ...base,
    N2: wordOf(n2),
    V1: relativePredicate(n2.number, n1.noun, random),
  });
  return `${subject} ${predicate(random, n1)}`;
}

const openers = [
  'I think that',
  'Today',
  'It seems that',
  'In the morning',
  'We know that',
  'As always,',
  'They say that',
];

function sentence(random: Random, split: Split): string {
  const plain = random.next() < 0.4 ? simpleSentence(random, split) : complexSentence(random, split);
  if (random.next() < 0.8) return `${plain}.`;
  return `${random.pick(openers)} ${plain.charAt(0).toLowerCase()}${plain.slice(1)}.`;
}

function promptPair(
  random: Random,
  split: Split,
  structure: AgreementStructure,
  fits: WordFilter = anyWord,
): PromptPair | undefined {
  const nounSplit = structure === 'simple' ? undefined : split;
  const n1 = drawNoun(random, { split: nounSplit, fits });
  const n2 = drawNoun(random, { split: nounSplit, animate: structure !== 'nounpp', not: n1, fits });
  const agreeing = structure === 'within_rc' ? n2 : n1;
  const pickVerb = (verbs: readonly VerbPair[]): VerbPair =>
    random.pick(
      enough(
        verbs.filter((verb) => inBothNumbers(verb, fits)),
        1,
        'verbs',
      ),
    );
  const verb = pickVerb(structure === 'within_rc' ? relativeVerbsFor(n1.noun) : verbsFor(n1.noun));
  if (structure === 'simple' && isHeldOutSimple(n1, verb) !== (split === 'heldOut')) return undefined;
  const slots = {
    N1: wordOf(n1),
    N2: wordOf(n2),
    P: random.pick(prepositions),
    V1: formOf(pickVerb(verbsWithObject(n1.noun)), n2.number),
  };
  const flipped = formOf(agreeing.noun, otherNumber(agreeing.number));
  const template = prompts[structure];
  const clean = fill(template, slots);
  return {
    kind: `agreement.${structure}`,
    // Prepositions have one to three words; means per template need words in equal places.
    template: template.replace('[P]', slots.P),
    clean,
    corrupted: fill(template, { ...slots, [structure === 'within_rc' ? 'N2' : 'N1']: flipped }),
    answer: ` ${formOf(verb, agreeing.number)}`,
    wrongAnswer: ` ${formOf(verb, otherNumber(agreeing.number))}`,
    roles: { ...slotSpans(template, slots), END: lastWord(clean) },
  };
}

/** Prompt pairs of one structure; roles are N1, N2, P, V1 (where the structure has them) and END. */
export function agreementPairs(
  random: Random,
  count: number,
  split: Split,
  structure: AgreementStructure,
  fits?: WordFilter,
): PromptPair[] {
  return distinctPairs(count, () => promptPair(random, split, structure, fits));
}

/** Sentences whose verbs agree with their subjects, one to three to a document. */
export const agreement: TestedTextKind = {
  name: 'agreement',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(3) }, () => capitalized(sentence(random, split))).join(' '),
  promptPairs: (random, count, split, fits) =>
    distinctPairs(count, () => promptPair(random, split, random.pick(agreementStructures), fits)),
};
