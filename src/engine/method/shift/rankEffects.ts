/** Features, or neurons, by how much they push the classifier towards a label. */

import type { SiteFeature } from './ablateInside.ts';
import type { SiteEffects } from './featureEffects.ts';

/** A feature or neuron with what it does. */
export interface RankedFeature extends SiteFeature {
  /** In logits, on the mean over texts: above 0 it pushes a text towards its own label. */
  readonly effect: number;
}

/**
 * The mean over texts of −IE where the label is 1, IE where it is 0, since IE is what taking a feature out does. What a
 * feature does to every text alike cancels out where labels are balanced. Most towards the label first; those without any
 * effect are left out.
 */
export function rankEffects(
  sites: readonly SiteEffects[],
  labels: readonly (0 | 1)[],
): readonly RankedFeature[] {
  const all = sites.flatMap(({ effects, width }, site) => {
    const sums = new Float64Array(width);
    effects.forEach((effect, i) => {
      const sign = labels[Math.floor(i / width)] === 1 ? -1 : 1;
      sums[i % width]! += (sign * effect) / labels.length;
    });
    return Array.from(sums, (effect, index) => ({ site, index, effect }));
  });
  return all.filter(({ effect }) => effect !== 0).sort((a, b) => b.effect - a.effect);
}
