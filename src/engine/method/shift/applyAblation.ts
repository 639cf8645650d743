/**
 * The second half of SHIFT: features are ablated, the classifier is measured and trained again, beside as many features
 * and neurons chosen without judgement (Marks et al. 2024, §4.1 and table 2).
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { ShiftAccuracy, ShiftOutcome } from '../../../shared/shiftApi.ts';
import type { RunEdit } from '../../model/edits.ts';
import { seededRandom } from '../../random.ts';
import { featureAblation, neuronAblation, type SiteFeature } from './ablateInside.ts';
import { beforeText, type ConfoundedProbe, pooledTexts, professionsOf } from './confoundedProbe.ts';
import { groupAccuracy, meanAccuracy } from './groupAccuracy.ts';
import { type PooledFeaturesRequest, pooledFeatures } from './pooledFeatures.ts';
import { type Probe, probeLogits, trainProbe } from './probe.ts';
import { progressPart } from './progressPart.ts';
import type { ShiftReferences } from './shiftReferences.ts';

/** Draws of random features. */
export const randomDraws = 5;

/** All numbers of an outcome. */
export type AblationNumbers = Pick<ShiftOutcome, 'before' | 'after' | 'retrained' | 'baselines'>;

/** Ablates `features`, and as many of everything that is compared with them. @throws cancelled */
export async function applyAblation(
  found: ConfoundedProbe,
  { features: skyline, neurons, neuronMeans, ...references }: ShiftReferences,
  features: readonly SiteFeature[],
  call: CallOptions = {},
): Promise<AblationNumbers> {
  const { inputs, sets, sites, before } = found;
  const { seed } = inputs;
  const { signal } = call;
  const total = 2 * sets.train.length + (3 + randomDraws) * sets.test.length;
  const advance = progressPart(call, { what: 'Ablating and training again', from: 0, to: 100, total });
  const underEdits = (texts: typeof sets.test, edits: readonly RunEdit[]) =>
    pooledTexts(found, texts, { edits, signal, advance });
  const measured = (probe: Probe, rows: typeof found.test) =>
    groupAccuracy(sets, sets.test, probeLogits(probe, rows));
  const without = async (edits: readonly RunEdit[]) =>
    measured(found.probe, await underEdits(sets.test, edits));
  const asMany = <T>(ranked: readonly T[]): readonly T[] => ranked.slice(0, features.length);

  const others = otherFeatures(found.active, features);
  const drawn = Array.from({ length: randomDraws }, (_, draw) =>
    asMany(seededRandom(`${seed}/shift/random/${draw}`).shuffle(others)),
  );
  const [edits, skylineEdits, ...drawnEdits] = await ablations(found, [features, asMany(skyline), ...drawn], {
    signal,
    advance,
  });
  const test = await underEdits(sets.test, edits!);
  const train = await underEdits(sets.train, edits!);
  const retrained = await trainProbe(train, professionsOf(sets.train), { seed, signal });
  const draws: ShiftAccuracy[] = [];
  for (const drawEdits of drawnEdits) draws.push(await without(drawEdits));
  return {
    before,
    after: measured(found.probe, test),
    retrained: measured(retrained, test),
    baselines: {
      ...references,
      random: { mean: meanAccuracy(draws), draws },
      featureSkyline: await without(skylineEdits!),
      neuronSkyline: await without(neuronAblation(sites, asMany(neurons), neuronMeans)),
    },
  };
}

/** The edits that ablate each of some sets of features, as the request wants it. */
async function ablations(
  { inputs, sites, sets }: ConfoundedProbe,
  all: readonly (readonly SiteFeature[])[],
  options: Pick<PooledFeaturesRequest, 'signal' | 'advance'>,
): Promise<readonly RunEdit[][]> {
  if (inputs.ablateTo === 'zero') return all.map((features) => featureAblation(sites, features));
  // Every biography counts as much as every other, however long it is: that is how the classifier reads it.
  const pooled = await pooledFeatures(inputs.model, {
    sites,
    features: all.flat(),
    texts: sets.train.map(({ tokens }) => tokens),
    before: beforeText(inputs),
    ...options,
  });
  const means = pooled.map((values) => values.reduce((sum, x) => sum + x, 0) / values.length);
  let used = 0;
  return all.map((features) => {
    const values = means.slice(used, used + features.length);
    used += features.length;
    return featureAblation(sites, features, values);
  });
}

/** Active features that are not ablated anyway: with those among them, chance would do what the judgement did. */
export function otherFeatures(
  active: readonly SiteFeature[],
  ablated: readonly SiteFeature[],
): SiteFeature[] {
  const isAblated = new Set(ablated.map(({ site, index }) => `${site} ${index}`));
  return active.filter(({ site, index }) => !isAblated.has(`${site} ${index}`));
}
