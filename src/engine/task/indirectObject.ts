// Indirect-object sentences: "When Mary and John went to the store, John gave a drink to" — the answer is the name that
// was said once (Wang et al. 2022, §2). The order of the first two names makes the ABBA and BABA forms.
import type { Random } from '../random.ts';
import { objects, places } from './lexicon/fillers.ts';
import { firstNames, pronounsOf } from './lexicon/names.ts';
import type { PromptPair } from './promptSet.ts';
import type { Slots } from './template.ts';
import { fill, lastWord, slotSpans, withArticle } from './template.ts';
import type { Split, TestedTextKind, WordFilter } from './textKind.ts';
import { anyWord, distinctPairs, enough, inSplit } from './textKind.ts';

/** Templates of the training text. [X] and [Y] are the two names in either order, [S] is the one said again. */
const trainingTemplates: readonly string[] = [
  'Then, [X] and [Y] went to the [PLACE]. [S] [GAVE] [OBJECT] to',
  'When [X] and [Y] went to the [PLACE], [S] [GAVE] [OBJECT] to',
  'After [X] and [Y] went to the [PLACE], [S] [GAVE] [OBJECT] to',
  'When [X] and [Y] got [OBJECT] at the [PLACE], [S] decided to [GIVE] it to',
  'While [X] and [Y] were working at the [PLACE], [S] [GAVE] [OBJECT] to',
  'While [X] and [Y] were walking to the [PLACE], [S] [GAVE] [OBJECT] to',
  'Then, [X] and [Y] had a long argument, and afterwards [S] [GAVE] [OBJECT] to',
  'Then, [X] and [Y] were thinking about going to the [PLACE]. [S] wanted to [GIVE] [OBJECT] to',
  'The friends [X] and [Y] found [OBJECT] at the [PLACE]. [S] [GAVE] it to',
  'The [PLACE] that [X] and [Y] visited was quiet, and [S] [GAVE] [OBJECT] to',
  // A long introduction before the names …
  'Then in the morning, [X] and [Y] went to the [PLACE]. [S] [GAVE] [OBJECT] to',
  'It was a warm day, and after a long walk through the town [X] and [Y] came to the [PLACE]. [S] [GAVE] [OBJECT] to',
  'Many people were waiting outside, but when [X] and [Y] came to the [PLACE], [S] [GAVE] [OBJECT] to',
  // … or much between the names and the question.
  'Today [X] and [Y] met near the [PLACE], and [S] [GAVE] [OBJECT] to',
  'Then, [X] and [Y] had lunch at the [PLACE]. Everyone was happy, the sun was warm, and [S] [GAVE] [OBJECT] to',
  'After lunch, [X] and [Y] took a walk to the [PLACE]. Some time later, [S] [GAVE] [OBJECT] to',
];

/** Templates that the training text never uses. */
const heldOutTemplates: readonly string[] = [
  'Once [X] and [Y] had left the [PLACE], [S] [GAVE] [OBJECT] to',
  'Yesterday at the [PLACE], [X] and [Y] talked for hours, until [S] [GAVE] [OBJECT] to',
  'Because [X] and [Y] were alone at the [PLACE], [S] [GAVE] [OBJECT] to',
  'The day was over when [X] and [Y] reached the [PLACE], so [S] wanted to [GIVE] [OBJECT] to',
];

/** The templates by split. */
export const indirectObjectTemplates: Readonly<Record<Split, readonly string[]>> = {
  train: trainingTemplates,
  heldOut: heldOutTemplates,
};

const givingVerbs =
  'gave/give handed/hand passed/pass offered/offer showed/show brought/bring sent/send lent/lend'
    .split(' ')
    .map((entry) => entry.split('/') as [string, string]);

/** What may follow the answer. [IO] and [S] are the names, [SHE] and [HER] the pronouns of [IO]. */
const continuations: readonly string[] = [
  '.',
  '.',
  '.',
  ' and smiled.',
  ' and went home.',
  ' before it was too late.',
  ' without a word.',
  ' as a surprise.',
  '. [IO] thanked [S].',
  '. [IO] was very happy.',
  '. Then [SHE] thanked [S] and went home.',
  ', who put it on the table.',
];

