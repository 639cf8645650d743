/**
 * What SHIFT is measured against and what does not depend on the features that are ablated: a classifier of concept words,
 * one trained on balanced biographies, and the features and neurons that balanced labels would choose (Marks et al. 2024,
 * §4.1 and table 2). Skylines and oracle read balanced labels, as nobody who judges features could.
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { ShiftAccuracy } from '../../../shared/shiftApi.ts';
import type { SiteFeature } from './ablateInside.ts';
import { conceptDirections, conceptWords, cosines, meanRow } from './conceptWords.ts';
import {
  beforeText,
  type ConfoundedProbe,
  effectRequest,
  effectTexts,
  professionsOf,
  siteHook,
} from './confoundedProbe.ts';
import { featureEffects } from './featureEffects.ts';
import { groupAccuracy } from './groupAccuracy.ts';
import { neuronEffects } from './neuronEffects.ts';
import { pooledActivations } from './pooledActivations.ts';
import { probeLogits, trainProbe } from './probe.ts';
import { progressPart } from './progressPart.ts';
import { rankEffects } from './rankEffects.ts';

export interface ShiftReferences {
  readonly conceptBottleneck: ShiftAccuracy;
  readonly oracle: ShiftAccuracy;
  /** Those that push the classifier towards a biography's gender most, on balanced biographies; strongest first. */
  readonly features: readonly SiteFeature[];
  readonly neurons: readonly SiteFeature[];
  /** Mean of every neuron, by site: `[width]`. */
  readonly neuronMeans: readonly Float32Array[];
}

/** Everything SHIFT is compared with. @throws cancelled */
export async function shiftReferences(
  found: ConfoundedProbe,
  call: CallOptions = {},
): Promise<ShiftReferences> {
  const { inputs, sets, sites, judged, test } = found;
  const { model, seed } = inputs;
  const { signal } = call;
  const used = sets.judged.slice(0, effectTexts);
  const genders = used.map(({ gender }) => gender);
  const total = 2 * used.length * sites.length;
  const advance = progressPart(call, { what: 'Attributing gender to features', from: 0, to: 90, total });
  const request = effectRequest(found, used, { signal, advance });
  const features = rankEffects(await featureEffects(model, request), genders);
  const neurons = rankEffects(await neuronEffects(model, request), genders);
  const neuronMeans: Float32Array[] = [];
  for (const site of sites) {
    const { texts } = request;
    const hook = siteHook(site);
    neuronMeans.push(
      meanRow(await pooledActivations(model, { texts, hook, before: beforeText(inputs), signal })),
    );
  }
  const balanced = await trainProbe(judged, professionsOf(sets.judged), { seed, signal });
  return {
    conceptBottleneck: await conceptBottleneck(found, call),
    oracle: groupAccuracy(sets, sets.test, probeLogits(balanced, test)),
    features,
    neurons,
    neuronMeans,
  };
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
  const rows = cosines(train, directions, centre);
  const probe = await trainProbe(rows, professionsOf(sets.train), { seed, signal });
  return groupAccuracy(sets, sets.test, probeLogits(probe, cosines(test, directions, centre)));
}
