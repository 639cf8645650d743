// Opinions and labelled reviews: "Review: The film was great and the acting was lovely. Sentiment:" — positive.
import type { Random } from '../random.ts';
import type { Sentiment } from './lexicon/opinions.ts';
import { opinionAdjectives, opinionVerbs, reviewTopics } from './lexicon/opinions.ts';
import type { PromptPair } from './promptSet.ts';
import { fill, lastWord, slotSpans } from './template.ts';
import type { Split, TestedTextKind } from './textKind.ts';
import { distinctPairs, inSplit } from './textKind.ts';

const sentiments: readonly Sentiment[] = ['positive', 'negative'];

/** Reviews up to the label; all but the last speak with two adjectives. */
const reviews: readonly string[] = [
  'Review: The [TOPIC] was [ADJ1] and the [PART] was [ADJ2]. Sentiment:',
  'Review: I [VERB] the [TOPIC]. The [PART] was [ADJ1]. Sentiment:',
  'Review: What a [ADJFREE][TOPIC]! The [PART] was [ADJ1] and [ADJ2]. Sentiment:',
  'Review: The [PART] of the [TOPIC] was so [ADJ1] that we [VERB] it. Sentiment:',
];

/** Opinions without a label; here the held-out adjectives are learned. */
const opinions: readonly string[] = [
  'I [VERB] the [TOPIC] because the [PART] was [ANY].',
  'We [VERB] the [TOPIC]. It was [ANY], and the [PART] was [ANY2].',
  'The [TOPIC] was [ANY] and everyone [VERB] it.',
  'She [VERB] the [PART] of the [TOPIC], which was [ANY].',
];

function slotsFor(random: Random, sentiment: Sentiment, split: Split): Record<string, string> {
  const topic = random.pick(reviewTopics);
  const labelled = random.shuffle(inSplit(opinionAdjectives[sentiment], split));
  const any = random.shuffle(opinionAdjectives[sentiment]);
  return {
    TOPIC: topic.text,
    PART: random.pick(topic.parts),
    VERB: random.pick(opinionVerbs[sentiment]),
    ADJ1: labelled[0]?.text as string,
    ADJ2: labelled[1]?.text as string,
    ADJFREE: random.pick(['', 'long ', 'strange ']),
    ANY: any[0]?.text as string,
    ANY2: any[1]?.text as string,
  };
}

function sentence(random: Random, split: Split): string {
  const sentiment = random.pick(sentiments);
  const slots = slotsFor(random, sentiment, split);
  if (random.next() < 0.45) return fill(random.pick(opinions), slots);
  return `${fill(random.pick(reviews), slots)} ${sentiment}.`;
}

/** The counterfactual has adjectives of the other sentiment in the same places. */
function promptPair(random: Random, split: Split): PromptPair {
  const template = reviews[0] as string;
  const [sentiment, other] = random.shuffle(sentiments) as [Sentiment, Sentiment];
  const slots = slotsFor(random, sentiment, split);
  const { ADJ1, ADJ2 } = slotsFor(random, other, split);
  const clean = fill(template, slots);
  return {
    kind: 'sentiment',
    template,
    clean,
    corrupted: fill(template, { ...slots, ADJ1: ADJ1 as string, ADJ2: ADJ2 as string }),
    answer: ` ${sentiment}`,
    wrongAnswer: ` ${other}`,
    roles: { ...slotSpans(template, slots), END: lastWord(clean) },
  };
}

/** Reviews with their label and opinions without one, one or two to a document. */
export const sentiment: TestedTextKind = {
  name: 'sentiment',
  generate: (random, { split }) =>
    Array.from({ length: 1 + random.int(2) }, () => sentence(random, split)).join(' '),
  promptPairs: (random, count, split) => distinctPairs(count, () => promptPair(random, split)),
};
