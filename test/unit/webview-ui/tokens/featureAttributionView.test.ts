/** The rows of an attribution by feature: largest first, and together the total. */
import { expect, it } from 'vitest';
import { featureRows } from '../../../../webview-ui/tokens/featureAttributionView.tsx';

const attribution = {
  position: 3,
  what: '" a" − " b"',
  features: [
    { index: 7, activation: 2, value: 1.5 },
    { index: 3, activation: 1, value: -0.5 },
    { index: 9, activation: 4, value: 0.25 },
    { index: 1, activation: 4, value: 0.125 },
  ],
  bias: 0.0625,
  error: -1,
  total: 0.4375,
};

it('shows the largest features, the others as one, and what the SAE adds and leaves out', () => {
  const rows = featureRows(attribution, 2);
  expect(rows.map(({ name }) => name)).toEqual([
    'feature 7',
    'feature 3',
    '2 smaller features',
    'SAE bias',
    'SAE error',
  ]);
  expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(attribution.total);
  expect(rows[1]?.label).toBe('feature 3, −0.5 logits');
  expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
});

it('needs no row for others when there are none', () => {
  expect(featureRows(attribution, 4).map(({ name }) => name)).not.toContain('0 smaller features');
});
