/** Runs of a tiny random model against the plain-loop reference, and runs against each other. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { floatsOf, floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import type { HookEdit, RunEdit } from '../../../../src/engine/model/edits.ts';
import { blockHookName, hookDims, locateHook } from '../../../../src/engine/model/hooks.ts';
import { stageHooks } from '../../../../src/engine/model/modelHooks.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { type PlainValue, plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import {
  gpt2Shape,
  type NamedWeight,
  tinyConfig,
  tinyWeights,
  writeTinyGpt2,
} from '../../../fixtures/tinyGpt2.ts';

const weights = tinyWeights(tinyConfig, 1);
const prompt = [3, 17, 8, 3, 22, 11, 0];
const tokens = [Int32Array.from(prompt)];
const { nLayers } = tinyConfig;

/** Hooks that the reference computes; the separate inputs of heads and MLP are copies of the stream. */
const everyHook = [
  ...stageHooks(gpt2Shape, 'embed'),
  ...Array.from({ length: nLayers }, (_, layer) =>
    stageHooks(gpt2Shape, layer).map((hook) => `blocks.${layer}.${hook}`),
  ).flat(),
  ...stageHooks(gpt2Shape, 'final'),
].filter((name) => !name.endsWith('_input') && !name.endsWith('hook_mlp_in'));

let model: Transformer;

beforeAll(async () => {
  model = await Transformer.open(await writeTinyGpt2(tinyConfig, weights));
});

afterAll(() => model?.release());

