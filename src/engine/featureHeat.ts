/** How strongly chosen features fire on the tokens of a run. */

import type { FeatureRef, SaeId } from '../shared/domain.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import type { LoadedSaes } from './loadedSaes.ts';

/**
 * Activations of chosen features on every token of a run: `[feature, position]`.
 * @throws request.invalid for a feature that its SAE does not have; as `LoadedSaes.open`.
 */
export async function featureHeat(
  run: AnalyzedRun,
  saes: LoadedSaes,
  features: readonly FeatureRef[],
  signal: AbortSignal,
): Promise<Float32Array> {
  const positions = run.ids.length;
  const heat = new Float32Array(features.length * positions);
  for (const [id, places] of groupBySae(features)) {
    const sae = await saes.open(id, run.model.info);
    // Refuses features that the SAE does not have.
    for (const { index } of places) await saes.featureInfo({ sae: id, index });
    const value = await run.hook(sae.config.hookName, signal);
    const rows = await sae.chosen(
      value,
      places.map(({ index }) => index),
    );
    places.forEach(({ place }, column) => {
      for (let position = 0; position < positions; position++) {
        heat[place * positions + position] = rows.data[position * places.length + column]!;
      }
    });
  }
  return heat;
}

/** Features by SAE, each with its place in the list. */
function groupBySae(features: readonly FeatureRef[]): Map<SaeId, { index: number; place: number }[]> {
  const groups = new Map<SaeId, { index: number; place: number }[]>();
  features.forEach(({ sae, index }, place) => {
    const group = groups.get(sae) ?? [];
    group.push({ index, place });
    groups.set(sae, group);
  });
  return groups;
}
