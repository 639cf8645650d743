/** Interventions through the engine, held against GPT-2 by plain loops in float64 whose values are changed by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { Analysis, Edit, EditAction, EditTarget, ModelInfo } from '../../../src/shared/domain.ts';
import { type PlainHook, type PlainValue, plainGpt2 } from '../../fixtures/plainGpt2.ts';
import {
  plainActivations,
  reluHook,
  type TinyModel,
  tinyDSae,
  topKHook,
  writeTinyModel,
} from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';

const prompt = 'When she gave words';
const { dVocab, dModel, dHead } = { dVocab: 400, dModel: 12, dHead: 4 };
let tiny: TinyModel;
let engine: Engine;
let model: ModelInfo;

beforeAll(async () => {
  tiny = await writeTinyModel();
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: tiny.folder });
});

afterAll(async () => {
  await engine?.closeModel({ model: model.id });
  await tiny?.remove();
});

const saeId = (hook: string) => `${model.path}/saes/${hook}`;

function edit(target: EditTarget, action: EditAction, changes: Partial<Edit> = {}): Edit {
  return { id: 'edit', target, action, strength: 1, enabled: true, ...changes };
}

function analyze(edits: readonly Edit[], text = prompt): Promise<Analysis> {
  const saes = [saeId(topKHook), saeId(reluHook)];
  return engine.analyze({
    model: model.id,
    text,
    saes,
    topFeatures: tinyDSae,
    topPredictions: dVocab,
    edits,
  });
}

/** Logits `[position][d_vocab]` that the analysis tells through its predictions. */
function logitsOf({ predictions }: Analysis): number[][] {
  return predictions.map((row) => {
    const logits: number[] = [];
    for (const { id, logit } of row) logits[id] = logit;
    return logits;
  });
}

async function plainLogits(text: string, hook?: PlainHook): Promise<number[][]> {
  const { strip } = await analyze([], text);
  const flat = plainGpt2(
    tiny.config,
    tiny.weights,
    strip.tokens.map(({ id }) => id),
    hook,
  );
  return strip.tokens.map((_, p) => [...flat.subarray(p * dVocab, (p + 1) * dVocab)]);
}

/** The value of one hook in a clean plain run. */
async function plainValue(name: string, text = prompt): Promise<PlainValue> {
  let found: PlainValue | undefined;
  await plainLogits(text, (hook, { dims, data }) => {
    if (hook === name) found = { dims, data: data.slice() };
  });
  return found!;
}

function expectLogits(found: readonly number[][], expected: readonly number[][]): void {
  expect(found.length).toBe(expected.length);
  found.forEach((row, p) => {
    row.forEach((logit, id) => {
      expect(Math.abs(logit - expected[p]![id]!)).toBeLessThan(2e-4);
    });
  });
}

/** Changes rows of the streams at `name`: `change(row, position)` writes into the row. */
function atRows(name: string, change: (row: Float64Array, position: number) => void): PlainHook {
  return (hook, { data }) => {
    if (hook !== name) return;
    for (let p = 0; p < data.length / dModel; p++) change(data.subarray(p * dModel, (p + 1) * dModel), p);
  };
}

/** Adds to every row what moves feature `index` of the SAE at `hook` from its activation f to `to(f)`. */
function movingFeature(hook: string, index: number, to: (f: number, position: number) => number): PlainHook {
  const sae = tiny.saes.get(hook)!;
  return atRows(hook, (row, position) => {
    const f = plainActivations(sae, row, hook === topKHook ? 4 : tinyDSae)[index]!;
    const delta = to(f, position) - f;
    for (let d = 0; d < dModel; d++) row[d]! += delta * sae.W_dec[index * dModel + d]!;
  });
}

/** A feature that is active somewhere in the prompt. */
async function activeFeature(hook: string, text = prompt): Promise<number> {
  const { features } = await analyze([], text);
  const indices = features.find(({ sae }) => sae === saeId(hook))!.indices;
  return indices[Math.floor(indices.length / tinyDSae - 1) * tinyDSae]!;
}

