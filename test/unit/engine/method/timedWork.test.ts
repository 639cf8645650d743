/** What calls and units take, against samples whose clock is made up. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { timeWork } from '../../../../src/engine/method/timedWork.ts';

afterEach(() => vi.restoreAllMocks());

/** Samples that take `perCall + units · perUnit` milliseconds, and much more the first time. */
function samples(perCall: number, perUnit: number) {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return (units: number) => {
    let isCompiled = false;
    return {
      units,
      run: async () => {
        now += perCall + units * perUnit + (isCompiled ? 0 : 1000);
        isCompiled = true;
      },
    };
  };
}

describe('timeWork', () => {
  it('tells calls from units, and leaves compiling out', async () => {
    const sample = samples(7, 0.25);
    const { perCall, perUnit } = await timeWork(sample(4), sample(48));
    expect(perCall).toBeCloseTo(7, 9);
    expect(perUnit).toBeCloseTo(0.25, 9);
  });

  it('counts all as units when there is only one size, and nothing as less than nothing', async () => {
    const sample = samples(8, 1);
    expect(await timeWork(sample(4), sample(4))).toEqual({ perCall: 0, perUnit: 3 });
    const none = samples(0, 0);
    expect(await timeWork(none(0), none(0))).toEqual({ perCall: 0, perUnit: 0 });
  });
});
