/** Batches of a task's pairs that can run together: of one length, and no more than fit into memory. */
import type { TokenPair } from '../task/task.ts';

export interface PairBatch {
  readonly pairs: readonly TokenPair[];
  readonly clean: readonly Int32Array[];
  readonly corrupted: readonly Int32Array[];
  /** Tokens of each prompt. */
  readonly length: number;
}

/** The pairs by length, in batches of at most `tokens` tokens (but one pair at least). */
export function pairBatches(pairs: readonly TokenPair[], tokens: number): PairBatch[] {
  const byLength = new Map<number, TokenPair[]>();
  for (const pair of pairs) {
    const { length } = pair.clean;
    byLength.set(length, [...(byLength.get(length) ?? []), pair]);
  }
  const batches: PairBatch[] = [];
  for (const [length, group] of byLength) {
    const size = Math.max(1, Math.floor(tokens / length));
    for (let start = 0; start < group.length; start += size) {
      const part = group.slice(start, start + size);
      batches.push({
        pairs: part,
        clean: part.map(({ clean }) => clean),
        corrupted: part.map(({ corrupted }) => corrupted),
        length,
      });
    }
  }
  return batches;
}
