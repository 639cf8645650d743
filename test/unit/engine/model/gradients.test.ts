/** Gradients against central differences of the plain-loop reference in float64. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import type { HookEdit } from '../../../../src/engine/model/edits.ts';
import { blockGradient, gradientsAt } from '../../../../src/engine/model/gradients.ts';
import type { BlockHook } from '../../../../src/engine/model/hooks.ts';
import {
  crossEntropyGradient,
  denseGradient,
  klGradient,
  type LogitGradient,
  linearGradient,
  logitDifferenceGradient,
} from '../../../../src/engine/model/logitGradients.ts';
import { stageHooks } from '../../../../src/engine/model/modelHooks.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { type PlainHook, plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import { gpt2Shape, tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';

const weights = tinyWeights(tinyConfig, 4);
const prompt = [3, 17, 8, 3, 22];
const tokens = [Int32Array.from(prompt)];
const { dVocab } = tinyConfig;

/** Hooks of block 0 and the stages around it. Copies of the stream have their own test against recorded values. */
const hooks = [
  'hook_embed',
  'hook_pos_embed',
  ...stageHooks(gpt2Shape, 0)
    .filter((hook) => !hook.endsWith('_input') && hook !== 'hook_mlp_in')
    .map((hook) => `blocks.0.${hook}`),
  'blocks.1.attn.hook_v',
  'ln_final.hook_scale',
  'ln_final.hook_normalized',
  'unembed.hook_in',
  'unembed.hook_out',
];

const edits: HookEdit[] = [
  { hook: 'blocks.0.attn.hook_z', keep: floatValue([1, 0.5, 0], [1, 1, 3, 1]), add: 0.1 },
  { hook: 'blocks.0.hook_resid_pre', keep: 0.7, add: 0 },
  { hook: 'blocks.1.hook_mlp_out', keep: 0.2, add: 0.3 },
];

/** The same edits in the reference. */
const editPlain: PlainHook = (name, { data }) => {
  data.forEach((x, i) => {
    if (name === 'blocks.0.attn.hook_z') data[i] = x * [1, 0.5, 0][Math.floor(i / 4) % 3]! + 0.1;
    if (name === 'blocks.0.hook_resid_pre') data[i] = x * 0.7;
    if (name === 'blocks.1.hook_mlp_out') data[i] = x * 0.2 + 0.3;
  });
};

let model: Transformer;

beforeAll(async () => {
  model = await Transformer.open(await writeTinyGpt2(tinyConfig, weights));
});

afterAll(() => model?.release());

describe.each([
  { what: 'a clean run', edits: [] as HookEdit[], plain: (() => {}) as PlainHook },
  { what: 'an edited run', edits, plain: editPlain },
])('gradients of $what', ({ edits: active, plain }) => {
  it('of a logit difference follow central differences at every hook', async () => {
    const { residuals } = await model.run({ tokens, edits: active });
    const seed = logitDifferenceGradient(3, 5, 9);
    const gradients = await gradientsAt(model, { residuals, edits: active, seed, hooks });
    const metric = (logits: Float64Array) => logits[3 * dVocab + 5]! - logits[3 * dVocab + 9]!;
    for (const hook of hooks) expectSlope(hook, gradients.get(hook)!, metric, plain);
  });
});

describe('gradients of metrics', () => {
  it('cross-entropy follows central differences', async () => {
    const { residuals, logits } = await model.run({ tokens });
    await expectMetric(crossEntropyGradient(logits!, tokens), residuals, (values) => {
      const losses = prompt.slice(1).map((next, position) => -Math.log(softmax(values, position)[next]!));
      return losses.reduce((a, b) => a + b) / losses.length;
    });
  });

  it('KL divergence from another run follows central differences', async () => {
    const { residuals, logits } = await model.run({ tokens });
    const other = await model.run({ tokens, edits });
    const p = softmax(Float64Array.from(floatsOf(other.logits!)), 2);
    await expectMetric(klGradient(other.logits!, logits!, 2), residuals, (values) => {
      const q = softmax(values, 2);
      return p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
    });
  });

  it('a weighted sum over several positions and rows puts each weight in its place', () => {
    const terms = [
      { row: 1, position: 4, token: 2, weight: 0.5 },
      { position: 0, token: 1, weight: -2 },
      { position: 4, token: 2, weight: 3 },
    ];
    const seed = linearGradient(terms, 2);
    expect(seed.positions).toEqual([0, 4]);
    expect(seed.tokens).toEqual([1, 2]);
    expect([...seed.gradient.data]).toEqual([-2, 0, 0, 3, 0, 0, 0, 0.5]);
    const dense = denseGradient(seed, 3);
    expect(dense.dims).toEqual([2, 2, 3]);
    expect([...dense.data]).toEqual([0, -2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0.5]);
  });

  async function expectMetric(
    seed: LogitGradient,
    residuals: readonly (Value | undefined)[],
    metric: (logits: Float64Array) => number,
  ): Promise<void> {
    const hook = 'blocks.0.hook_mlp_out';
    const gradients = await gradientsAt(model, { residuals, seed, hooks: [hook] });
    expectSlope(hook, gradients.get(hook)!, metric, () => {});
  }
});

