/** Metrics of a task against plain loops, and their gradients against finite differences. */
import { describe, expect, it } from 'vitest';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import { denseGradient } from '../../../../src/engine/model/logitGradients.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import {
  isDifferentiable,
  mean,
  metricGradient,
  metricSeed,
  metricValue,
  metricValues,
  normalized,
  seedNeedsLogits,
} from '../../../../src/engine/task/metric.ts';
import { taskMetrics } from '../../../../src/shared/task.ts';

const dVocab = 13;
const random = seededRandom(4);
const drawLogits = () => Float32Array.from({ length: dVocab }, () => 2 * random.normal());
const one = { answers: [3], wrongAnswers: [7] };
const several = { answers: [1, 4, 9], wrongAnswers: [0, 12] };

/** Softmax as anyone would write it first. */
function softmax(logits: ArrayLike<number>): number[] {
  const exponentials = Array.from(logits, Math.exp);
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

function total(values: readonly number[], ids: readonly number[]): number {
  let sum = 0;
  for (const id of ids) sum += values[id]!;
  return sum;
}

describe('metricValue', () => {
  it('follows the formula of each metric, for one answer and for sets', () => {
    for (const pair of [one, several]) {
      const [logits, reference] = [drawLogits(), drawLogits()];
      const [q, p] = [softmax(logits), softmax(reference)];
      const [right, wrong] = [total(q, pair.answers), total(q, pair.wrongAnswers)];
      const plain = [...logits];
      const expected = {
        logitDifference:
          total(plain, pair.answers) / pair.answers.length -
          total(plain, pair.wrongAnswers) / pair.wrongAnswers.length,
        answerSetLogOdds: Math.log(right / wrong),
        probability: right,
        probabilityDifference: right - wrong,
        crossEntropy: -Math.log(right),
        kl: p.reduce((sum, value, i) => sum + value * Math.log(value / q[i]!), 0),
        accuracy: right > wrong ? 1 : 0,
      };
      for (const metric of taskMetrics) {
        const found = metricValue(metric, logits, pair, reference);
        expect(found, metric).toBeCloseTo(expected[metric], 6);
      }
    }
  });

  it('is the plain difference of two logits for one answer, whichever way sets are compared', () => {
    const logits = drawLogits();
    const difference = logits[3]! - logits[7]!;
    expect(metricValue('logitDifference', logits, one)).toBeCloseTo(difference, 6);
    expect(metricValue('answerSetLogOdds', logits, one)).toBeCloseTo(difference, 6);
  });

  it('stays a number for logits whose exponential is none, and for a token that cannot come', () => {
    const logits = drawLogits().map((logit) => logit + 5000);
    const reference = logits.slice();
    reference[5] = -Infinity;
    for (const metric of taskMetrics) {
      expect(metricValue(metric, logits, several, reference), metric).not.toBeNaN();
    }
    expect(metricValue('kl', logits, several, logits)).toBeCloseTo(0, 6);
  });

  it('asks for the clean run where it needs it', () => {
    expect(() => metricValue('kl', drawLogits(), one)).toThrow('clean run');
  });
});

describe('metricGradient', () => {
  it('agrees with finite differences for every metric that has a gradient', () => {
    const step = 1e-2;
    for (const metric of taskMetrics.filter(isDifferentiable)) {
      for (const pair of [one, several]) {
        const [logits, reference] = [drawLogits(), drawLogits()];
        const gradient = metricGradient(metric, logits, pair, reference);
        for (let i = 0; i < dVocab; i++) {
          const [up, down] = [logits.slice(), logits.slice()];
          up[i]! += step;
          down[i]! -= step;
          const rise = metricValue(metric, up, pair, reference) - metricValue(metric, down, pair, reference);
          expect(gradient[i], `${metric} ${i}`).toBeCloseTo(rise / (up[i]! - down[i]!), 3);
        }
      }
    }
  });

  it('is refused for accuracy', () => {
    expect(isDifferentiable('accuracy')).toBe(false);
    expect(() => metricGradient('accuracy', drawLogits(), one)).toThrow('no gradient');
  });
});

describe('a batch', () => {
  const rows = [drawLogits(), drawLogits(), drawLogits()];
  const references = [drawLogits(), drawLogits(), drawLogits()];
  const stacked = (list: readonly Float32Array[]) =>
    floatValue(Float32Array.from(list.flatMap((row) => [...row])), [list.length, 1, dVocab]);
  const pairs = [one, several, { answers: [2], wrongAnswers: [5, 6] }];

  it('gives each pair its own value and its own gradient', () => {
    const values = metricValues('kl', stacked(rows), pairs, stacked(references));
    const seed = metricSeed('kl', 8, stacked(rows), pairs, stacked(references));
    expect(seed.positions).toEqual([8]);
    expect(seed.gradient.dims).toEqual([3, 1, dVocab]);
    pairs.forEach((pair, i) => {
      expect(values[i]).toBe(metricValue('kl', rows[i]!, pair, references[i]));
      const own = Float32Array.from(metricGradient('kl', rows[i]!, pair, references[i]));
      expect(floatsOf(seed.gradient).slice(i * dVocab, (i + 1) * dVocab)).toEqual(own);
    });
  });

  it('gives metrics that compare answers alone at the tokens of answers alone', () => {
    for (const metric of ['logitDifference', 'answerSetLogOdds'] as const) {
      const seed = metricSeed(metric, 8, stacked(rows), pairs);
      expect(seed.tokens!.length).toBeLessThan(dVocab);
      const dense = denseGradient(seed, dVocab);
      pairs.forEach((pair, i) => {
        const own = Float32Array.from(metricGradient(metric, rows[i]!, pair));
        expect(dense.data.slice(i * dVocab, (i + 1) * dVocab), metric).toEqual(own);
      });
    }
  });

  it('needs no logits for the logit difference, and asks for them elsewhere', () => {
    const seed = metricSeed('logitDifference', 8, undefined, pairs);
    expect(seed).toEqual(metricSeed('logitDifference', 8, stacked(rows), pairs));
    for (const metric of taskMetrics.filter(isDifferentiable).filter(seedNeedsLogits)) {
      expect(() => metricSeed(metric, 8, undefined, pairs, stacked(references)), metric).toThrow('logits');
    }
  });

  it('refuses logits of other positions than the last', () => {
    const all = floatValue(new Float32Array(3 * 2 * dVocab), [3, 2, dVocab]);
    expect(() => metricValues('probability', all, pairs)).toThrow('[3, 2, 13]');
  });
});

describe('the mean and the normalised form', () => {
  it('put the corrupted run at 0 and the clean run at 1, also when less is better', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(normalized(2, { clean: 4, corrupted: -4 })).toBeCloseTo(0.75);
    expect(normalized(3, { clean: 0, corrupted: 4 })).toBeCloseTo(0.25);
    expect(normalized(-4, { clean: 4, corrupted: -4 })).toBe(0);
  });

  it('say nothing where both runs are the same', () => {
    expect(normalized(1, { clean: 2, corrupted: 2 })).toBeUndefined();
    expect(normalized(1, { clean: 2, corrupted: Number.NaN })).toBeUndefined();
  });
});