describe('interventions on components', () => {
  it('runs cleanly without any, and with disabled ones only', async () => {
    const clean = await analyze([]);
    expectLogits(logitsOf(clean), await plainLogits(prompt));
    const off = await analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' }, { enabled: false })]);
    expect(off.predictions).toEqual(clean.predictions);
    expect(off.effect).toBeUndefined();
    expect(clean.effect).toBeUndefined();
  });

  it('zeroes a head, by half at half strength, and only where it is told to', async () => {
    for (const [strength, positions] of [
      [1, undefined],
      [0.5, undefined],
      [1, [1, 3]],
    ] as const) {
      const found = await analyze([
        edit({ kind: 'head', layer: 0, head: 1 }, { kind: 'zero' }, { strength, positions }),
      ]);
      const expected = await plainLogits(
        prompt,
        atRows('blocks.0.attn.hook_z', (row, p) => {
          if (positions && !positions.includes(p as 1)) return;
          for (let i = dHead; i < 2 * dHead; i++) row[i]! *= 1 - strength;
        }),
      );
      expectLogits(logitsOf(found), expected);
    }
  });

  it('puts the mean over the prompt in an MLP’s place', async () => {
    const { data } = await plainValue('blocks.1.hook_mlp_out');
    const count = data.length / dModel;
    const mean = Array.from(
      { length: dModel },
      (_, d) => data.filter((_x, i) => i % dModel === d).reduce((a, b) => a + b) / count,
    );
    const found = await analyze([edit({ kind: 'mlp', layer: 1 }, { kind: 'mean' })]);
    expectLogits(
      logitsOf(found),
      await plainLogits(
        prompt,
        atRows('blocks.1.hook_mlp_out', (row) => row.set(mean)),
      ),
    );
  });

  it('patches a hook from another prompt, its last token to the last token', async () => {
    const other = 'She gave El letter counts If';
    const { data } = await plainValue('blocks.0.hook_resid_post', other);
    const target = { kind: 'hook', hook: 'blocks.0.hook_resid_post' } as const;
    const found = await analyze([edit(target, { kind: 'patch', text: other }, { positions: [2, 3] })]);
    const shift = data.length / dModel - found.strip.tokens.length;
    expect(shift).not.toBe(0);
    const expected = await plainLogits(
      prompt,
      atRows(target.hook, (row, p) => {
        if (p === 2 || p === 3) row.set(data.subarray((p + shift) * dModel, (p + shift + 1) * dModel));
      }),
    );
    expectLogits(logitsOf(found), expected);
  });

  it('scales the embedding, from which every block follows', async () => {
    const found = await analyze([edit({ kind: 'hook', hook: 'hook_embed' }, { kind: 'scale', factor: -2 })]);
    expectLogits(
      logitsOf(found),
      await plainLogits(
        prompt,
        atRows('hook_embed', (row) =>
          row.forEach((x, i) => {
            row[i] = -2 * x;
          }),
        ),
      ),
    );
  });

  it('lets several act one on the other’s outcome', async () => {
    const head = edit({ kind: 'head', layer: 1, head: 0 }, { kind: 'zero' });
    const mlp = edit({ kind: 'mlp', layer: 0 }, { kind: 'scale', factor: 3 });
    const twice = edit({ kind: 'mlp', layer: 0 }, { kind: 'scale', factor: 0.5 });
    const expected = await plainLogits(prompt, (name, { data }) => {
      data.forEach((x, i) => {
        if (name === 'blocks.0.hook_mlp_out') data[i] = 1.5 * x;
        if (name === 'blocks.1.attn.hook_z' && i % dModel < dHead) data[i] = 0;
      });
    });
    expectLogits(logitsOf(await analyze([head, mlp, twice])), expected);
  });

  it('is as before when all of them are taken away', async () => {
    const before = await analyze([]);
    await analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' })]);
    const after = await analyze([]);
    expect(after.predictions).toEqual(before.predictions);
    expect(after.features).toEqual(before.features);
    expect(after.attention).toEqual(before.attention);
  });

  it('shows where the edited heads look, in edited and unedited layers', async () => {
    const text = 'When she gave words letter counts If';
    const target = { kind: 'hook', hook: 'blocks.1.attn.hook_pattern' } as const;
    const { attention } = await analyze([edit(target, { kind: 'zero' })], text);
    const { dims, data } = await plainValue('blocks.0.attn.hook_pattern', text);
    const [, heads = 0, length = 0] = dims;
    attention.forEach((source, query) => {
      let best = 0;
      for (let head = 0; head < heads; head++) {
        for (let key = 1; key < query; key++)
          best = Math.max(best, data[(head * length + query) * length + key]!);
      }
      expect(source?.layer ?? 0).toBe(0);
      expect(source?.weight ?? 0).toBeCloseTo(best, 5);
    });
  });
});

