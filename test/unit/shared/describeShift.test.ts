/** Names of features in lists of SHIFT. */
import { expect, it } from 'vitest';
import { featureName } from '../../../src/shared/describeShift.ts';

it('calls a feature by its label, and by its number where it has none', () => {
  const feature = { sae: '/saes/one', index: 7 };
  expect(featureName({ feature, info: { ...feature, label: 'she, her' } })).toBe('she, her');
  expect(featureName({ feature, info: feature })).toBe('#7');
});
