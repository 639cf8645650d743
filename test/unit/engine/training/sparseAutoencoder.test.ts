// Autoencoders must find the directions that made up data is made of, and keep their promises on form.

import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/engine/random.ts';
import {
  geometricMedian,
  meanRow,
  meanSquaredDistance,
} from '../../../../src/engine/training/activationStatistics.ts';
import {
  type SparseAutoencoderOptions,
  type SparseAutoencoderWeights,
  trainSparseAutoencoder,
} from '../../../../src/engine/training/sparseAutoencoder.ts';
import { train } from '../../../../src/engine/training/trainer.ts';

const width = 16;
const directions = makeDirections(32);
/** Far from 0 and of another scale than the trainer likes, so that centring and scaling matter. */
const offset = Float32Array.from({ length: width }, (_, i) => 3 + i / 4);
const size = 5;

function makeDirections(count: number): number[][] {
  const random = seededRandom('directions');
  return Array.from({ length: count }, () => {
    const direction = Array.from({ length: width }, () => random.normal());
    const norm = Math.hypot(...direction);
    return direction.map((x) => x / norm);
  });
}

/** Rows that are the offset and three true directions each, `[rows, width]`. */
function activations(seed: string, rows: number): Float32Array {
  const random = seededRandom(seed);
  const out = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    out.set(offset, row * width);
    for (let j = 0; j < 3; j++) {
      const direction = random.pick(directions);
      const amount = size * (1 + random.next());
      direction.forEach((x, i) => {
        out[row * width + i]! += amount * x;
      });
    }
  }
  return out;
}

function setUp(architecture: SparseAutoencoderOptions['architecture'], dSae = 48) {
  return trainSparseAutoencoder({
    dIn: width,
    dSae,
    architecture,
    rows: 512,
    activations: (step) => activations(`batch ${step}`, 512),
    sample: activations('sample', 2000),
    random: seededRandom(3),
  });
}

const optimizer = (steps: number) => ({
  learningRate: {
    kind: 'linear',
    peak: 5e-3,
    warmup: 20,
    hold: Math.floor(0.6 * steps),
    total: steps,
  } as const,
  clipNorm: 1,
});

/** Mean over true directions of the best cosine with a decoder row. */
function meanMaxCosine({ W_dec }: SparseAutoencoderWeights): number {
  const rows = Array.from({ length: W_dec.dims[0]! }, (_, i) =>
    W_dec.data.subarray(i * width, (i + 1) * width),
  );
  const best = directions.map((truth) =>
    Math.max(...rows.map((row) => truth.reduce((sum, x, i) => sum + x * row[i]!, 0) / Math.hypot(...row))),
  );
  return best.reduce((sum, x) => sum + x, 0) / best.length;
}

/** Fraction of variance unexplained on raw activations, by plain loops over the finished weights. */
function plainFvu(
  { W_enc, b_enc, W_dec, b_dec }: SparseAutoencoderWeights,
  x: Float32Array,
  k: number,
): number {
  const rows = x.length / width;
  const features = b_enc.data.length;
  const centre = meanRow(x, width);
  let [residual, total] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const input = Array.from(x.subarray(row * width, (row + 1) * width));
    const before = Array.from({ length: features }, (_, f) =>
      input.reduce(
        (sum, value, i) => sum + (value - b_dec.data[i]!) * W_enc.data[i * features + f]!,
        b_enc.data[f]!,
      ),
    );
    const threshold = [...before].sort((a, b) => b - a)[k - 1]!;
    input.forEach((value, i) => {
      const decoded = before.reduce(
        (sum, f, j) => sum + (f > 0 && f >= threshold ? f * W_dec.data[j * width + i]! : 0),
        b_dec.data[i]!,
      );
      residual += (value - decoded) ** 2;
      total += (value - centre[i]!) ** 2;
    });
  }
  return residual / total;
}

describe('trainSparseAutoencoder', () => {
  test('TopK finds the true directions', async () => {
    const { task, finish } = setUp({ kind: 'topk', k: 3, deadAfterSteps: 50 });
    const trained = await train(task, { steps: 500, optimizer: optimizer(500) });
    const weights = finish(trained.parameters);
    expect(meanMaxCosine(weights)).toBeGreaterThan(0.9);
    expect(trained.metrics.l0).toBeCloseTo(3, 1);
    for (let row = 0; row < 48; row++) {
      expect(Math.hypot(...weights.W_dec.data.subarray(row * width, (row + 1) * width))).toBeCloseTo(1, 4);
    }
    // The finished weights do on raw activations what the trained ones did on scaled ones.
    expect(plainFvu(weights, activations('held out', 300), 3)).toBeCloseTo(trained.metrics.fvu!, 1);
    expect(plainFvu(weights, activations('held out', 300), 3)).toBeLessThan(0.25);
  });

  test('standard finds the true directions with few features at a time', async () => {
    const { task, finish } = setUp({ kind: 'standard', sparsity: 2, sparsityWarmup: 50, deadAfterSteps: 50 });
    const trained = await train(task, { steps: 500, optimizer: optimizer(500) });
    const weights = finish(trained.parameters);
    expect(meanMaxCosine(weights)).toBeGreaterThan(0.9);
    expect(trained.metrics.l0).toBeLessThan(10);
    expect(plainFvu(weights, activations('held out', 300), 48)).toBeCloseTo(trained.metrics.fvu!, 1);
  });

  test('the auxiliary loss revives features that never come among the largest', async () => {
    const deadShare = async (auxiliaryWeight: number) => {
      const { task } = setUp({ kind: 'topk', k: 3, deadAfterSteps: 20, auxiliaryWeight });
      const encoder = task.parameters.W_enc!.initial.data;
      // The first 16 of 48 features read their direction a hundred times too weakly.
      for (let i = 0; i < encoder.length; i++) if (i % 48 < 16) encoder[i]! /= 100;
      const trained = await train(task, { steps: 150, optimizer: optimizer(150) });
      return trained.metrics.dead!;
    };
    expect(await deadShare(0)).toBeGreaterThan(0.25);
    expect(await deadShare(1 / 32)).toBeLessThan(0.1);
  });
});

describe('activation statistics', () => {
  test('the geometric median ignores a far outlier that moves the mean', () => {
    const sample = Float32Array.from([0, 0, 1, 0, 0, 1, 1, 1, 0.5, 0.5, 1000, 1000]);
    expect(meanRow(sample, 2)[0]).toBeGreaterThan(100);
    expect(geometricMedian(sample, 2, 200)[0]).toBeLessThan(1.01);
  });

  test('the mean square distance is that of a sum by hand', () => {
    expect(meanSquaredDistance(Float32Array.of(0, 0, 3, 4), Float32Array.of(0, 0))).toBe(12.5);
  });
});
