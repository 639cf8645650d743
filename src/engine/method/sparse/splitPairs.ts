/** Which pairs a circuit is found on, and which it is tested on. */
import { seededRandom } from '../../random.ts';
import type { TokenPair } from '../../task/task.ts';

export interface PairSplit {
  readonly train: readonly TokenPair[];
  readonly test: readonly TokenPair[];
}

/** Pairs below which all are used for both. */
export const leastToSplit = 8;

/** Pairs that circuits are tested on at most (Marks et al. 2024 take 40). */
const mostTested = 40;

/** A quarter of the pairs, drawn in an order that is always the same, is held out; none of fewer than 8. */
export function splitPairs(pairs: readonly TokenPair[]): PairSplit {
  if (pairs.length < leastToSplit) return { train: pairs, test: pairs };
  const shuffled = seededRandom('held-out pairs').shuffle(pairs);
  const held = Math.min(mostTested, Math.floor(pairs.length / 4));
  const test = new Set(shuffled.slice(0, held));
  return { train: pairs.filter((pair) => !test.has(pair)), test: pairs.filter((pair) => test.has(pair)) };
}