describe('a plain run', () => {
  it('computes every hook as plain loops do', async () => {
    const expected = new Map<string, PlainValue>();
    plainGpt2(tinyConfig, weights, prompt, (name, { dims, data }) =>
      expected.set(name, { dims, data: data.slice() }),
    );
    const { hooks } = await model.run({ tokens, capture: everyHook });
    expect([...expected.keys()].sort()).toEqual([...everyHook].sort());
    for (const [name, { dims, data }] of expected) {
      expect(hooks.get(name)!.dims, name).toEqual(dims);
      expect(gap(hooks.get(name)!, data), name).toBeLessThan(2e-5);
    }
  });

  it.each(['gelu', 'relu'] as const)(
    'computes the activation %s, an untied unembedding and names without prefix',
    async (activation) => {
      const config = { ...tinyConfig, activation, tied: false, nLayers: 1 };
      const other = tinyWeights(config, 2);
      const plain = await Transformer.open(await writeTinyGpt2(config, other, ''));
      const { logits } = await plain.run({ tokens });
      await plain.release();
      expect(gap(logits!, plainGpt2(config, other, prompt))).toBeLessThan(2e-5);
    },
  );

  it('widens weights that are stored in bfloat16', async () => {
    const folder = await writeTinyGpt2(tinyConfig, weights);
    const halves: Record<string, Value> = {};
    const cut = new Map<string, NamedWeight>();
    for (const [name, { dims, data }] of weights) {
      // The upper half of a float32 is the bfloat16 below it.
      const bits = Uint16Array.from(new Uint32Array(data.buffer), (word) => word >>> 16);
      halves[name] = { dtype: 'bfloat16', dims, data: bits };
      cut.set(name, { dims, data: new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer) });
    }
    await writeSafetensors(join(folder, 'model.safetensors'), halves);
    const narrow = await Transformer.open(folder);
    const { logits } = await narrow.run({ tokens });
    expect(narrow.info.precision).toBe('bfloat16');
    await narrow.release();
    expect(gap(logits!, plainGpt2(tinyConfig, cut, prompt))).toBeLessThan(2e-5);
    expect(gap(logits!, plainGpt2(tinyConfig, weights, prompt))).toBeGreaterThan(1e-3);
  });

  it('gives each prompt of a batch what it gets alone', async () => {
    const rows = [
      [1, 2, 3, 4],
      [28, 0, 9, 2],
      [5, 5, 5, 5],
    ].map((row) => Int32Array.from(row));
    const batch = await model.run({ tokens: rows });
    for (const [i, row] of rows.entries()) {
      const { logits } = await model.run({ tokens: [row] });
      const size = floatsOf(logits!).length;
      expect(gap(logits!, floatsOf(batch.logits!).subarray(i * size, (i + 1) * size))).toBeLessThan(1e-5);
    }
  });

  it('started from a layer gives what the full run gives', async () => {
    const full = await model.run({ tokens });
    for (let layer = 0; layer <= nLayers; layer++) {
      const { logits } = await model.run({ from: { layer, residual: full.residuals[layer]! } });
      expect(gap(logits!, floatsOf(full.logits!)), `layer ${layer}`).toBeLessThan(1e-6);
    }
  });

  it('stopped at a layer gives the stream that enters it and no logits', async () => {
    const full = await model.run({ tokens });
    const { residuals, logits } = await model.run({ tokens, stopAtLayer: 1 });
    expect(gap(residuals[1]!, floatsOf(full.residuals[1]!))).toBe(0);
    expect(residuals[2]).toBeUndefined();
    expect(logits).toBeUndefined();
  });

  it('stopped behind the last block gives its stream and no logits, whatever is asked', async () => {
    const full = await model.run({ tokens });
    for (const logits of [undefined, 'all', [1]] as const) {
      const stopped = await model.run({ tokens, stopAtLayer: nLayers, logits });
      expect(gap(stopped.residuals[nLayers]!, floatsOf(full.residuals[nLayers]!))).toBe(0);
      expect(stopped.logits).toBeUndefined();
    }
  });

  it('hands watched hooks over one by one and keeps those alone that are captured', async () => {
    const names = [0, 1].map((layer) => blockHookName(layer, 'attn.hook_pattern'));
    const expected = await model.run({ tokens, capture: names });
    const seen: string[] = [];
    const watch = new Map(
      names.map((name) => [
        name,
        (value: Value) => {
          seen.push(name);
          expect(gap(value, floatsOf(expected.hooks.get(name)!))).toBe(0);
        },
      ]),
    );
    const { hooks } = await model.run({ tokens, watch, capture: [names[1]!, 'blocks.0.hook_mlp_out'] });
    expect(seen).toEqual(names);
    expect([...hooks.keys()].sort()).toEqual(['blocks.0.hook_mlp_out', names[1]]);
  });

  it('gives logits of chosen positions', async () => {
    const all = floatsOf((await model.run({ tokens })).logits!);
    const { dVocab } = tinyConfig;
    const last = await model.run({ tokens, logits: 'last' });
    expect(gap(last.logits!, all.subarray(6 * dVocab))).toBeLessThan(1e-5);
    const some = await model.run({ tokens, logits: [4, 1], capture: ['ln_final.hook_scale'] });
    const expected = [...all.subarray(4 * dVocab, 5 * dVocab), ...all.subarray(dVocab, 2 * dVocab)];
    expect(gap(some.logits!, expected)).toBeLessThan(1e-5);
    expect((await model.run({ tokens, logits: 'none' })).logits).toBeUndefined();
  });

  it('continues from keys and values of earlier positions', async () => {
    const full = await model.run({ tokens, capture: [blockHookName(1, 'attn.hook_pattern')] });
    const start = await model.run({ tokens: [tokens[0]!.slice(0, 4)], keepKv: true });
    const rest = await model.run({
      tokens: [tokens[0]!.slice(4)],
      past: start.kv,
      capture: [blockHookName(1, 'attn.hook_pattern')],
    });
    expect(gap(rest.logits!, floatsOf(full.logits!).subarray(4 * tinyConfig.dVocab))).toBeLessThan(1e-5);
    expect(rest.hooks.get('blocks.1.attn.hook_pattern')!.dims).toEqual([1, 3, 3, 7]);
  });
});

