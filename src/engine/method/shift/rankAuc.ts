/** How well one number tells two classes apart: the area under the ROC curve, by ranks. */

/**
 * The probability that a value of class 1 is larger than one of class 0, ties counted half (Mann–Whitney U / n₀n₁).
 * ½ when a class is empty.
 */
export function rankAuc(values: ArrayLike<number>, labels: readonly (0 | 1)[]): number {
  const order = labels.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    // Equal values share the mean of their ranks, counted from 1.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]!] !== 1) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return 0.5;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** |AUC − ½| · 2: 0 when the values tell nothing, 1 when they tell the classes apart without fault. */
export function separation(values: ArrayLike<number>, labels: readonly (0 | 1)[]): number {
  return Math.abs(rankAuc(values, labels) - 0.5) * 2;
}
