// Two named people, one of whom does something with the other: "Eva and Karen were at the lake. Karen waved at" — Eva.
// Nobody gives anything to anybody here. Every name occurs, also those held out of indirect-object sentences: from this a
// model learns that any name can be taken from context, so that the held-out ones are new to giving, not to being named.
import type { Random } from '../random.ts';
import { moods, objects, places } from './lexicon/fillers.ts';
import { firstNames } from './lexicon/names.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, withArticle } from './template.ts';
import type { Split, TestedTextKind } from './textKind.ts';
import { distinctPairs } from './textKind.ts';

/** [A] and [B] are introduced; [S] is one of them, and what follows [V] is the other. */
const prompts: readonly string[] = [
  'When [A] and [B] were at the [PLACE], [S] [V]',
  '[A] and [B] were at the [PLACE]. [S] [V]',
  'After [A] and [B] had lunch, [S] [V]',
  'While [A] and [B] were looking for [OBJECT], [S] [V]',
  'Then, [A] and [B] talked for an hour, and afterwards [S] [V]',
  '[A] met [B] near the [PLACE]. Soon [S] [V]',
  'The friends [A] and [B] lived near the [PLACE]. [S] often [V]',
  '[A] was [MOOD], and [B] was [MOOD2]. [S] [V]',
  'Last night [A] and [B] sat in the [PLACE] until [S] [V]',
  '[A] saw [B] in the street. After a while [S] [V]',
];

const verbs: readonly string[] = [
  ...'called thanked hugged followed helped watched heard trusted missed surprised visited remembered'.split(
    ' ',
  ),
  ...'waved at,smiled at,looked at,laughed at,waited for,cooked for,worked for'.split(','),
  ...'laughed with,sang with,argued with,agreed with,danced with,went home with'.split(','),
];

/** What may follow the answer [O]. */
const rests: readonly string[] = [
  '.',
  ' again.',
  ', and [O] smiled.',
  ', so [O] laughed.',
  ' for a long time.',
  '. Then [O] went home.',
  ' before it was dark.',
];

interface Scene {
  readonly template: string;
  readonly slots: Readonly<Record<string, string>>;
  readonly answer: string;
  readonly other: string;
}

/** Half of the scenes have held-out names only, which have fewer other places to be learned in. */
function drawScene(random: Random, names = random.next() < 0.5 ? heldOutNames : allNames): Scene {
  const [a, b] = random.shuffle(names) as [string, string];
  const [s, o] = random.next() < 0.5 ? [a, b] : [b, a];
  const slots = {
    A: a,
    B: b,
    S: s,
    O: o,
    V: random.pick(verbs),
    PLACE: random.pick(places).text,
    OBJECT: withArticle(random.pick(objects).text),
    MOOD: random.pick(moods),
    MOOD2: random.pick(moods),
  };
  return { template: random.pick(prompts), slots, answer: o, other: s };
}

const allNames = firstNames.map((name) => name.text);
const heldOutNames = firstNames.filter((name) => name.heldOut).map((name) => name.text);

function sentence(random: Random): string {
  const { template, slots } = drawScene(random);
  return `${fill(template, slots)} ${fill(`[O]${random.pick(rests)}`, slots)}`;
}

function drawPair(random: Random, split: Split): PromptPair {
  const names = split === 'heldOut' ? heldOutNames : allNames;
  const { template, slots, answer, other } = drawScene(random, names);
  const clean = fill(template, slots);
  return {
    kind: 'twoPeople',
    template,
    clean,
    // The other one acts, so the answers change places.
    corrupted: fill(template, { ...slots, S: answer }),
    answer: ` ${answer}`,
    wrongAnswer: ` ${other}`,
    roles: { END: lastWord(clean) },
  };
}

/** One or two sentences about different people. */
export const twoPeople: TestedTextKind = {
  name: 'twoPeople',
  generate: (random) => (random.next() < 0.4 ? `${sentence(random)} ${sentence(random)}` : sentence(random)),
  promptPairs: (random, count, split) => distinctPairs(count, () => drawPair(random, split)),
};
