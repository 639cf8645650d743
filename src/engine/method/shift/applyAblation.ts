/**
 * The second half of SHIFT: features are ablated, the classifier is measured and trained again, beside what does the same
 * without interpretation (Marks et al. 2024, §4.1 and table 2).
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { ShiftAccuracy, ShiftOutcome } from '../../../shared/shiftApi.ts';
import type { RunEdit } from '../../model/edits.ts';
import { seededRandom } from '../../random.ts';
import { featureAblation, neuronAblation, type SiteFeature } from './ablateInside.ts';
import { conceptDirections, conceptWords, cosines, meanRow } from './conceptWords.ts';
import { type ConfoundedProbe, pooledTexts, professionsOf } from './confoundedProbe.ts';
import { groupAccuracy, meanAccuracy } from './groupAccuracy.ts';
import { harmfulNeurons } from './harmfulNeurons.ts';
import { probeLogits, trainProbe } from './probe.ts';
import { progressPart } from './progressPart.ts';

/** Draws of random features that are averaged. */
const randomDraws = 5;

/** All numbers of an outcome. */
export type AblationNumbers = Pick<ShiftOutcome, 'before' | 'after' | 'retrained' | 'baselines'>;

/** Ablates `features` and everything that is compared with it. @throws cancelled */
export async function applyAblation(
  found: ConfoundedProbe,
  features: readonly SiteFeature[],
  call: CallOptions = {},
): Promise<AblationNumbers> {
  const { inputs, sets, sites, train, judged, test, before } = found;
  const { seed } = inputs;
  const { signal } = call;
  const edits = featureAblation(sites, features);
  const total = sets.train.length + (2 + randomDraws) * sets.test.length;
  const advance = progressPart(call, { what: 'Ablating and training again', from: 0, to: 100, total });
  const underEdits = (texts: typeof sets.test, own: readonly RunEdit[]) =>
    pooledTexts(found, texts, { edits: own, signal, advance });
  const trained = async (rows: typeof train, texts: typeof sets.train) =>
    trainProbe(rows, professionsOf(texts), { seed, signal });
  const measured = (probe: ConfoundedProbe['probe'], rows: typeof test) =>
    groupAccuracy(sets, sets.test, probeLogits(probe, rows));

  const ablatedTest = await underEdits(sets.test, edits);
  const after = measured(found.probe, ablatedTest);
  const retrained = measured(await trained(await underEdits(sets.train, edits), sets.train), ablatedTest);
  const random: ShiftAccuracy[] = [];
  const others = otherFeatures(found.active, features);
  for (let draw = 0; draw < randomDraws; draw++) {
    const drawn = seededRandom(`${seed}/shift/random/${draw}`).shuffle(others).slice(0, features.length);
    random.push(measured(found.probe, await underEdits(sets.test, featureAblation(sites, drawn))));
  }
  const neurons = await harmfulNeurons(found, features.length, call);
  const withoutNeurons = await underEdits(sets.test, neuronAblation(sites, neurons));
  return {
    before,
    after,
    retrained,
    baselines: {
      conceptBottleneck: await conceptBottleneck(found, call),
      random: meanAccuracy(random),
      randomWorstGroups: random.map(({ worstGroup }) => worstGroup),
      neurons: measured(found.probe, withoutNeurons),
      oracle: measured(await trained(judged, sets.judged), test),
    },
  };
}

/** Active features that are not ablated anyway: with those among them, chance would do what the judgement did. */
export function otherFeatures(
  active: readonly SiteFeature[],
  ablated: readonly SiteFeature[],
): SiteFeature[] {
  const isAblated = new Set(ablated.map(({ site, index }) => `${site} ${index}`));
  return active.filter(({ site, index }) => !isAblated.has(`${site} ${index}`));
}

/** A classifier trained on the same biographies that sees closeness to concept words only. */
async function conceptBottleneck(
  { inputs, sets, hook, train, test }: ConfoundedProbe,
  { signal }: CallOptions,
): Promise<ShiftAccuracy> {
  const words = conceptWords(sets.professions);
  const directions = await conceptDirections(inputs.model, inputs.text, { words, hook, signal });
  const centre = meanRow(train);
  const { seed } = inputs;
  const probe = await trainProbe(cosines(train, directions, centre), professionsOf(sets.train), {
    seed,
    signal,
  });
  return groupAccuracy(sets, sets.test, probeLogits(probe, cosines(test, directions, centre)));
}
