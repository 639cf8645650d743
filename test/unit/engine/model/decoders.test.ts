/** Runs, caches, edits and gradients of small models like Llama and Gemma against plain loops in float64. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf, floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import type { HookEdit } from '../../../../src/engine/model/edits.ts';
import { gradientsAt } from '../../../../src/engine/model/gradients.ts';
import { linearGradient } from '../../../../src/engine/model/logitGradients.ts';
import { type HookedShape, stageHooks } from '../../../../src/engine/model/modelHooks.ts';
import { runPrompt } from '../../../../src/engine/model/promptRun.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { plainDecoder } from '../../../fixtures/plainDecoder.ts';
import type { PlainHook, PlainValue } from '../../../fixtures/plainGpt2.ts';
import {
  type TinyDecoder,
  tinyDecoderWeights,
  tinyGemma,
  tinyLlama,
  writeTinyDecoder,
} from '../../../fixtures/tinyDecoder.ts';
import { failure } from '../../temporaryFolder.ts';

const prompt = [3, 17, 8, 3, 22, 11, 0, 5, 9];
const tokens = [Int32Array.from(prompt)];

const models: readonly (readonly [string, TinyDecoder])[] = [
  ['Llama', tinyLlama],
  ['Gemma', tinyGemma],
];

describe.each(models)('a small model like %s', (_, config) => {
  const weights = tinyDecoderWeights(config, 7);
  const plain = (hook?: PlainHook, ids = prompt) => plainDecoder(config, weights, ids, hook);
  /** Copies of the stream and separate heads are told apart below. */
  const everyHook = namesOf(config).filter((name) => !/_input$|hook_mlp_in$|hook_result$/.test(name));
  let model: Transformer;
  beforeAll(async () => {
    model = await Transformer.open(await writeTinyDecoder(config, weights));
  });
  afterAll(() => model?.release());

  it('computes every hook as plain loops do', async () => {
    const expected = new Map<string, PlainValue>();
    plain((name, { dims, data }) => expected.set(name, { dims, data: data.slice() }));
    const { hooks } = await model.run({ tokens, capture: everyHook });
    expect([...expected.keys()].sort()).toEqual([...everyHook].sort());
    for (const [name, { dims, data }] of expected) {
      expect(hooks.get(name)!.dims, name).toEqual(dims);
      expect(gap(hooks.get(name)!, data), name).toBeLessThan(3e-5);
    }
  });

  it('continues a prompt from kept keys and values, past the end of its windows', async () => {
    const expected = plain();
    for (const split of [1, 4, prompt.length - 1]) {
      const first = await model.run({ tokens: [Int32Array.from(prompt.slice(0, split))], keepKv: true });
      const rest = await model.run({
        tokens: [Int32Array.from(prompt.slice(split))],
        past: first.kv,
        capture: everyHook,
      });
      expect(gap(rest.logits!, expected.subarray(split * config.dVocab)), `split at ${split}`).toBeLessThan(
        3e-5,
      );
    }
  });

  it('reuses what is unchanged when a prompt is typed on, and gives the same', async () => {
    const typed = await runPrompt(model, Int32Array.from([...prompt.slice(0, 6), 2, 2]), {
      hooks: ['blocks.1.attn.hook_k'],
    });
    const run = await runPrompt(model, tokens[0]!, { hooks: ['blocks.1.attn.hook_k'], previous: typed });
    expect(run.reused).toBe(6);
    const expected = new Map<string, Float64Array>();
    plain((name, { data }) => expected.set(name, data.slice()));
    expect(
      gap(run.residual(config.nLayers), expected.get(`blocks.${config.nLayers - 1}.hook_resid_post`)!),
    ).toBeLessThan(3e-5);
    expect(gap(run.hook('blocks.1.attn.hook_k'), expected.get('blocks.1.attn.hook_k')!)).toBeLessThan(3e-5);
  });

  it.each(namesOf(config).filter((name) => !/_input$|hook_mlp_in$|hook_result$/.test(name)))(
    'an edit at %s changes the run as the same change in plain loops does',
    async (name) => {
      const edits = [{ hook: name, keep: 0.6, add: 0.1 }];
      const isScore = name.endsWith('hook_attn_scores');
      const expected = plain((at, { data }) => {
        if (at !== name) return;
        // The mask stays: an edit of scores acts before it.
        data.forEach((x, i) => {
          data[i] = isScore && x === Number.NEGATIVE_INFINITY ? x : x * 0.6 + 0.1;
        });
      });
      const { logits } = await model.run({ tokens, edits });
      expect(gap(logits!, expected)).toBeLessThan(5e-5);
      expect(gap(logits!, plain())).toBeGreaterThan(1e-3);
    },
  );

  it('reads separate inputs of heads as the stream itself, and changes one of them alone', async () => {
    const { nKeyValueHeads, nHeads, dHead } = config;
    const inputs = ['q', 'k', 'v'].map((part) => `blocks.1.hook_${part}_input`);
    const { hooks } = await model.run({ tokens, capture: [...inputs, 'blocks.1.hook_resid_pre'] });
    expect(inputs.map((name) => hooks.get(name)!.dims[2])).toEqual([nHeads, nKeyValueHeads, nKeyValueHeads]);
    const stream = floatsOf(hooks.get('blocks.1.hook_resid_pre')!);
    for (const name of inputs) {
      const value = hooks.get(name)!;
      const [heads, width] = value.dims.slice(2) as [number, number];
      const expected = Float64Array.from({ length: floatsOf(value).length }, (_, i) => {
        return stream[Math.floor(i / (heads * width)) * width + (i % width)]!;
      });
      expect(gap(value, expected), name).toBe(0);
    }
    // The second key-value head loses what it reads; the others keep theirs.
    const keep = floatValue([1, 0.5], [1, 1, 2, 1]);
    const edits = [{ hook: 'blocks.1.hook_v_input', keep, add: 0 }];
    const changed = await model.run({ tokens, edits, capture: ['blocks.1.attn.hook_v'] });
    const halved = new Map<string, Float64Array>();
    plain((name, { data }) => {
      if (name === 'blocks.1.hook_resid_pre')
        data.forEach((x, i) => {
          data[i] = x * 0.5;
        });
      halved.set(name, data.slice());
    });
    const usual = new Map<string, Float64Array>();
    plain((name, { data }) => usual.set(name, data.slice()));
    const expected = usual.get('blocks.1.attn.hook_v')!.map((x, i) => {
      return Math.floor(i / dHead) % 2 === 1 ? halved.get('blocks.1.attn.hook_v')![i]! : x;
    });
    expect(gap(changed.hooks.get('blocks.1.attn.hook_v')!, expected)).toBeLessThan(3e-5);
  });

  it('takes the attention output apart by heads', async () => {
    const { hooks, residuals } = await model.run({
      tokens,
      capture: ['blocks.1.attn.hook_result', 'blocks.1.hook_attn_out'],
    });
    expect(hooks.get('blocks.1.attn.hook_result')!.dims).toEqual([
      1,
      prompt.length,
      config.nHeads,
      config.dModel,
    ]);
    const writes = await model.headWrites(1, residuals[1]!);
    expect(gap(hooks.get('blocks.1.hook_attn_out')!, sumOfHeads(writes))).toBeLessThan(2e-6);
    // With the first head taken out at its result, the same is missing as with its z at zero.
    const keep = floatValue([0, 1, 1, 1], [1, 1, 4, 1]);
    const atResult = await model.run({
      tokens,
      edits: [{ hook: 'blocks.1.attn.hook_result', keep, add: 0 }],
    });
    const atZ = await model.run({ tokens, edits: [{ hook: 'blocks.1.attn.hook_z', keep, add: 0 }] });
    expect(gap(atResult.logits!, floatsOf(atZ.logits!))).toBeLessThan(1e-5);
  });

  it('has gradients that agree with central differences of the plain loops', async () => {
    const terms = [
      { position: prompt.length - 1, token: 4, weight: 1 },
      { position: 5, token: 9, weight: -2 },
    ];
    const { dVocab } = config;
    const metric = (logits: Float64Array) =>
      terms.reduce(
        (all, { position, token, weight }) => all + weight * logits[position * dVocab + token]!,
        0,
      );
    const edits: HookEdit[] = [
      { hook: 'blocks.0.attn.hook_v', keep: floatValue([1, 0.5], [1, 1, 2, 1]), add: 0.1 },
    ];
    const edited: PlainHook = (name, { data }) => {
      if (name !== 'blocks.0.attn.hook_v') return;
      data.forEach((x, i) => {
        data[i] = x * (Math.floor(i / config.dHead) % 2 === 1 ? 0.5 : 1) + 0.1;
      });
    };
    const { residuals } = await model.run({ tokens, edits });
    const hooks = everyHook.filter((name) => !name.endsWith('hook_attn_scores'));
    const found = await gradientsAt(model, { residuals, edits, hooks, seed: linearGradient(terms) });
    for (const hook of hooks) {
      const gradient = floatsOf(found.get(hook)!);
      for (const share of [0.05, 0.3, 0.55, 0.8, 0.99]) {
        const at = Math.floor(share * gradient.length);
        const shifted = (by: number) =>
          metric(
            plain((name, value) => {
              edited(name, value);
              if (name === hook) value.data[at]! += by;
            }),
          );
        const slope = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
        expect(Math.abs(gradient[at]! - slope), `${hook} at ${at}`).toBeLessThan(
          2e-4 * Math.max(1, Math.abs(slope)),
        );
      }
    }
  });

  it('gives each prompt of a batch what it gets alone', async () => {
    const rows = [prompt, prompt.map((id) => (id + 5) % config.dVocab)];
    const { logits } = await model.run({ tokens: rows.map((row) => Int32Array.from(row)) });
    const size = floatsOf(logits!).length / 2;
    rows.forEach((row, i) => {
      const own = floatValue(floatsOf(logits!).slice(i * size, (i + 1) * size));
      expect(gap(own, plain(undefined, row))).toBeLessThan(3e-5);
    });
  });

  it('says why it has no hook of another family', async () => {
    const missing = ['hook_pos_embed', ...(config.postNorms ? [] : ['blocks.0.ln1_post.hook_scale'])];
    for (const hook of missing) {
      expect(await failure(model.run({ tokens, capture: [hook] }))).toMatchObject({
        code: 'request.invalid',
        data: { what: `The hook "${hook}"`, reason: expect.stringContaining('this model has') },
      });
    }
  });
});

