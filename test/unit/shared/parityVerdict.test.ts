// What the badges come down to.
import { expect, it } from 'vitest';
import { parityVerdict } from '../../../src/shared/parityVerdict.ts';

it('tells rounding from another reading, and either from no comparison', () => {
  expect(parityVerdict({ compared: 'model', worstLogit: 3e-5 })).toBe('same');
  expect(parityVerdict({ compared: 'family', worstLogit: 1e-6 })).toBe('same');
  expect(parityVerdict({ compared: 'model', worstLogit: 0.5 })).toBe('different');
  expect(parityVerdict({ compared: 'model', worstLogit: Number.POSITIVE_INFINITY })).toBe('different');
  expect(parityVerdict({ compared: 'model' })).toBe('unknown');
  expect(parityVerdict({ compared: 'none' })).toBe('unknown');
});