describe('blockGradient', () => {
  it('gives each of several seeds the gradient it gets alone', async () => {
    const { residuals } = await model.run({ tokens });
    const residual = residuals[1]!;
    const random = seededRandom(8);
    const seeds = floatValue(
      Float32Array.from({ length: 3 * 5 * 3 * 4 }, () => random.normal()),
      [3, 5, 3, 4],
    );
    const hook: BlockHook = 'attn.hook_z';
    const together = await blockGradient(model, {
      layer: 1,
      residual,
      seeds: new Map([[hook, seeds]]),
      hooks: ['attn.hook_v'],
    });
    expect(together.residualGradient!.dims).toEqual([3, 5, 12]);
    for (let row = 0; row < 3; row++) {
      const alone = floatValue(seeds.data.slice(row * 60, (row + 1) * 60), [1, 5, 3, 4]);
      const single = await blockGradient(model, {
        layer: 1,
        residual,
        seeds: new Map([[hook, alone]]),
        hooks: ['attn.hook_v'],
      });
      for (const name of ['residualGradient', 'attn.hook_v']) {
        const expected = floatsOf(single[name]!);
        const found = floatsOf(together[name]!).subarray(row * expected.length, (row + 1) * expected.length);
        expect(largest(found.map((x, i) => x - expected[i]!)), name).toBeLessThan(1e-5);
        expect(largest(expected), name).toBeGreaterThan(0.1);
      }
    }
  });

  it('adds up seeds at several hooks', async () => {
    const { residuals } = await model.run({ tokens });
    const request = { layer: 0, residual: residuals[0]!, hooks: [] };
    const seeds: [BlockHook, Value][] = [
      ['attn.hook_q', floatValue(new Float32Array(60).fill(1), [1, 5, 3, 4])],
      ['mlp.hook_post', floatValue(new Float32Array(100).fill(-1), [1, 5, 20])],
    ];
    const both = floatsOf(
      (await blockGradient(model, { ...request, seeds: new Map(seeds) })).residualGradient!,
    );
    const sum = new Float64Array(both.length);
    for (const seed of seeds) {
      const one = floatsOf(
        (await blockGradient(model, { ...request, seeds: new Map([seed]) })).residualGradient!,
      );
      one.forEach((x, i) => {
        sum[i]! += x;
      });
    }
    expect(largest(both.map((x, i) => x - sum[i]!))).toBeLessThan(1e-5);
  });
});

describe('many rows and few', () => {
  it('give each row the same gradient, though products are computed in another way', async () => {
    const { residuals } = await model.run({ tokens });
    const random = seededRandom(9);
    const [copies, size] = [30, prompt.length * tinyConfig.dModel];
    const seed = Float32Array.from({ length: copies * size }, () => random.normal());
    const gradientOf = async (rows: Float32Array) => {
      const dims = [rows.length / size, prompt.length, tinyConfig.dModel];
      const results = await blockGradient(model, {
        layer: 1,
        residual: residuals[1]!,
        seeds: new Map<BlockHook, Value>([['hook_resid_post', floatValue(rows, dims)]]),
        hooks: ['attn.hook_z'],
      });
      return [floatsOf(results.residualGradient!), floatsOf(results['attn.hook_z']!)] as const;
    };
    const all = await gradientOf(seed);
    for (const row of [0, 17, copies - 1]) {
      const own = await gradientOf(seed.slice(row * size, (row + 1) * size));
      own.forEach((values, i) => {
        const part = all[i]!.subarray(row * values.length, (row + 1) * values.length);
        expect(largest(values.map((x, at) => x - part[at]!))).toBeLessThan(1e-5);
      });
    }
  });
});

describe('bad requests', () => {
  it('are refused by code', async () => {
    const { residuals } = await model.run({ tokens, stopAtLayer: 1 });
    const seed = logitDifferenceGradient(3, 5, 9);
    const request = { residuals, seed, hooks: ['blocks.0.hook_mlp_out'] };
    await expect(gradientsAt(model, request)).rejects.toMatchObject({ code: 'request.invalid' });
    const both = {
      residuals: (await model.run({ tokens })).residuals,
      seed,
      hooks: ['blocks.0.hook_q_input', 'blocks.0.ln1.hook_scale'],
    };
    await expect(gradientsAt(model, both)).rejects.toMatchObject({ code: 'request.invalid' });
    const signal = AbortSignal.abort();
    await expect(gradientsAt(model, { ...both, hooks, signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

/** The slope along two random directions, by central differences of the reference. */
function expectSlope(
  hook: string,
  gradient: Value,
  metric: (logits: Float64Array) => number,
  plain: PlainHook,
): void {
  const random = seededRandom(hook);
  for (let trial = 0; trial < 2; trial++) {
    const direction = Float64Array.from({ length: floatsOf(gradient).length }, () => random.normal());
    const at = (step: number) =>
      metric(
        plainGpt2(tinyConfig, weights, prompt, (name, value) => {
          plain(name, value);
          if (name !== hook) return;
          expect(value.data.length).toBe(direction.length);
          direction.forEach((d, i) => {
            value.data[i]! += step * d;
          });
        }),
      );
    const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
    const predicted = floatsOf(gradient).reduce((sum, g, i) => sum + g * direction[i]!, 0);
    expect(Math.abs(predicted - slope), hook).toBeLessThan(1e-3 * Math.max(1, Math.abs(slope)));
  }
}

function softmax(logits: Float64Array, position: number): number[] {
  const exps = [...logits.subarray(position * dVocab, (position + 1) * dVocab)].map(Math.exp);
  const total = exps.reduce((a, b) => a + b);
  return exps.map((e) => e / total);
}

function largest(values: Float32Array): number {
  return values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}
