/** Agreement of two scorings: in rank, and in value. */
import { mean } from '../task/metric.ts';

/**
 * Spearman's ρ: the correlation of ranks, equal values sharing the mean of theirs. NaN when one list has a single value
 * throughout, or none.
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requirePairs(a, b);
  return correlation(ranksOf(a), ranksOf(b));
}

/** Pearson's r. NaN when one list has a single value throughout, or none. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requirePairs(a, b);
  const [middleA, middleB] = [mean(a), mean(b)];
  let [both, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - middleA, b[i]! - middleB];
    both += x * y;
    first += x * x;
    second += y * y;
  }
  return first === 0 || second === 0 ? Number.NaN : both / Math.sqrt(first * second);
}

function requirePairs(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} values cannot be paired.`);
}

function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = (start + end - 1) / 2;
    start = end;
  }
  return ranks;
}
