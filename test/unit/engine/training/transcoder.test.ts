// Transcoders must learn which output goes with which part of the input, and say so for activations as the model gives them.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/engine/random.ts';
import { train } from '../../../../src/engine/training/trainer.ts';
import {
  type TranscoderRows,
  type TranscoderWeights,
  trainTranscoder,
} from '../../../../src/engine/training/transcoder.ts';

const [dIn, dOut, dSae, truths] = [16, 12, 48, 24];
const random = seededRandom('truth');
const reads = directions(truths, dIn);
const writes = directions(truths, dOut);
const inputOffset = Float32Array.from({ length: dIn }, (_, i) => 3 - i / 5);
const outputOffset = Float32Array.from({ length: dOut }, (_, i) => i / 4 - 1);

function directions(count: number, width: number): number[][] {
  return Array.from({ length: count }, () => {
    const direction = Array.from({ length: width }, () => random.normal());
    const norm = Math.hypot(...direction);
    return direction.map((x) => x / norm);
  });
}

/** Three parts of the input at a time, each with the output that goes with it; inputs large, outputs small. */
function pairs(seed: string, rows: number): TranscoderRows {
  const draw = seededRandom(seed);
  const [x, y] = [new Float32Array(rows * dIn), new Float32Array(rows * dOut)];
  for (let row = 0; row < rows; row++) {
    x.set(inputOffset, row * dIn);
    y.set(outputOffset, row * dOut);
    for (let part = 0; part < 3; part++) {
      const which = draw.int(truths);
      const amount = 1 + draw.next();
      reads[which]!.forEach((d, i) => {
        x[row * dIn + i]! += 8 * amount * d;
      });
      writes[which]!.forEach((d, i) => {
        y[row * dOut + i]! += 0.3 * amount * d;
      });
    }
  }
  return { x, y };
}

/** Fraction of the output's variance left over and mean number of active features, by plain loops over the weights. */
function plainQuality(weights: TranscoderWeights, { x, y }: TranscoderRows) {
  const { W_enc, b_enc, W_dec, b_dec, threshold } = weights;
  const rows = x.length / dIn;
  const mean = Array.from({ length: dOut }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += y[row * dOut + i]!;
    return sum / rows;
  });
  let [residual, total, active] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const features = Array.from({ length: dSae }, (_, f) => {
      let pre = b_enc.data[f]!;
      for (let i = 0; i < dIn; i++) pre += x[row * dIn + i]! * W_enc.data[i * dSae + f]!;
      return pre > threshold.data[f]! && pre > 0 ? pre : 0;
    });
    active += features.filter((feature) => feature > 0).length;
    for (let i = 0; i < dOut; i++) {
      const decoded = features.reduce((sum, f, j) => sum + f * W_dec.data[j * dOut + i]!, b_dec.data[i]!);
      residual += (y[row * dOut + i]! - decoded) ** 2;
      total += (y[row * dOut + i]! - mean[i]!) ** 2;
    }
  }
  return { fvu: residual / total, l0: active / rows };
}

async function trained(steps: number) {
  const training = trainTranscoder({
    dIn,
    dOut,
    dSae,
    k: 4,
    deadAfterSteps: 50,
    rows: 512,
    batch: (step) => pairs(`batch ${step}`, 512),
    sample: pairs('sample', 2000),
    random: seededRandom(3),
  });
  const { parameters, state, metrics } = await train(training.task, {
    steps,
    optimizer: {
      learningRate: { kind: 'linear', peak: 5e-3, warmup: 20, hold: Math.floor(0.6 * steps), total: steps },
      clipNorm: 1,
    },
  });
  return { metrics, weights: training.finish({ parameters, state }) };
}

describe('trainTranscoder', () => {
  test('explains the outputs with as many features as wanted, and means the same when its scales are taken out', async () => {
    const { metrics, weights } = await trained(400);
    const { fvu, l0 } = plainQuality(weights, pairs('held out', 1000));
    expect(fvu).toBeLessThan(0.2);
    expect(Math.abs(metrics.fvu! - fvu)).toBeLessThan(0.03);
    expect(l0).toBeGreaterThan(3);
    expect(l0).toBeLessThan(5);
    for (let f = 0; f < dSae; f++) {
      expect(Math.hypot(...weights.W_dec.data.subarray(f * dOut, (f + 1) * dOut))).toBeCloseTo(1, 4);
    }
  });

  test('gives the same weights for the same seed', async () => {
    const [one, other] = [await trained(5), await trained(5)];
    expect(one.weights).toEqual(other.weights);
  });
});