/** How the counterfactual of a prompt is made. */
export type IndirectObjectCounterfactual =
  /** All three names replaced by three unrelated ones: nothing in the prompt favours an answer (the paper's p_ABC). */
  | 'unrelated'
  /** Only the second subject replaced by the indirect object, which makes the other name right. */
  | 'swapped';

interface Drawn {
  readonly template: string;
  readonly order: 'abba' | 'baba';
  readonly slots: Record<string, string>;
}

/** Draws everything but the continuation. `names` are [IO, S]. */
function draw(
  random: Random,
  split: Split,
  templates: readonly string[],
  names: readonly [string, string],
  fits: WordFilter = anyWord,
): Drawn {
  const fitting = <T extends { readonly text: string }>(list: readonly T[], what: string) =>
    enough(
      list.filter(({ text }) => fits(text)),
      1,
      what,
    );
  const [gave, give] = random.pick(
    enough(
      givingVerbs.filter((verb) => verb.every(fits)),
      1,
      'verbs',
    ),
  );
  const order = random.int(2) === 0 ? 'abba' : 'baba';
  const [io, s] = names;
  return {
    template: random.pick(templates),
    order,
    slots: {
      X: order === 'abba' ? io : s,
      Y: order === 'abba' ? s : io,
      S: s,
      PLACE: random.pick(fitting(inSplit(places, split), 'places')).text,
      OBJECT: withArticle(random.pick(fitting(inSplit(objects, split), 'objects')).text),
      GAVE: gave,
      GIVE: give,
    },
  };
}

function sentence(random: Random, split: Split): string {
  const [io, s] = random.shuffle(inSplit(firstNames, split)).slice(0, 2) as [
    (typeof firstNames)[number],
    (typeof firstNames)[number],
  ];
  const { template, slots } = draw(random, split, trainingTemplates, [io.text, s.text]);
  const continuation = fill(random.pick(continuations), {
    IO: io.text,
    S: s.text,
    SHE: pronounsOf[io.gender].subject,
  });
  return `${fill(template, slots)} ${io.text}${continuation}`;
}

function promptPair(random: Random, split: Split, options: IndirectObjectOptions): PromptPair {
  const { fits = anyWord } = options;
  const names = inSplit(firstNames, split).map((name) => name.text);
  const pool = random.shuffle(enough(names.filter(fits), 5, 'names'));
  const [io, s, a, b, c] = pool as [string, string, string, string, string];
  const drawn = draw(random, split, indirectObjectTemplates[options.templates ?? 'train'], [io, s], fits);
  const clean = fill(drawn.template, drawn.slots);
  const changed: Slots = options.counterfactual === 'swapped' ? { S: io } : { X: a, Y: b, S: c };
  const spans = slotSpans(drawn.template, drawn.slots) as Record<
    'X' | 'Y' | 'S',
    { start: number; end: number }
  >;
  const [first, second] = drawn.order === 'abba' ? (['Y', 'X'] as const) : (['X', 'Y'] as const);
  return {
    kind: `indirectObject.${drawn.order}`,
    template: drawn.template,
    clean,
    corrupted: fill(drawn.template, { ...drawn.slots, ...changed }),
    answer: ` ${io}`,
    wrongAnswer: ` ${s}`,
    roles: {
      IO: spans[second],
      S1: spans[first],
      'S1+1': { start: spans[first].end, end: spans[first].end + 1 },
      S2: spans.S,
      END: lastWord(clean),
    },
  };
}

/** Which templates the prompts use (those of the training text unless said otherwise), which counterfactual and words. */
export interface IndirectObjectOptions {
  readonly templates?: Split;
  readonly counterfactual?: IndirectObjectCounterfactual;
  readonly fits?: WordFilter;
}

/** Prompt pairs whose names and fillers are of `split`; roles are IO, S1, S1+1, S2 and END. */
export function indirectObjectPairs(
  random: Random,
  count: number,
  split: Split,
  options: IndirectObjectOptions = {},
): PromptPair[] {
  return distinctPairs(count, () => promptPair(random, split, options));
}

/** Indirect-object sentences, one or two to a document. */
export const indirectObject: TestedTextKind = {
  name: 'indirectObject',
  generate: (random, { split }) => {
    const first = sentence(random, split);
    return random.next() < 0.3 ? `${first} ${sentence(random, split)}` : first;
  },
  promptPairs: (random, count, split, fits) => indirectObjectPairs(random, count, split, { fits }),
};
