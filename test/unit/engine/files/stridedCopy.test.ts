/** Views of files come out in row-major order, as a plain loop over all indices says. */
import { describe, expect, it } from 'vitest';
import { gatherStrided, swapBytes } from '../../../../src/engine/files/stridedCopy.ts';

/** Every element of the view, one index after the other. */
function plainly(
  source: Uint8Array,
  size: number,
  shape: readonly number[],
  strides: readonly number[],
  start: number,
) {
  const out: number[] = [];
  const visit = (axis: number, at: number): void => {
    if (axis === shape.length) {
      out.push(...source.subarray(at * size, (at + 1) * size));
      return;
    }
    for (let i = 0; i < shape[axis]!; i++) visit(axis + 1, at + i * strides[axis]!);
  };
  visit(0, start);
  return Uint8Array.from(out);
}

describe('gatherStrided', () => {
  const bytes = Uint8Array.from({ length: 80_000 }, (_, i) => (i * 7 + (i >> 8)) % 256);

  it.each([
    ['a scalar', [], [], 5],
    ['a column', [70], [100], 3],
    ['a transposed matrix', [100, 70], [1, 100], 0],
    ['a matrix of whole tiles', [64, 32], [1, 64], 0],
    ['a permuted block', [4, 33, 35], [1, 4 * 35, 4], 7],
    ['a Fortran-ordered block', [3, 4, 5, 6], [1, 3, 12, 60], 1],
    ['repeated rows', [9, 8], [0, 1], 2],
    ['nothing', [0, 5], [5, 1], 0],
    ['nothing inside something', [5, 0], [1, 1], 0],
  ])('copies %s of elements of every size', (_, shape, strides, start) => {
    for (const size of [1, 2, 4, 8]) {
      const found = gatherStrided('a.pt', bytes, size, shape, strides, start);
      expect(found).toEqual(plainly(bytes, size, shape, strides, start));
    }
  });

  it('reads from bytes that lie unevenly in their buffer', () => {
    const uneven = bytes.subarray(3, 3 + 4000);
    expect(gatherStrided('a.pt', uneven, 4, [10, 20], [1, 10], 0)).toEqual(
      plainly(uneven, 4, [10, 20], [1, 10], 0),
    );
  });
});

describe('swapBytes', () => {
  it('turns every element round', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    swapBytes(bytes, 4);
    expect([...bytes]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    swapBytes(bytes, 1);
    expect([...bytes]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
  });
});
