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

/**
 * About a quarter of the pairs is held out, drawn in an order that is always the same; none of fewer than 8. Pairs that have
 * a prompt in common stay together, so that no tested prompt was seen. Where prompts tie nearly all pairs together, only
 * those with the same two prompts do, in whichever direction; and where those too are all the same, all are used for both.
 */
export function splitPairs(pairs: readonly TokenPair[]): PairSplit {
  if (pairs.length < leastToSplit) return { train: pairs, test: pairs };
  const ways = [
    ({ clean, corrupted }: TokenPair) => [clean.join(), corrupted.join()],
    ({ clean, corrupted }: TokenPair) => [[clean.join(), corrupted.join()].sort().join(' ')],
  ];
  for (const keysOf of ways) {
    const test = drawGroups(groupsOf(pairs, keysOf), Math.min(mostTested, Math.floor(pairs.length / 4)));
    if (test.size === 0) continue;
    return { train: pairs.filter((pair) => !test.has(pair)), test: pairs.filter((pair) => test.has(pair)) };
  }
  return { train: pairs, test: pairs };
}

/** Whole groups, as long as there is room. */
function drawGroups(groups: readonly (readonly TokenPair[])[], room: number): ReadonlySet<TokenPair> {
  const drawn = new Set<TokenPair>();
  for (const group of seededRandom('held-out pairs').shuffle(groups)) {
    if (drawn.size + group.length <= room) for (const pair of group) drawn.add(pair);
  }
  return drawn;
}

/** Pairs that are tied by a key, directly or through others, in the order of their first ones. */
function groupsOf(
  pairs: readonly TokenPair[],
  keysOf: (pair: TokenPair) => readonly string[],
): TokenPair[][] {
  const byKey = new Map<string, TokenPair[]>();
  for (const pair of pairs) {
    const keys = keysOf(pair);
    const tied = [...new Set(keys.flatMap((key) => byKey.get(key) ?? []))];
    const group = [...tied, pair];
    for (const member of group) for (const key of keysOf(member)) byKey.set(key, group);
  }
  return [...new Set(byKey.values())];
}
