// What a subject does: verb phrases that agree in number, for main clauses and for relative clauses.
import type { Random } from '../random.ts';
import { moods, objects, places, qualities } from './lexicon/fillers.ts';
import type { Noun } from './lexicon/nouns.ts';
import { nouns } from './lexicon/nouns.ts';
import type { VerbPair } from './lexicon/verbs.ts';
import {
  copulas,
  doVerb,
  have,
  intransitiveVerbs,
  linkingVerbs,
  perceptionVerbs,
  transitiveVerbs,
} from './lexicon/verbs.ts';
import { withArticle } from './template.ts';

export type GrammaticalNumber = 'singular' | 'plural';

/** A noun in a number: the words that stand in a sentence. */
export interface NumberedNoun {
  readonly noun: Noun;
  readonly number: GrammaticalNumber;
}

/** The form of a noun or verb for a number. */
export function formOf(word: VerbPair | Noun, number: GrammaticalNumber): string {
  return word[number];
}

/** The other number. */
export function otherNumber(number: GrammaticalNumber): GrammaticalNumber {
  return number === 'singular' ? 'plural' : 'singular';
}

/** Verbs a noun of this class can be the subject of in a main clause. */
export function verbsFor(noun: Noun): readonly VerbPair[] {
  return noun.animate ? animateVerbs : thingVerbs;
}

const thingVerbs: readonly VerbPair[] = [...copulas, have, doVerb, ...linkingVerbs];
const animateVerbs: readonly VerbPair[] = [...thingVerbs, ...intransitiveVerbs, ...transitiveVerbs];

/** Verbs with an object that fit this object. */
export function verbsWithObject(object: Noun): readonly VerbPair[] {
  return object.animate ? transitiveVerbs : perceptionVerbs;
}

/** Verbs that may follow "that the N2" in a relative clause about this object. */
export function relativeVerbsFor(object: Noun): readonly VerbPair[] {
  return [...verbsWithObject(object), ...copulas, have, doVerb];
}

/** Where something can be; the same for every subject. */
function whereabouts(random: Random): string {
  return random.pick([
    `in the ${random.pick(['garden', 'house', 'park', 'school', 'hotel', 'museum', 'library', 'farm'])}`,
    `near the ${random.pick(places).text}`,
    `at the ${random.pick(places).text}`,
    'outside',
    'here',
  ]);
}

/** The complement of a main verb, without the verb. */
export function complementOf(verb: VerbPair, subject: NumberedNoun, random: Random): string {
  if (copulas.includes(verb)) return random.next() < 0.7 ? property(subject, random) : whereabouts(random);
  if (linkingVerbs.includes(verb)) return property(subject, random);
  if (verb === have) return possession(subject, random);
  if (verb === doVerb) return refusal(subject, random);
  if (transitiveVerbs.includes(verb)) return objectPhrase(verb, random);
  return manner(verb, random);
}

function property({ noun }: NumberedNoun, random: Random): string {
  const adjective = random.pick(noun.animate ? moods : qualities);
  return random.pick([adjective, adjective, `very ${adjective}`, `so ${adjective}`]);
}

function possession({ noun }: NumberedNoun, random: Random): string {
  if (!noun.animate)
    return random.pick([
      'been here for years',
      'no owner',
      'a small problem',
      'been cleaned',
      'a long history',
    ]);
  return random.pick([
    withArticle(random.pick(objects).text),
    `a new ${random.pick(objects).text}`,
    'no time',
    'many friends',
    'been away',
  ]);
}

function refusal({ noun }: NumberedNoun, random: Random): string {
  if (!noun.animate) return random.pick(['not look good', 'not cost much', 'not belong here', 'not matter']);
  return random.pick([
    'not know why',
    'not want to go',
    'not like it',
    'not live here',
    'not care',
    'not understand',
  ]);
}

/** An object that fits the verb, in either number. */
function objectPhrase(verb: VerbPair, random: Random): string {
  const noun = random.pick(nouns.filter((candidate) => verbsWithObject(candidate).includes(verb)));
  return `the ${formOf(noun, random.pick(['singular', 'plural']))}`;
}

function manner(verb: VerbPair, random: Random): string {
  const place = random.pick(places).text;
  const byVerb: Readonly<Record<string, readonly string[]>> = {
    walk: [`to the ${place}`, 'home', 'slowly'],
    run: [`to the ${place}`, 'home', 'fast'],
    sleep: ['all day', `near the ${place}`, 'well'],
    sing: ['every morning', 'an old song', 'loudly'],
    work: [`at the ${place}`, 'all day', 'hard'],
    wait: [`at the ${place}`, 'for the train', 'for hours'],
    laugh: ['loudly', 'about it', 'every day'],
    smile: ['all the time', 'again', 'every morning'],
    live: [`near the ${place}`, 'in the old town', 'far away'],
    sit: [`near the ${place}`, 'by the fire', 'in the sun'],
  };
  return random.pick(byVerb[verb.plural] as readonly string[]);
}

const aboutAnything = {
  participles: 'seen known remembered loved'.split(' '),
  gerunds: ['watching', 'looking for', 'waiting for', 'talking about'],
  bare: 'like know trust remember'.split(' '),
  pasts: 'liked saw loved hated remembered'.split(' '),
};
const aboutAnimate = {
  participles: [...aboutAnything.participles, 'helped', 'met', 'followed'],
  gerunds: [...aboutAnything.gerunds, 'helping', 'following', 'calling', 'visiting'],
  bare: [...aboutAnything.bare, 'help', 'follow'],
  pasts: [...aboutAnything.pasts, 'helped', 'followed', 'visited'],
};

/** A verb phrase for "that the N2 …", whose object is `object`, the noun before "that". One to three words. */
export function relativePredicate(number: GrammaticalNumber, object: Noun, random: Random): string {
  const { participles, gerunds, bare, pasts } = object.animate ? aboutAnimate : aboutAnything;
  const draw = random.next();
  if (draw < 0.6) return formOf(random.pick(verbsWithObject(object)), number);
  if (draw < 0.7) return `${formOf(have, number)} ${random.pick(participles)}`;
  if (draw < 0.8) return `${formOf(random.pick(copulas), number)} ${random.pick(gerunds)}`;
  if (draw < 0.9) return `${formOf(doVerb, number)} not ${random.pick(bare)}`;
  return random.pick(pasts);
}
