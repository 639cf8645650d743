// AdamW against the paper's algorithm in plain loops, and the schedules against their formulas.

import { describe, expect, test } from 'vitest';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { constant, input } from '../../../../src/engine/graph/sources.ts';
import { floatsOf, floatValue, toNumbers, type Value } from '../../../../src/engine/graph/value.ts';
import { adamW, learningRateAt, type Schedule } from '../../../../src/engine/training/optimizer.ts';

const stepValue = (step: number): Value => ({ dtype: 'float64', dims: [], data: Float64Array.of(step) });

/** Algorithm 2 of Loshchilov & Hutter 2019 with clipping, over doubles. */
function plainAdamW(
  start: readonly number[],
  gradient: (p: readonly number[], step: number) => number[],
  steps: number,
) {
  let [p, m, v] = [[...start], start.map(() => 0), start.map(() => 0)];
  for (let t = 1; t <= steps; t++) {
    const raw = gradient(p, t);
    const norm = Math.hypot(...raw);
    const g = raw.map((x) => x * Math.min(1, 0.5 / (norm + 1e-6)));
    m = m.map((x, i) => 0.8 * x + 0.2 * g[i]!);
    v = v.map((x, i) => 0.95 * x + 0.05 * g[i]! ** 2);
    p = p.map((x, i) => {
      const step = m[i]! / (1 - 0.8 ** t) / (Math.sqrt(v[i]! / (1 - 0.95 ** t)) + 1e-6);
      return x - 0.01 * (step + (i < 2 ? 0.1 * x : 0));
    });
  }
  return p;
}

describe('adamW', () => {
  test('follows the algorithm over ten steps, with clipping and a decay mask', async () => {
    const vector = (name: string) => input(name, 'float32', [4]);
    const update = adamW(
      { parameters: vector('p'), moment1: vector('m'), moment2: vector('v') },
      vector('g'),
      input('step', 'float64', []),
      constant(Float32Array.of(1, 1, 0, 0), [4]),
      {
        learningRate: { kind: 'constant', peak: 0.01 },
        betas: [0.8, 0.95],
        epsilon: 1e-6,
        weightDecay: 0.1,
        clipNorm: 0.5,
      },
    );
    const compiled = await compile(
      program({ p1: update.parameters, m1: update.moment1, v1: update.moment2, norm: update.gradientNorm }),
    );
    const start = [1, -2, 3, 0.5];
    const gradient = (p: readonly number[], step: number) =>
      p.map((x, i) => 0.1 * x + Math.sin(step * (i + 1)));
    let [p, m, v] = [floatValue(start), floatValue([0, 0, 0, 0]), floatValue([0, 0, 0, 0])] as Value[];
    for (let t = 1; t <= 10; t++) {
      const g = floatValue(gradient(toNumbers(p!), t));
      const out = await compiled.run({ p: p!, m: m!, v: v!, g, step: stepValue(t) });
      expect(floatsOf(out.norm!)[0]).toBeCloseTo(Math.hypot(...g.data), 5);
      [p, m, v] = [out.p1, out.m1, out.v1];
    }
    await compiled.release();
    const expected = plainAdamW(start, gradient, 10);
    toNumbers(p!).forEach((x, i) => {
      expect(x).toBeCloseTo(expected[i]!, 5);
    });
  });
});

describe('learningRateAt', () => {
  const cases: readonly { schedule: Schedule; rates: Readonly<Record<number, number>> }[] = [
    { schedule: { kind: 'constant', peak: 2 }, rates: { 1: 2, 1000: 2 } },
    { schedule: { kind: 'constant', peak: 2, warmup: 4 }, rates: { 1: 0.5, 2: 1, 4: 2, 5: 2 } },
    {
      schedule: { kind: 'linear', peak: 2, warmup: 4, total: 14 },
      rates: { 3: 1.5, 4: 2, 9: 1, 14: 0, 20: 0 },
    },
    {
      schedule: { kind: 'linear', peak: 2, warmup: 4, hold: 10, total: 14, final: 0.5 },
      rates: { 4: 2, 10: 2, 12: 1.5, 14: 1 },
    },
    {
      schedule: { kind: 'cosine', peak: 2, warmup: 2, total: 10, final: 0.1 },
      rates: { 1: 1, 2: 2, 4: 0.2 + 1.8 * (0.5 + Math.SQRT2 / 4), 6: 1.1, 10: 0.2 },
    },
  ];

  test.each(cases)('$schedule.kind', async ({ schedule, rates }) => {
    const compiled = await compile(program({ rate: learningRateAt(schedule, input('step', 'float64', [])) }));
    for (const [step, rate] of Object.entries(rates)) {
      const { rate: found } = await compiled.run({ step: stepValue(Number(step)) });
      expect(toNumbers(found!)[0], `step ${step}`).toBeCloseTo(rate, 12);
    }
    await compiled.release();
  });

  test('refuses a fall that has no end', () => {
    expect(() =>
      learningRateAt({ kind: 'cosine', peak: 1, warmup: 5 }, input('step', 'float64', [])),
    ).toThrow('total');
  });
});
