/** The logistic probe, against AdamW by plain loops in float64, and what it has to learn. */
import { describe, expect, it } from 'vitest';
import { probeLogits, trainProbe } from '../../../../../src/engine/method/shift/probe.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';

const width = 5;

/** Rows around two centres. With at most 32 of them every step sees all, so that the order does not matter. */
function classes(count: number, seed: number) {
  const random = seededRandom(seed);
  const labels = Array.from({ length: count }, (_, i) => (i % 2) as 0 | 1);
  const data = Float32Array.from(
    labels.flatMap((label) =>
      Array.from({ length: width }, (_, j) => 7 + 3 * random.normal() + (j === 1 ? 6 * label : 0)),
    ),
  );
  return { rows: { data, width }, labels };
}

/** AdamW (Loshchilov & Hutter 2019) on the mean cross-entropy; the bias does not decay. */
function plainProbe({ data }: { readonly data: Float32Array }, labels: readonly number[], steps: number) {
  const n = labels.length;
  const mean = Array.from({ length: width }, (_, j) =>
    labels.reduce<number>((sum, _, i) => sum + data[i * width + j]! / n, 0),
  );
  let squares = 0;
  data.forEach((x, i) => {
    squares += (x - mean[i % width]!) ** 2 / data.length;
  });
  const scale = Math.sqrt(squares);
  const x = Array.from(data, (value, i) => (value - mean[i % width]!) / scale);
  const w = new Float64Array(width + 1);
  const [m, v] = [new Float64Array(width + 1), new Float64Array(width + 1)];
  for (let step = 1; step <= steps; step++) {
    const gradient = new Float64Array(width + 1);
    for (let i = 0; i < n; i++) {
      let z = w[width]!;
      for (let j = 0; j < width; j++) z += w[j]! * x[i * width + j]!;
      const slope = (1 / (1 + Math.exp(-z)) - labels[i]!) / n;
      for (let j = 0; j < width; j++) gradient[j]! += slope * x[i * width + j]!;
      gradient[width]! += slope;
    }
    gradient.forEach((g, j) => {
      m[j] = 0.9 * m[j]! + 0.1 * g;
      v[j] = 0.999 * v[j]! + 0.001 * g * g;
      const decay = j < width ? 0.01 * 0.01 * w[j]! : 0;
      const step1 = (0.01 * (m[j]! / (1 - 0.9 ** step))) / (Math.sqrt(v[j]! / (1 - 0.999 ** step)) + 1e-8);
      w[j] = w[j]! - step1 - decay;
    });
  }
  const weights = Array.from(w.subarray(0, width), (value) => value / scale);
  return { weights, bias: w[width]! - weights.reduce((sum, value, j) => sum + value * mean[j]!, 0) };
}

describe('the probe', () => {
  it('is what AdamW by plain loops gives after 160 steps', async () => {
    const { rows, labels } = classes(30, 1);
    const found = await trainProbe(rows, labels, { seed: 1 });
    const plain = plainProbe(rows, labels, 160);
    plain.weights.forEach((weight, j) => {
      expect(found.weights[j]).toBeCloseTo(weight, 4);
    });
    expect(found.bias).toBeCloseTo(plain.bias, 3);
  });

  it('reads rows as they are: logits are weights · x + bias', () => {
    const logits = probeLogits(
      { weights: Float32Array.of(1, -2), bias: 0.5 },
      { data: Float32Array.of(3, 1, 0, 4), width: 2 },
    );
    expect([...logits]).toEqual([1.5, -7.5]);
  });

  it('gives equal probes for equal seeds, and tells the classes apart', async () => {
    const { rows, labels } = classes(100, 2);
    const [one, same] = [
      await trainProbe(rows, labels, { seed: 4 }),
      await trainProbe(rows, labels, { seed: 4 }),
    ];
    expect([...one.weights]).toEqual([...same.weights]);
    const right = labels.filter((label, i) => probeLogits(one, rows)[i]! > 0 === (label === 1)).length;
    expect(right / labels.length).toBeGreaterThan(0.75);
  });
});