describe('interventions on features', () => {
  it.each([topKHook, reluHook])(
    'ablates, sets and scales a feature of %s, the SAE’s error kept',
    async (hook) => {
      const index = await activeFeature(hook);
      const target = { kind: 'feature', feature: { sae: saeId(hook), index } } as const;
      const cases: [EditAction, number, (f: number) => number][] = [
        [{ kind: 'zero' }, 1, () => 0],
        [{ kind: 'zero' }, 0.25, (f) => 0.75 * f],
        [{ kind: 'set', value: 3 }, 1, () => 3],
        [{ kind: 'scale', factor: 4 }, 0.5, (f) => 2.5 * f],
      ];
      for (const [action, strength, to] of cases) {
        const found = await analyze([edit(target, action, { strength })]);
        expectLogits(logitsOf(found), await plainLogits(prompt, movingFeature(hook, index, to)));
      }
    },
  );

  it('steers along the decoder row by the amount', async () => {
    const sae = tiny.saes.get(topKHook)!;
    const target = { kind: 'feature', feature: { sae: saeId(topKHook), index: 7 } } as const;
    const found = await analyze([
      edit(target, { kind: 'add', amount: 5 }, { strength: 0.5, positions: [1] }),
    ]);
    const steer = atRows(topKHook, (row, p) => {
      if (p === 1)
        row.forEach((x, d) => {
          row[d] = x + 2.5 * sae.W_dec[7 * dModel + d]!;
        });
    });
    expectLogits(logitsOf(found), await plainLogits(prompt, steer));
  });

  it('patches a feature’s activations from another prompt', async () => {
    const other = 'El words she gave';
    const index = await activeFeature(reluHook, other);
    const { data } = await plainValue(reluHook, other);
    const sae = tiny.saes.get(reluHook)!;
    const length = (await analyze([])).strip.tokens.length;
    const shift = data.length / dModel - length;
    const to = (f: number, position: number) => {
      const from = (position + shift) * dModel;
      return from < 0 ? f : plainActivations(sae, data.subarray(from, from + dModel))[index]!;
    };
    const target = { kind: 'feature', feature: { sae: saeId(reluHook), index } } as const;
    const found = await analyze([edit(target, { kind: 'patch', text: other })]);
    expectLogits(logitsOf(found), await plainLogits(prompt, movingFeature(reluHook, index, to)));
  });

  it('takes an ablated feature of a ReLU SAE out of the run’s own features and hooks', async () => {
    const index = await activeFeature(reluHook);
    const feature = { sae: saeId(reluHook), index };
    const clean = await analyze([]);
    const heat = await engine.featureHeat({ run: clean.run, features: [feature] });
    expect(Math.max(...heat)).toBeGreaterThan(0);
    const { run, features } = await analyze([edit({ kind: 'feature', feature }, { kind: 'zero' })]);
    const { data } = await plainValue(reluHook);
    const edited = await engine.featureHeat({ run, features: [feature] });
    const sae = tiny.saes.get(reluHook)!;
    for (let p = 0; p < heat.length; p++) {
      const row = Float64Array.from(data.subarray(p * dModel, (p + 1) * dModel));
      const f = plainActivations(sae, row)[index]!;
      expect(heat[p]).toBeCloseTo(f, 4);
      for (let d = 0; d < dModel; d++) row[d]! -= f * sae.W_dec[index * dModel + d]!;
      // What the features of the changed value are follows from its encoder, which need not give 0 back.
      const after = plainActivations(sae, row);
      expect(edited[p]).toBeCloseTo(after[index]!, 4);
      const shown = features[1]!.indices.subarray(p * tinyDSae, (p + 1) * tinyDSae);
      expect([...shown].filter((i) => i >= 0).length).toBe(after.filter((x) => x > 0).length);
    }
  });
});

