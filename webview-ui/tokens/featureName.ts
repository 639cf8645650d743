/** How a feature is called where there is room for one name. */

import type { FeatureInfo } from '../../src/shared/domain.ts';
import { say } from '../lib/strings.ts';
import { labelText } from '../lib/tokenText.tsx';

/** Its label, or its number while it has none. */
export function featureName(feature: FeatureInfo): string {
  return feature.label ? labelText(feature.label) : say('featureName', { index: feature.index });
}