function namesOf({ postNorms, nLayers }: TinyDecoder): string[] {
  const place = postNorms ? 'both' : 'before';
  const shape: HookedShape = {
    positions: 'rotary',
    norm: { kind: 'rms', place, epsilon: 1e-5 },
    gated: true,
    parallel: false,
  };
  return [
    ...stageHooks(shape, 'embed'),
    ...Array.from({ length: nLayers }, (_, layer) =>
      stageHooks(shape, layer).map((hook) => `blocks.${layer}.${hook}`),
    ).flat(),
    ...stageHooks(shape, 'final'),
  ];
}

/** `[1, position, head, d_model]` summed over heads, flat. */
function sumOfHeads(value: Value): Float64Array {
  const [, positions, heads, width] = value.dims as [number, number, number, number];
  const data = floatsOf(value);
  return Float64Array.from({ length: positions * width }, (_, i) => {
    const [position, column] = [Math.floor(i / width), i % width];
    let total = 0;
    for (let head = 0; head < heads; head++) total += data[(position * heads + head) * width + column]!;
    return total;
  });
}

/** Largest |a − b|; infinities must be the same on both sides. */
function gap(a: Value, b: ArrayLike<number>): number {
  const values = floatsOf(a);
  if (values.length !== b.length) return Number.POSITIVE_INFINITY;
  return values.reduce((most, x, i) => Math.max(most, x === b[i] ? 0 : Math.abs(x - b[i]!)), 0);
}
