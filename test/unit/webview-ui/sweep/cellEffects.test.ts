/** Parts in the order of what happens in them, and effects in the units of their kind. */
import { describe, expect, it } from 'vitest';
import { effectText } from '../../../../src/shared/sweepCell.ts';
import { quarterPercent } from '../../../../webview-ui/lib/announcement.tsx';
import { shortPercent } from '../../../../webview-ui/marks/heatScale.ts';
import { pathScale } from '../../../../webview-ui/study/pathScale.ts';
import { facetsByStrength, sharedDecimals } from '../../../../webview-ui/sweep/cellEffects.ts';
import { layOutGrid } from '../../../../webview-ui/sweep/gridLayout.ts';

describe('parts of a sweep', () => {
  it('come with the strongest effect of either sign first, and unknown ones last', () => {
    const labels = (count: number) => Array.from({ length: count }, (_, i) => String(i));
    const layout = layOutGrid([
      { name: 'kind', labels: ['resid_pre', 'attn_out', 'mlp_out'] },
      { name: 'layer', labels: labels(2) },
      { name: 'pos', labels: labels(2) },
    ]);
    const nan = Number.NaN;
    const values = Float32Array.of(nan, nan, nan, nan, 0.9, 1, 1, 1, 1, 0.2, nan, 1);
    expect(facetsByStrength(layout, values, 1)).toEqual([2, 1, 0]);
    // From 0, the second part holds as much as the third, and both keep their order.
    expect(facetsByStrength(layout, values, 0)).toEqual([1, 2, 0]);
  });
});

describe('an effect', () => {
  it('is a percentage of the metric for ablations and paths, and a share for patches', () => {
    expect(effectText({ method: 'path' }, -0.3149)).toBe('−31.5 %');
    expect(effectText({ method: 'ablate' }, 0.02)).toBe('+2.0 %');
    expect(effectText({ method: 'path' }, -0.0001)).toBe('0.0 %');
    expect(effectText({ method: 'patch' }, 0.31)).toMatch(/^\+0\.31/);
    expect([0.42, -0.07, 0.004, -0.0001].map(shortPercent)).toEqual(['42', '−7', '.4', '0']);
  });

  it('through paths has one scale for all maps that are drawn, and no finer one than 1 %', () => {
    const effects = { logits: -0.2, logitsKnockedOut: 0.9, queries: 0.05, values: 0, keys: 0.001 };
    expect(pathScale([{ effects }], ['logits', 'queries', 'keys'])).toBe(0.2);
    expect(pathScale([{ effects }], ['keys'])).toBe(0.01);
  });
});

describe('progress for screen readers', () => {
  it('is said in quarters', () => {
    expect([0, 0.2, 0.25, 0.7, 1, Number.NaN, 3].map(quarterPercent)).toEqual([0, 0, 25, 50, 100, 0, 100]);
  });
});

describe('effects under each other', () => {
  it('share the decimals that give the largest of them three digits', () => {
    const given = [[0.798, -0.67], [12.3, 0.1], [-0.0089], [1], [340, -1]];
    expect(given.map(sharedDecimals)).toEqual([3, 1, 5, 2, 0]);
  });

  it('have two decimals when there is nothing to go by', () => {
    expect([[], [0], [Number.NaN, 1]].map(sharedDecimals)).toEqual([2, 2, 2]);
  });
});
