// A little plain prose with varied syntax that joins the other kinds of text: every name, place, object and noun occurs
// here, also those held out elsewhere. No sentence has the shape of an indirect-object sentence: nobody whose name was said
// before does anything to another named person.
import type { Random } from '../random.ts';
import { colors, moods, objects, places, qualities } from './lexicon/fillers.ts';
import type { FirstName } from './lexicon/names.ts';
import { firstNames, pronounsOf } from './lexicon/names.ts';
import { nouns } from './lexicon/nouns.ts';
import { capitalized, fill, withArticle } from './template.ts';
import type { TextKind } from './textKind.ts';

const openings: readonly string[] = [
  'One [TIME], [A] went to the [PLACE] with [HER] friend [B].',
  'It was a [WEATHER] [TIME], and [A] was [MOOD].',
  'Last [DAY] [A] and [B] met at the [PLACE].',
  'There was once a [QUALITY] [PLACE] near the river. [A] lived there with [HER] [KIN].',
  'On [DAY], [A] walked to the [PLACE] alone.',
  '"Where is [A]?" asked [B]. Nobody knew.',
  'For three days [A] had been looking for [OBJECT].',
  'The [PLACE] was empty when [A] came in.',
  '[A] and [B] have been friends for many years.',
  'No one had told [A] about the [QUALITY] [PLACE].',
  'Behind the [PLACE] stood [THING], and in front of it stood [A].',
  'Every [TIME], [A] sits near the [PLACE] and reads.',
];

const middles: readonly string[] = [
  'There [SHE] saw [THING] and [OBJECT].',
  '[CSHE] talked to [B] for an hour.',
  '[CSHE] wanted to buy [OBJECT], but it was too expensive.',
  '"I like this [PLACE]," [SHE] said.',
  '"Have you seen my [OBJ]?" asked [A].',
  '[CSHE] listened to [B] and laughed.',
  'Suddenly [ANIMATES] came out of the [PLACE].',
  'Two [NOUNS] were there too, waiting near [THING].',
  'The [COLOR] [NOUN] was [QUALITY].',
  '[A] did not say anything.',
  'If it rains, [SHE] said, we can go to the [PLACE].',
  'While [B] was asleep, [A] cleaned the [PLACE].',
  '[CSHE] found [OBJECT] under [THING].',
  '[CHER] [KIN] was [MOOD] because the [PLACE] was closed.',
  'Nobody in the [PLACE] had ever been so [MOOD].',
  'A [MOODC] man sat next to [B] and drank tea.',
  'The [OBJ] was on the [NOUN], where [B] had left it.',
  '[CSHE] thought about [B] and smiled.',
  'It did not take long before [B] came back.',
  '[CSHE] was standing close to [B] and could hear every word.',
  'The [OBJ] belonged to [B], who was never on time.',
  'That was new to [B], of course.',
  'They ate bread, cheese and soup.',
  "[CSHE] couldn't find the [OBJ], and it wasn't in the [PLACE].",
];

const endings: readonly string[] = [
  'Then [SHE] went home.',
  'In the end, everyone was [MOOD].',
  'After that, [A] never came back to the [PLACE].',
  'It was a good [TIME].',
  '"Let us go home," said [B].',
  'And so [A] slept until the [TIME].',
  '[A] still remembers that [TIME].',
  'The next day it was [WEATHER] again.',
];

const kin = ['mother', 'sister', 'aunt', 'father', 'brother', 'uncle'];

const times = ['morning', 'evening', 'afternoon', 'night', 'winter', 'summer'];
const days = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ');
const weathers = 'warm cold rainy sunny windy foggy gray bright'.split(' ');

/** What stays the same through a story. */
interface Scene {
  readonly a: FirstName;
  readonly b: FirstName;
  readonly relative: string;
  readonly place: string;
  readonly object: string;
}

/** The scene stays the same; everything else is drawn anew for each sentence. */
function slotsFor(random: Random, { a, b, relative, place, object }: Scene): Record<string, string> {
  const words = pronounsOf[a.gender];
  const animate = random.pick(nouns.filter((noun) => noun.animate));
  const thing = random.pick(nouns.filter((noun) => !noun.animate));
  return {
    A: a.text,
    B: b.text,
    SHE: words.subject,
    CSHE: capitalized(words.subject),
    HER: words.possessive,
    CHER: capitalized(words.possessive),
    KIN: relative,
    PLACE: place,
    OBJ: object,
    OBJECT: withArticle(object),
    THING: withArticle(random.next() < 0.5 ? thing.singular : `${random.pick(qualities)} ${thing.singular}`),
    NOUN: thing.singular,
    NOUNS: animate.plural,
    ANIMATES: random.next() < 0.5 ? `the ${animate.plural}` : withArticle(animate.singular),
    COLOR: random.pick(colors),
    MOOD: random.pick(moods),
    MOODC: random.pick(moods.filter((mood) => !/^[aeiou]/.test(mood))),
    QUALITY: random.pick(qualities.filter((quality) => !/^[aeiou]/.test(quality))),
    WEATHER: random.pick(weathers),
    DAY: random.pick(days),
    TIME: random.pick(times),
  };
}

function document(random: Random): string {
  const [a, b] = random.shuffle(firstNames) as [FirstName, FirstName];
  const scene = {
    a,
    b,
    relative: random.pick(kin),
    place: random.pick(places).text,
    object: random.pick(objects).text,
  };
  const templates = [
    random.pick(openings),
    ...random.shuffle(middles).slice(0, 1 + random.int(2)),
    ...(random.next() < 0.6 ? [random.pick(endings)] : []),
  ];
  return templates.map((template) => fill(template, slotsFor(random, scene))).join(' ');
}

/** Stories of two to four sentences. Without a right answer, the splits do not differ. */
export const story: TextKind = {
  name: 'story',
  generate: (random) => document(random),
};