describe('edits', () => {
  it.each(everyHook)('at %s change the run as the same change in plain loops does', async (name) => {
    const random = seededRandom(name);
    const dims = dimsOf(name);
    const keep = drawn(random, dims, 0.3, 1);
    // A row of its own for each position, the same for all else, tests that edits broadcast.
    const add = drawn(
      random,
      dims.map((dim, axis) => (axis === 1 ? dim : 1)),
      0.3,
    );
    const capture = everyHook.filter(
      (hook) => locateHook(hook, nLayers).layer >= locateHook(name, nLayers).layer,
    );
    const expected = new Map<string, Float64Array>();
    const logits = plainGpt2(tinyConfig, weights, prompt, (hook, value) => {
      if (hook === name) change(value, keep, add);
      expected.set(hook, value.data.slice());
    });
    const run = await model.run({ tokens, edits: [{ hook: name, keep, add }], capture });
    expect(gap(run.logits!, logits)).toBeLessThan(5e-5);
    for (const hook of capture)
      expect(relativeGap(run.hooks.get(hook)!, expected.get(hook)!), hook).toBeLessThan(2e-5);
  });

  it('at one hook act one after the other', async () => {
    const hook = 'blocks.0.hook_mlp_out';
    const first: HookEdit = { hook, keep: 0.5, add: drawn(seededRandom(5), dimsOf(hook), 1) };
    const second: HookEdit = { hook, keep: drawn(seededRandom(6), [1, 1, 12], 1), add: 0.25 };
    const logits = plainGpt2(tinyConfig, weights, prompt, (name, value) => {
      if (name !== hook) return;
      for (const edit of [first, second]) change(value, edit.keep, edit.add);
    });
    expect(gap((await model.run({ tokens, edits: [first, second] })).logits!, logits)).toBeLessThan(5e-5);
  });

  it('that depend on the value see all edits before them', async () => {
    // Adds half of the present value's square, after an edit before it at the same hook and one at an earlier hook.
    const square = (x: number) => x + 0.5 * x * x;
    const edits: RunEdit[] = [
      { hook: 'blocks.0.hook_resid_post', keep: 0.8, add: 0.1 },
      {
        hook: 'blocks.0.hook_resid_post',
        resolve: async (value) => ({
          hook: 'blocks.0.hook_resid_post',
          keep: 1,
          add: floatValue(
            floatsOf(value).map((x) => 0.5 * x * x),
            value.dims,
          ),
        }),
      },
      { hook: 'blocks.0.attn.hook_z', keep: 0, add: 0 },
    ];
    const logits = plainGpt2(tinyConfig, weights, prompt, (name, { data }) => {
      if (name === 'blocks.0.attn.hook_z') data.fill(0);
      if (name !== 'blocks.0.hook_resid_post') return;
      data.forEach((x, i) => {
        data[i] = square(0.8 * x + 0.1);
      });
    });
    expect(gap((await model.run({ tokens, edits })).logits!, logits)).toBeLessThan(1e-4);
  });

  it('at the separate inputs of heads change that head alone', async () => {
    const hook = 'blocks.1.hook_q_input';
    const delta = drawn(seededRandom(7), [1, 7, 1, 12], 1);
    const mask = floatValue([0, 1, 0], [1, 1, 3, 1]);
    const add = floatValue(
      Float32Array.from({ length: 7 * 3 * 12 }, (_, i) => {
        const [position, head, column] = [Math.floor(i / 36), Math.floor(i / 12) % 3, i % 12];
        return mask.data[head]! * delta.data[position * 12 + column]!;
      }),
      [1, 7, 3, 12],
    );
    const { hooks } = await model.run({
      tokens,
      edits: [{ hook, keep: 1, add }],
      capture: ['blocks.1.attn.hook_q', 'blocks.1.attn.hook_k'],
    });
    const whole = new Map<string, Float64Array>();
    const clean = new Map<string, Float64Array>();
    plainGpt2(tinyConfig, weights, prompt, (name, value) => {
      if (name === 'blocks.1.hook_resid_pre') change(value, 1, floatValue(delta.data, [1, 7, 12]));
      whole.set(name, value.data.slice());
    });
    plainGpt2(tinyConfig, weights, prompt, (name, value) => clean.set(name, value.data.slice()));
    const expected = clean
      .get('blocks.1.attn.hook_q')!
      .map((x, i) => (Math.floor(i / 4) % 3 === 1 ? whole.get('blocks.1.attn.hook_q')![i]! : x));
    expect(gap(hooks.get('blocks.1.attn.hook_q')!, expected)).toBeLessThan(5e-5);
    expect(gap(hooks.get('blocks.1.attn.hook_k')!, clean.get('blocks.1.attn.hook_k')!)).toBeLessThan(5e-5);
  });

  it('that do not fit their hook are refused', async () => {
    const edits = [{ hook: 'blocks.0.hook_mlp_out', keep: 1, add: floatValue([1, 2], [1, 1, 2]) }];
    await expect(model.run({ tokens, edits })).rejects.toMatchObject({ code: 'request.invalid' });
  });
});

