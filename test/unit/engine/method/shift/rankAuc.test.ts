/** The area under the ROC curve, against counting all pairs. */
import { describe, expect, it } from 'vitest';
import { rankAuc, separation } from '../../../../../src/engine/method/shift/rankAuc.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';

function byPairs(values: readonly number[], labels: readonly (0 | 1)[]): number {
  let [wins, pairs] = [0, 0];
  values.forEach((a, i) => {
    values.forEach((b, j) => {
      if (labels[i] !== 1 || labels[j] !== 0) return;
      pairs++;
      if (a > b) wins += 1;
      if (a === b) wins += 0.5;
    });
  });
  return wins / pairs;
}

describe('the area under the ROC curve', () => {
  it('is the share of pairs in the right order, ties counted half', () => {
    const random = seededRandom(3);
    for (let trial = 0; trial < 20; trial++) {
      const labels = Array.from({ length: 40 }, () => random.int(2) as 0 | 1);
      // Few different values, so that there are many ties.
      const values = labels.map((label) => random.int(6) + label);
      expect(rankAuc(values, labels)).toBeCloseTo(byPairs(values, labels), 10);
    }
  });

  it('says nothing of one class, and separation counts both directions', () => {
    expect(rankAuc([1, 2, 3], [1, 1, 1])).toBe(0.5);
    expect(separation([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(separation([1, 2, 3, 4], [1, 1, 0, 0])).toBe(1);
    expect(separation([5, 5, 5, 5], [1, 0, 1, 0])).toBe(0);
  });
});
