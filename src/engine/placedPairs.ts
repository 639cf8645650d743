/** Where the roles of a task's pairs are, and which pairs resampling draws: what scripts need to do the same elsewhere. */

import type { PromptPairs } from '../shared/task.ts';
import type { PlacedPair } from '../shared/taskApi.ts';
import type { LoadedModel } from './loadedModel.ts';
import { drawPartners } from './method/ablation.ts';
import { seededRandom } from './random.ts';
import { readPairs } from './readPairs.ts';

/** The pairs that the model can run, in their order. @throws request.invalid when there is none */
export async function placedPairs(
  model: LoadedModel,
  { pairs, seed }: { readonly pairs: PromptPairs; readonly seed?: number },
  signal?: AbortSignal,
): Promise<readonly PlacedPair[]> {
  const { task } = await readPairs(model, pairs, undefined, signal);
  const places = new Map(task.pairs.map((pair, i) => [pair, i]));
  const partners = seed === undefined ? [] : drawPartners(task.pairs, seededRandom(seed));
  return task.pairs.map(({ clean, roles }, i) => ({
    length: clean.length,
    roles,
    ...(seed !== undefined && { partner: places.get(partners[i]!)! }),
  }));
}
