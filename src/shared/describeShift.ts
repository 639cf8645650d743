/** Names of features in lists of SHIFT, the same on the command line and in the panel. */

import type { ShiftFeature } from './shiftApi.ts';

/** The label, or the feature's number. */
export function featureName({ info, feature }: Pick<ShiftFeature, 'info' | 'feature'>): string {
  return info.label ?? `#${feature.index}`;
}
