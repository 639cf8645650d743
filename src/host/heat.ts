/** Heat of features on tokens: which value each token gets, and how strong that is on a scale of nine. */

import type { Analysis } from '../shared/analysis.ts';
import type { FeatureInfo, Token } from '../shared/domain.ts';
import type { TokenHeat } from '../shared/viewApi.ts';

/** The colors of heat, so many steps. */
export const heatSteps = 9;

/** The activation of each token's strongest feature; nothing when no SAE was asked. */
export function strongestHeat(analysis: Analysis): TokenHeat | undefined {
  const top = analysis.features[0];
  if (!top) return undefined;
  const { tokens } = analysis.strip;
  const values = new Float32Array(tokens.length);
  for (let position = 0; position < values.length; position++) {
    values[position] = Math.max(0, top.activations[position * top.k] ?? 0);
  }
  return { kind: 'strongest', title: '', values, max: largest(values, tokens) };
}

/**
 * The heat of chosen features. `activations` is `[feature, position]`; of several features each token shows
 * the strongest. One feature is measured against the most it was ever seen to do, when that is known. A token before
 * the text does not set the scale: what is active on a beginning of sequence is of another size.
 */
export function featureHeat(
  features: readonly FeatureInfo[],
  activations: Float32Array,
  tokens: readonly Pick<Token, 'special'>[],
): TokenHeat {
  const positions = tokens.length;
  const values = new Float32Array(positions);
  for (let feature = 0; feature < features.length; feature++) {
    for (let position = 0; position < positions; position++) {
      const value = activations[feature * positions + position] ?? 0;
      if (value > (values[position] ?? 0)) values[position] = value;
    }
  }
  const known = features.length === 1 ? features[0]?.maxActivation : undefined;
  return {
    kind: 'pinned',
    title: features.map(featureName).join(', '),
    values,
    max: Math.max(known ?? 0, largest(values, tokens)),
  };
}

/** A feature's name for people: its label, or its number. */
export function featureName(feature: FeatureInfo): string {
  return feature.label ? `${feature.label} (#${feature.index})` : `#${feature.index}`;
}

/** The step of a value on the scale: 1 (weak) to 9 (full), 0 when there is nothing to show. */
export function heatStep(value: number, max: number): number {
  if (!(value > 0) || !(max > 0)) return 0;
  return Math.min(heatSteps, Math.max(1, Math.ceil((value / max) * heatSteps)));
}

function largest(values: Float32Array, tokens: readonly Pick<Token, 'special'>[]): number {
  let max = 0;
  values.forEach((value, position) => {
    if (value > max && tokens[position]?.special !== true) max = value;
  });
  return max;
}
