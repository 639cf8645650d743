/** Reading attention patterns. */

import { describe, expect, it } from 'vitest';
import { poolPattern, strongestSources } from '../../../../webview-ui/marks/attentionPattern.ts';

/** Two heads over three positions; `[head, query, key]`. */
const pattern = Float32Array.from([
  1, 0, 0, 0.25, 0.75, 0, 0.5, 0.25, 0.25, 1, 0, 0, 0.5, 0.5, 0, 0.125, 0.125, 0.75,
]);

describe('strongestSources', () => {
  it('lists the keys of one query of one head, strongest first, equal ones by position', () => {
    expect(strongestSources(pattern, 0, 3, 2, 2)).toEqual([
      { position: 0, weight: 0.5 },
      { position: 1, weight: 0.25 },
    ]);
    expect(strongestSources(pattern, 1, 3, 2, 5).map((source) => source.position)).toEqual([2, 0, 1]);
  });

  it('leaves out keys that get nothing, and is empty beyond the pattern', () => {
    expect(strongestSources(pattern, 0, 3, 0, 5)).toEqual([{ position: 0, weight: 1 }]);
    expect(strongestSources(pattern, 9, 3, 0, 5)).toEqual([]);
  });
});

describe('poolPattern', () => {
  it('is the head itself at full size', () => {
    expect([...poolPattern(pattern, 1, 3, 3)]).toEqual([...pattern.slice(9)]);
  });

  it('keeps the largest weight of each block', () => {
    const positions = 6;
    const big = new Float32Array(positions * positions).map((_, i) => ((i * 7) % 36) / 36);
    const size = 3;
    const expected: number[] = [];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const block = [0, 1].flatMap((r) =>
          [0, 1].map((c) => big[(row * 2 + r) * positions + column * 2 + c]!),
        );
        expected.push(Math.max(...block));
      }
    }
    expect([...poolPattern(big, 0, positions, size)]).toEqual(expected);
  });
});
