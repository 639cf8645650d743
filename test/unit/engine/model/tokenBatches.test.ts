/** Prompts are grouped by length without losing any or their places. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesByLength } from '../../../../src/engine/model/tokenBatches.ts';

const prompts = fc.array(fc.array(fc.nat(9), { maxLength: 4 }), { maxLength: 30 });

describe('batchesByLength', () => {
  it('puts every prompt into one batch of its length, no larger than asked, in order', () => {
    fc.assert(
      fc.property(prompts, fc.integer({ min: 1, max: 7 }), (lists, size) => {
        const given = lists.map((list) => Int32Array.from(list));
        const batches = batchesByLength(given, size);
        const places = batches.flatMap((batch) => batch.places);
        expect([...places].sort((a, b) => a - b)).toEqual(lists.map((_, i) => i));
        for (const batch of batches) {
          expect(batch.tokens.length).toBeLessThanOrEqual(size);
          expect(new Set(batch.tokens.map(({ length }) => length)).size).toBe(1);
          expect(batch.tokens).toEqual(batch.places.map((place) => given[place]));
          expect([...batch.places]).toEqual([...batch.places].sort((a, b) => a - b));
        }
        const fewest = [...new Set(lists.map(({ length }) => length))].map((length) =>
          Math.ceil(lists.filter((list) => list.length === length).length / size),
        );
        expect(batches.length).toBe(fewest.reduce((sum, count) => sum + count, 0));
      }),
      { seed: 3 },
    );
  });
});
