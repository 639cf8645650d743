/** Which heat a token gets. */

// Which bucket of heat a value falls into.
import { describe, expect, it } from 'vitest';
import { featureHeat, heatStep, strongestHeat } from '../../../src/host/heat.ts';
import type { Analysis } from '../../../src/shared/analysis.ts';

describe('heat', () => {
  it('steps from 1 to 9, with nothing where nothing is active', () => {
    expect([0, -1, Number.NaN, 0.001, 1, 4.5, 8.99, 9, 20].map((value) => heatStep(value, 9))).toEqual([
      0, 0, 0, 1, 1, 5, 9, 9, 9,
    ]);
    expect(heatStep(1, 0)).toBe(0);
  });

  it('shows on each token the strongest of several features', () => {
    const heat = featureHeat(
      [
        { sae: 's', index: 1 },
        { sae: 's', index: 2, label: 'verbs' },
      ],
      Float32Array.from([1, 0, 3, 2, 0, 1]),
      [{}, {}, {}],
    );
    expect(Array.from(heat.values)).toEqual([2, 0, 3]);
    expect(heat).toMatchObject({ kind: 'pinned', title: '#1, verbs (#2)', max: 3 });
  });

  it('measures one feature against the most it was seen to do', () => {
    expect(
      featureHeat([{ sae: 's', index: 1, maxActivation: 10 }], Float32Array.from([1, 4]), [{}, {}]).max,
    ).toBe(10);
    expect(
      featureHeat([{ sae: 's', index: 1, maxActivation: 2 }], Float32Array.from([1, 4]), [{}, {}]).max,
    ).toBe(4);
  });

  it('is not scaled by the token before the text', () => {
    const tokens = [{ special: true as const }, {}, {}];
    const heat = featureHeat([{ sae: 's', index: 1 }], Float32Array.from([900, 1, 4]), tokens);
    expect(heat.max).toBe(4);
    expect(heat.values[0]).toBe(900);
    expect(heatStep(heat.values[0]!, heat.max)).toBe(9);
    const features = [
      { sae: 's', k: 1, indices: new Int32Array(3), activations: Float32Array.from([900, 2, 1]) },
    ];
    const analysis = { strip: { tokens }, features } as unknown as Analysis;
    expect(strongestHeat(analysis)?.max).toBe(2);
  });

  it('takes each token’s first feature when none is chosen', () => {
    const analysis = {
      strip: { tokens: [{}, {}] },
      features: [
        { sae: 's', k: 2, indices: new Int32Array(4), activations: Float32Array.from([5, 1, 2, 1]) },
      ],
    } as unknown as Analysis;
    expect(Array.from(strongestHeat(analysis)?.values ?? [])).toEqual([5, 2]);
    expect(strongestHeat({ ...analysis, features: [] })).toBeUndefined();
  });
});
