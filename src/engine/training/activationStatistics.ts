/** Centre and spread of a sample of activations. */

/** The mean of the rows of `sample` `[n, width]`. */
export function meanRow(sample: Float32Array, width: number): Float32Array {
  return weightedMean(sample, width, () => 1);
}

/**
 * The point whose summed distance to all rows is least, by Weiszfeld's iteration from the mean: unlike
 * the mean it is not drawn away by the few tokens whose activations are hundreds of times longer.
 */
export function geometricMedian(sample: Float32Array, width: number, iterations = 20): Float32Array {
  let centre = meanRow(sample, width);
  for (let i = 0; i < iterations; i++) {
    const from = centre;
    centre = weightedMean(
      sample,
      width,
      (row) => 1 / Math.max(Math.sqrt(squaredDistance(sample, row, from)), 1e-12),
    );
  }
  return centre;
}

/** Mean over rows of ‖row − centre‖². */
export function meanSquaredDistance(sample: Float32Array, centre: Float32Array): number {
  const rows = sample.length / centre.length;
  let total = 0;
  for (let row = 0; row < rows; row++) total += squaredDistance(sample, row, centre);
  return total / rows;
}

function weightedMean(sample: Float32Array, width: number, weightOf: (row: number) => number): Float32Array {
  const rows = sample.length / width;
  if (rows === 0 || !Number.isInteger(rows)) {
    throw new Error(`${sample.length} numbers are not rows of ${width}.`);
  }
  const sums = new Float64Array(width);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const weight = weightOf(row);
    total += weight;
    for (let i = 0; i < width; i++) sums[i]! += weight * sample[row * width + i]!;
  }
  return Float32Array.from(sums, (sum) => sum / total);
}

function squaredDistance(sample: Float32Array, row: number, from: Float32Array): number {
  let total = 0;
  for (let i = 0; i < from.length; i++) total += (sample[row * from.length + i]! - from[i]!) ** 2;
  return total;
}