describe('bad requests', () => {
  it.each([
    ['no tokens', { tokens: [new Int32Array(0)] }, 'prompt.empty'],
    ['a token outside the vocabulary', { tokens: [Int32Array.from([29])] }, 'request.invalid'],
    ['a negative token', { tokens: [Int32Array.from([-1])] }, 'request.invalid'],
    ['more tokens than the context', { tokens: [new Int32Array(17)] }, 'request.invalid'],
    ['prompts of different length', { tokens: [new Int32Array(2), new Int32Array(3)] }, 'request.invalid'],
    ['a hook of no layer', { tokens, capture: ['blocks.2.hook_resid_pre'] }, 'request.invalid'],
    ['a hook of no name', { tokens, capture: ['blocks.0.toString'] }, 'request.invalid'],
    [
      'a residual stream of another width',
      { from: { layer: 0, residual: floatValue([1], [1, 1, 1]) } },
      'request.invalid',
    ],
  ])('%s are refused by code', async (_, request, code) => {
    await expect(model.run(request)).rejects.toMatchObject({ code });
  });

  it('stops when it is cancelled', async () => {
    await expect(model.run({ tokens, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('opening a folder', () => {
  it('tells what the model is', () => {
    const count = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(model.info).toMatchObject({
      nLayers: 2,
      dHead: 4,
      dVocab: 29,
      parameters: count,
      precision: 'float32',
      bos: 'none',
    });
    expect(model.info.hash).toMatch(/^[0-9a-f]{16}$/);
  });

  it('names the weight that is missing', async () => {
    const lacking = new Map([...weights].filter(([name]) => name !== 'h.1.mlp.c_fc.bias'));
    const folder = await writeTinyGpt2(tinyConfig, lacking);
    await expect(Transformer.open(folder)).rejects.toMatchObject({
      code: 'model.missingWeight',
      data: { tensor: 'transformer.h.1.mlp.c_fc.bias' },
    });
  });

  it('names the weight whose shape does not fit the config', async () => {
    const folder = await writeTinyGpt2({ ...tinyConfig, dMlp: 24 }, weights);
    await expect(Transformer.open(folder)).rejects.toMatchObject({
      code: 'model.wrongShape',
      data: { tensor: 'transformer.h.0.mlp.c_fc.weight', expected: '[12, 24]', found: '[12, 20]' },
    });
  });

  it('fails by code when the weights are cut short or the folder is not there', async () => {
    const folder = await writeTinyGpt2(tinyConfig, weights);
    await writeFile(join(folder, 'model.safetensors'), 'short');
    await expect(Transformer.open(folder)).rejects.toMatchObject({ code: 'file.malformed' });
    await expect(Transformer.open(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'file.missing' });
  });
});

describe('an open model', () => {
  it('fails by code when its folder disappears before a program is compiled', async () => {
    const folder = await writeTinyGpt2(tinyConfig, weights);
    const opened = await Transformer.open(folder);
    await rm(folder, { recursive: true });
    await expect(opened.run({ tokens })).rejects.toMatchObject({ code: 'file.missing' });
  });

  it('says that it was released when it is run afterwards', async () => {
    const opened = await Transformer.open(await writeTinyGpt2(tinyConfig, weights));
    await opened.run({ tokens });
    await opened.release();
    await expect(opened.run({ tokens })).rejects.toThrow('released');
  });

  it('has another hash than a model of the same shape', async () => {
    const other = await Transformer.open(await writeTinyGpt2(tinyConfig, tinyWeights(tinyConfig, 99)));
    expect(other.info.hash).not.toBe(model.info.hash);
  });
});

function dimsOf(name: string): number[] {
  const { hook } = locateHook(name, nLayers);
  return hookDims(hook, model.config, { batch: 1, positions: prompt.length, keys: prompt.length });
}

function drawn(
  random: { normal(): number },
  dims: readonly number[],
  spread: number,
  center = 0,
): Value & { data: Float32Array } {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return floatValue(
    Float32Array.from({ length: count }, () => center + spread * random.normal()),
    dims,
  );
}

/** `x · keep + add` in place, broadcasting by walking every index. */
function change({ dims, data }: PlainValue, keep: Value | number, add: Value | number): void {
  const at = (edit: Value | number, index: readonly number[]) => {
    if (typeof edit === 'number') return edit;
    const flat = edit.dims.reduce((sum, dim, axis) => sum * dim + (dim === 1 ? 0 : index[axis]!), 0);
    return floatsOf(edit)[flat]!;
  };
  data.forEach((x, flat) => {
    const index: number[] = [];
    for (let axis = dims.length - 1, rest = flat; axis >= 0; axis--) {
      index[axis] = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    // Masked scores stay masked.
    data[flat] = x === Number.NEGATIVE_INFINITY ? x : x * at(keep, index) + at(add, index);
  });
}

/** The gap in parts of the largest finite number: an edited scale near 0 makes numbers in the hundreds. */
function relativeGap(value: Value, expected: Float64Array): number {
  const finite = expected.filter(Number.isFinite);
  return gap(value, expected) / finite.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
}

function gap(value: Value, expected: ArrayLike<number>): number {
  expect(floatsOf(value).length).toBe(expected.length);
  return floatsOf(value).reduce((worst, x, i) => {
    const difference = x === expected[i] ? 0 : Math.abs(x - expected[i]!);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }, 0);
}