describe('the effect', () => {
  it('is the KL divergence and the change of the contrast where it is asked for', async () => {
    const clean = await plainLogits(prompt);
    const edits = [edit({ kind: 'head', layer: 1, head: 2 }, { kind: 'zero' })];
    const zeroed = atRows('blocks.1.attn.hook_z', (row) => row.fill(0, 2 * dHead, 3 * dHead));
    const edited = await plainLogits(prompt, zeroed);
    const [answer, wrong] = [' words', ' letter'];
    const ids = [answer, wrong].map((text) => tokenId(text));
    for (const position of [undefined, 1, -2]) {
      const at = position === undefined ? clean.length - 1 : (position + clean.length) % clean.length;
      const contrast = { answer, wrong, position };
      const request = {
        model: model.id,
        text: prompt,
        saes: [],
        topFeatures: 0,
        topPredictions: 3,
        edits,
        contrast,
      };
      const { effect, contrast: value } = await engine.analyze(request);
      const gap = (rows: number[][]) => rows[at]![ids[0]!]! - rows[at]![ids[1]!]!;
      expect(effect!.contrast!.clean).toBeCloseTo(gap(clean), 4);
      expect(effect!.contrast!.edited).toBeCloseTo(gap(edited), 4);
      expect(value).toBeCloseTo(gap(edited), 4);
      expect(effect!.kl).toBeCloseTo(divergence(clean[at]!, edited[at]!), 5);
      expect(effect!.kl).toBeGreaterThan(0);
      for (const [rows, shown] of [
        [clean, effect!.before],
        [edited, effect!.after],
      ] as const) {
        expect(shown).toHaveLength(3);
        expect(shown[0]!.logit).toBeCloseTo(Math.max(...rows[at]!), 4);
        expect(shown[0]!.probability).toBeCloseTo(softmax(rows[at]!)[shown[0]!.id]!, 5);
      }
    }
  });

  const vocabulary = new Map<string, number>();

  beforeAll(async () => {
    const { predictions } = await analyze([]);
    for (const { text, id } of predictions[0]!) vocabulary.set(text, id);
  });

  function tokenId(text: string): number {
    return vocabulary.get(text)!;
  }
});

describe('interventions that cannot be made', () => {
  it.each<[string, Edit, string]>([
    ['a layer the model lacks', edit({ kind: 'head', layer: 2, head: 0 }, { kind: 'zero' }), 'layers 0 to 1'],
    [
      'a layer that is no number',
      edit({ kind: 'mlp', layer: Number.NaN }, { kind: 'zero' }),
      'layers 0 to 1',
    ],
    ['a head the model lacks', edit({ kind: 'head', layer: 0, head: 3 }, { kind: 'zero' }), 'there are 3'],
    [
      'an unknown hook',
      edit({ kind: 'hook', hook: 'blocks.0.hook_nothing' }, { kind: 'zero' }),
      'hook_nothing',
    ],
    [
      'a head of a hook without heads',
      edit({ kind: 'hook', hook: 'blocks.0.hook_mlp_out', head: 1 }, { kind: 'zero' }),
      'no head axis',
    ],
    [
      'a position before the first',
      edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' }, { positions: [-1] }),
      'Position -1',
    ],
    [
      'steering a head',
      edit({ kind: 'head', layer: 0, head: 0 }, { kind: 'add', amount: 1 }),
      'choose a feature',
    ],
    [
      'a hook behind the last block',
      edit({ kind: 'hook', hook: 'ln_final.hook_normalized' }, { kind: 'zero' }),
      'choose a hook there',
    ],
    ['the logits', edit({ kind: 'hook', hook: 'unembed.hook_out' }, { kind: 'zero' }), 'choose a hook there'],
  ])('refuses %s', async (_, wrong, words) => {
    const error = await failure(analyze([wrong]));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toContain(words);
  });

  it('refuses a feature the SAE lacks, an SAE that is not there, and an empty source of a patch', async () => {
    const feature = (sae: string, index: number) =>
      edit({ kind: 'feature', feature: { sae, index } }, { kind: 'zero' });
    for (const index of [tinyDSae, -1, 0.5]) {
      const error = await failure(analyze([feature(saeId(topKHook), index)]));
      expect(error.message).toContain('features 0 to 19');
    }
    expect(await failure(analyze([feature('/nowhere', 0)]))).toMatchObject({
      code: 'file.missing',
      data: { path: '/nowhere' },
    });
    expect(
      (await failure(analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'patch', text: '' })]))).code,
    ).toBe('prompt.empty');
    expectLogits(logitsOf(await analyze([])), await plainLogits(prompt));
  });
});

function softmax(logits: readonly number[]): number[] {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  return logits.map((logit) => Math.exp(logit) / total);
}

function divergence(a: readonly number[], b: readonly number[]): number {
  const [p, q] = [softmax(a), softmax(b)];
  return p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
}
