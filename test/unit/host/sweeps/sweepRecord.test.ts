/** How far a sweep is: counted in interventions that are run, not in cells. */
import { describe, expect, it } from 'vitest';
import { progressOf, type SweepRecord } from '../../../../src/host/sweeps/sweepRecord.ts';

/** A sweep of 10 cells over 4 pairs, of which 6 cells cannot change anything. */
function recordWith(pairs: readonly number[], runs = 16): SweepRecord {
  return {
    cells: { values: new Float32Array(10), raw: new Float64Array(10), pairs: Int32Array.from(pairs) },
    estimate: { cells: 10, runs, memory: 0, seconds: 1 },
    outline: { pairCount: 4 },
  } as unknown as SweepRecord;
}

describe('progressOf', () => {
  it('counts nothing for cells that are known without a run', () => {
    expect(progressOf(recordWith([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))).toEqual({ done: 0, total: 16 });
    expect(progressOf(recordWith([0, 0, 0, 0, 4, 4, 4, 4, 4, 4]))).toEqual({ done: 0, total: 16 });
    expect(progressOf(recordWith([4, 0, 0, 0, 4, 4, 4, 4, 4, 4]))).toEqual({ done: 4, total: 16 });
    expect(progressOf(recordWith([4, 4, 4, 4, 4, 4, 4, 4, 4, 4]))).toEqual({ done: 16, total: 16 });
  });

  it('counts pair by pair where a batch of pairs comes after another', () => {
    expect(progressOf(recordWith([2, 2, 2, 2, 2, 2, 2, 2, 2, 2]))).toEqual({ done: 8, total: 16 });
    expect(progressOf(recordWith([4, 2, 2, 2, 4, 4, 4, 4, 4, 4]))).toEqual({ done: 10, total: 16 });
  });

  it('counts every cell where every cell needs a run', () => {
    expect(progressOf(recordWith([4, 4, 1, 0, 0, 0, 0, 0, 0, 0], 40))).toEqual({ done: 9, total: 40 });
  });

  it('never tells less than nothing, as of a sweep kept from when such cells came last', () => {
    expect(progressOf(recordWith([4, 0, 0, 0, 0, 0, 0, 0, 0, 0]))).toEqual({ done: 0, total: 16 });
  });
});
