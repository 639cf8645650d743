// The seeded generator: recorded values, repeatability, evenness.
import { describe, expect, it } from 'vitest';
import { restoredRandom, seededRandom } from '../../../src/engine/random.ts';

describe('seededRandom', () => {
  it('draws what an implementation of xoshiro128** with whole numbers of any size draws from the state 1, 2, 3, 4', () => {
    const random = restoredRandom([1, 2, 3, 4]);
    const drawn = Array.from({ length: 8 }, () => random.next() * 2 ** 32);
    expect(drawn).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849]);
  });

  it('repeats itself for the same seed and differs for another', () => {
    const draw = (seed: number | string) => {
      const random = seededRandom(seed);
      return Array.from({ length: 50 }, () => random.next());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1)).not.toEqual(draw('1'));
  });

  it('continues from a stored state as if it had never stopped', () => {
    const random = seededRandom('stored');
    for (let i = 0; i < 10; i++) random.next();
    const restored = restoredRandom(random.state());
    expect(Array.from({ length: 20 }, () => restored.next())).toEqual(
      Array.from({ length: 20 }, () => random.next()),
    );
  });

  it('forks by label, whatever was drawn before', () => {
    const early = seededRandom(3).fork('a');
    const drawn = seededRandom(3);
    drawn.next();
    const late = drawn.fork('a');
    const other = seededRandom(3).fork('b');
    const values = (random: typeof early) => Array.from({ length: 5 }, () => random.next());
    const first = values(early);
    expect(values(late)).toEqual(first);
    expect(values(other)).not.toEqual(first);
  });

  it('is even over ten bins by a chi-squared test, for next and for int', () => {
    const random = seededRandom(11);
    for (const draw of [() => Math.floor(random.next() * 10), () => random.int(10)]) {
      const bins = new Array<number>(10).fill(0);
      for (let i = 0; i < 20000; i++) bins[draw()]! += 1;
      const chiSquared = bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
      // 27.9 is the 0.1 % point for nine degrees of freedom.
      expect(chiSquared).toBeLessThan(27.9);
    }
  });

  it('shuffles into every order about equally often and leaves the list alone', () => {
    const random = seededRandom(5);
    const list = ['a', 'b', 'c'];
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle(list).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(list).toEqual(['a', 'b', 'c']);
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });

  it('draws normal numbers with mean 0, variance 1 and the right tails', () => {
    const random = seededRandom(8);
    const values = Array.from({ length: 20000 }, () => random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length - mean * mean;
    const beyondTwo = values.filter((value) => Math.abs(value) > 2).length / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
    expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan(0.006);
  });

  it('refuses what cannot be drawn', () => {
    const random = seededRandom(1);
    expect(() => random.int(0)).toThrow(RangeError);
    expect(() => random.int(1.5)).toThrow(RangeError);
    expect(() => random.pick([])).toThrow(RangeError);
    expect(() => restoredRandom([0, 0, 0, 0])).toThrow(RangeError);
  });
});
