// Words of praise and blame, and what is praised or blamed.
import type { Filler } from './fillers.ts';

export type Sentiment = 'positive' | 'negative';

function words(inTraining: string, heldOut: string): Filler[] {
  return [
    ...inTraining.split(' ').map((text) => ({ text, heldOut: false })),
    ...heldOut.split(' ').map((text) => ({ text, heldOut: true })),
  ];
}

/** Adjectives of each sentiment; `heldOut` ones never occur in labelled reviews of the training split. */
export const opinionAdjectives: Readonly<Record<Sentiment, readonly Filler[]>> = {
  positive: words(
    'wonderful great excellent lovely perfect charming brilliant delightful fantastic superb remarkable funny',
    'amazing pleasant splendid marvelous',
  ),
  negative: words(
    'terrible awful bad boring horrible dull poor ugly disappointing dreadful mediocre annoying',
    'nasty weak unpleasant miserable',
  ),
};

/** Verbs of opinion in the past: "I loved the film". */
export const opinionVerbs: Readonly<Record<Sentiment, readonly string[]>> = {
  positive: ['loved', 'enjoyed', 'adored', 'praised'],
  negative: ['hated', 'disliked', 'detested', 'despised'],
};

/** What is reviewed, and the parts of it that can be judged apart. */
export const reviewTopics: readonly { readonly text: string; readonly parts: readonly string[] }[] = [
  { text: 'film', parts: ['acting', 'plot', 'music', 'ending'] },
  { text: 'novel', parts: ['plot', 'style', 'ending', 'beginning'] },
  { text: 'restaurant', parts: ['food', 'service', 'soup', 'wine'] },
  { text: 'hotel', parts: ['room', 'breakfast', 'service', 'view'] },
  { text: 'concert', parts: ['music', 'singer', 'sound', 'band'] },
  { text: 'play', parts: ['acting', 'stage', 'ending', 'story'] },
  { text: 'trip', parts: ['weather', 'food', 'guide', 'view'] },
  { text: 'game', parts: ['story', 'sound', 'ending', 'design'] },
];
