// The training text of the embedded language model: an endless, seeded mixture of all kinds of text.
import type { Random } from '../random.ts';
import { seededRandom } from '../random.ts';
import { agreement } from './agreement.ts';
import { biography } from './biography.ts';
import { capitals } from './capitals.ts';
import { greaterThan } from './greaterThan.ts';
import { indirectObject } from './indirectObject.ts';
import { pronoun } from './pronoun.ts';
import { repetition } from './repetition.ts';
import { sentiment } from './sentiment.ts';
import { story } from './story.ts';
import type { Split, TextKind } from './textKind.ts';
import { twoPeople } from './twoPeople.ts';

const kinds = {
  indirectObject,
  twoPeople,
  agreement,
  pronoun,
  repetition,
  greaterThan,
  capitals,
  biography,
  sentiment,
  story,
} as const;

/** The name of a kind of text. */
export type TextKindName = keyof typeof kinds;

/** Every kind of text by name. */
export const textKinds: Readonly<Record<TextKindName, TextKind>> = kinds;

/** How often each kind is drawn, relative to the others. */
export type Mixture = Readonly<Partial<Record<TextKindName, number>>>;

/**
 * The weights of the embedded model's training text. Copying from context is by far the hardest thing to learn here,
 * and it is learned late and suddenly, so the kinds that teach it have more than half of the text.
 */
export const mixture: Readonly<Record<TextKindName, number>> = {
  indirectObject: 34,
  twoPeople: 18,
  repetition: 11,
  agreement: 13,
  pronoun: 5,
  greaterThan: 5,
  capitals: 5,
  biography: 4,
  sentiment: 3,
  story: 2,
};

/** What to draw. */
export interface CorpusOptions {
  readonly seed: number | string;
  /** Replaces the default weights entirely; kinds without a weight do not occur. */
  readonly mixture?: Mixture;
  /** `train` unless said otherwise. */
  readonly split?: Split;
}

/** The share of documents that join two kinds of text. */
const joinedShare = 0.15;

function drawKind(
  random: Random,
  weights: readonly (readonly [TextKind, number])[],
  total: number,
): TextKind {
  let left = random.next() * total;
  for (const [kind, weight] of weights) {
    left -= weight;
    if (left < 0) return kind;
  }
  return (weights.at(-1) as readonly [TextKind, number])[0];
}

/**
 * Documents without end, about 25 words each; take as many as are needed. The separator between documents is left to
 * whoever packs them into contexts. Equal options give equal documents.
 * @throws RangeError when no kind has a positive weight.
 */
export function* corpus(options: CorpusOptions): Generator<string, never, undefined> {
  const random = seededRandom(options.seed);
  const split = options.split ?? 'train';
  const weights = Object.entries(options.mixture ?? mixture)
    .filter(([, weight]) => weight > 0)
    .map(([name, weight]) => [textKinds[name as TextKindName], weight] as const);
  if (weights.length === 0)
    throw new RangeError('The mixture needs at least one kind of text with a positive weight.');
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  const draw = () => drawKind(random, weights, total).generate(random, { split });
  for (;;) yield random.next() < joinedShare ? `${ended(draw())} ${draw()}` : draw();
}

/** The text with a full stop, if it does not end a sentence by itself. */
function ended(text: string): string {
  return /[.!?"]$/.test(text) ? text : `${text}.`;
}
