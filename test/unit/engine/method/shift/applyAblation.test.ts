/** The baseline of chance: what it may draw. */
import { expect, test } from 'vitest';
import { otherFeatures } from '../../../../../src/engine/method/shift/applyAblation.ts';

test('random features are drawn among those that are not ablated anyway, also of other sites', () => {
  const active = [0, 1].flatMap((site) => [3, 5, 8].map((index) => ({ site, index })));
  const left = otherFeatures(active, [
    { site: 0, index: 5 },
    { site: 1, index: 3 },
    { site: 1, index: 99 },
  ]);
  expect(left.map(({ site, index }) => `${site} ${index}`)).toEqual(['0 3', '0 8', '1 5', '1 8']);
});
