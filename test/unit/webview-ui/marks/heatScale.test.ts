/** Numbers that fit into the cells of a heat map. */
import { describe, expect, it } from 'vitest';
import { shortNumber } from '../../../../webview-ui/marks/heatScale.ts';

describe('shortNumber', () => {
  it('takes few characters, keeps the sign, and says 0 only for what is nearly 0', () => {
    const given = [0.421, -0.07, 1.34, -12.4, 0.998, 0.004, -0.004, 0, 104];
    expect(given.map(shortNumber)).toEqual(['.42', '−.07', '1.3', '−12', '1.0', '0', '0', '0', '104']);
  });
});
