/** What views ask of a run that was looked at: heat, features, lens, attention, attribution; and when handles end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { Analysis, Edit, ModelInfo, ResidualAttribution } from '../../../src/shared/domain.ts';
import { type PlainHook, plainGpt2 } from '../../fixtures/plainGpt2.ts';
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
const contrast = { answer: ' words', wrong: ' letter' };
const [dVocab, dModel, nHeads, dHead] = [400, 12, 3, 4];
let tiny: TinyModel;
let engine: Engine;
let model: ModelInfo;

beforeAll(async () => {
  tiny = await writeTinyModel(2);
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: tiny.folder });
});

afterAll(() => tiny?.remove());

const saeId = (hook: string) => `${model.path}/saes/${hook}`;
const zeroHead: Edit = {
  id: 'a',
  target: { kind: 'head', layer: 1, head: 2 },
  action: { kind: 'zero' },
  strength: 1,
  enabled: true,
};
const zeroed: PlainHook = (name, { data }) => {
  if (name === 'blocks.1.attn.hook_z')
    data.forEach((_, i) => {
      if (i % dModel >= 2 * dHead) data[i] = 0;
    });
};

function analyze(edits: readonly Edit[] = [], topPredictions = 3): Promise<Analysis> {
  const saes = [saeId(topKHook), saeId(reluHook)];
  return engine.analyze({ model: model.id, text: prompt, saes, topFeatures: 3, topPredictions, edits });
}

/** All hooks of a plain run, by name. */
function plainHooks({ strip }: Analysis, edit: PlainHook = () => {}): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  const ids = strip.tokens.map(({ id }) => id);
  plainGpt2(tiny.config, tiny.weights, ids, (name, value) => {
    edit(name, value);
    found.set(name, value.data.slice());
  });
  return found;
}

const weight = (name: string) => tiny.weights.get(name)!.data;
const row = (data: Float64Array, position: number) => data.slice(position * dModel, (position + 1) * dModel);

/** Next-token logits of a residual stream, by the final norm and unembedding in plain loops. */
function readOut(stream: ArrayLike<number>): number[] {
  const x = Array.from(stream);
  const mean = x.reduce((a, b) => a + b) / dModel;
  const scale = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dModel + 1e-5);
  const normal = x.map(
    (value, d) => ((value - mean) / scale) * weight('ln_f.weight')[d]! + weight('ln_f.bias')[d]!,
  );
  return Array.from({ length: dVocab }, (_, id) => {
    return normal.reduce((sum, value, d) => sum + value * weight('wte.weight')[id * dModel + d]!, 0);
  });
}

describe('featureHeat', () => {
  it('is the activation of each feature at every token, in the order asked for', async () => {
    const analysis = await analyze();
    const hooks = plainHooks(analysis);
    const features = [
      { sae: saeId(reluHook), index: 3 },
      { sae: saeId(topKHook), index: 11 },
      { sae: saeId(reluHook), index: 0 },
      { sae: saeId(topKHook), index: 11 },
    ];
    const heat = await engine.featureHeat({ run: analysis.run, features });
    const count = analysis.strip.tokens.length;
    expect(heat).toHaveLength(4 * count);
    features.forEach(({ sae, index }, i) => {
      const hook = sae === saeId(reluHook) ? reluHook : topKHook;
      for (let p = 0; p < count; p++) {
        const active = plainActivations(
          tiny.saes.get(hook)!,
          row(hooks.get(hook)!, p),
          hook === topKHook ? 4 : tinyDSae,
        );
        expect(heat[i * count + p]).toBeCloseTo(active[index]!, 4);
      }
    });
  });

  it('refuses features that the SAE does not have', async () => {
    const { run } = await analyze();
    for (const index of [tinyDSae, -1, 1.5]) {
      const error = await failure(engine.featureHeat({ run, features: [{ sae: saeId(topKHook), index }] }));
      expect(error).toMatchObject({ code: 'request.invalid' });
      expect(error.message).toContain('features 0 to 19');
    }
  });
});

describe('featureInfo', () => {
  it('tells which tokens the decoder row raises and lowers', async () => {
    await analyze();
    const [info] = await engine.featureInfo({ features: [{ sae: saeId(topKHook), index: 5 }], logits: true });
    const { W_dec } = tiny.saes.get(topKHook)!;
    const logits = Array.from({ length: dVocab }, (_, id) => {
      let sum = 0;
      for (let d = 0; d < dModel; d++) sum += W_dec[5 * dModel + d]! * weight('wte.weight')[id * dModel + d]!;
      return sum;
    });
    const order = [...logits].sort((a, b) => b - a);
    info!.topLogits!.forEach(({ id, logit }, i) => {
      expect(logit).toBeCloseTo(order[i]!, 4);
      expect(logits[id]).toBeCloseTo(logit, 4);
    });
    info!.bottomLogits!.forEach(({ logit }, i) => {
      expect(logit).toBeCloseTo(order.at(-1 - i)!, 4);
    });
  });

  it('knows the features of SAEs that are open, within their bounds', async () => {
    await analyze();
    const [last] = await engine.featureInfo({
      features: [{ sae: saeId(topKHook), index: tinyDSae - 1 }],
      logits: false,
    });
    expect(last).toMatchObject({ index: tinyDSae - 1 });
    expect(last?.topLogits).toBeUndefined();
    const beyond = await failure(
      engine.featureInfo({ features: [{ sae: saeId(topKHook), index: tinyDSae }], logits: true }),
    );
    expect(beyond.code).toBe('request.invalid');
    const unknown = await failure(
      engine.featureInfo({ features: [{ sae: '/elsewhere', index: 0 }], logits: true }),
    );
    expect(unknown).toMatchObject({ code: 'handle.unknown', data: { what: 'SAE', id: '/elsewhere' } });
  });
});

describe('logitLens', () => {
  it('reads every layer out, the last of them as the predictions', async () => {
    for (const edits of [[], [zeroHead]]) {
      const analysis = await analyze(edits, 4);
      const lens = await engine.logitLens({ run: analysis.run, top: 4 });
      const hooks = plainHooks(analysis, edits.length > 0 ? zeroed : undefined);
      expect(lens.layers).toEqual(['embed', '0', '1']);
      const names = ['blocks.0.hook_resid_pre', 'blocks.1.hook_resid_pre', 'blocks.1.hook_resid_post'];
      for (const [layer, name] of names.entries()) {
        for (let p = 0; p < analysis.strip.tokens.length; p++) {
          const logits = readOut(row(hooks.get(name)!, p));
          const order = [...logits].sort((a, b) => b - a);
          lens.cells[layer]![p]!.forEach(({ logit }, i) => {
            expect(logit).toBeCloseTo(order[i]!, 3);
          });
        }
      }
      const texts = (cells: typeof analysis.predictions) => cells.map((cell) => cell.map(({ text }) => text));
      expect(texts(lens.cells.at(-1)!)).toEqual(texts(analysis.predictions));
    }
  });

  it('refuses to show nothing', async () => {
    const { run } = await analyze();
    expect((await failure(engine.logitLens({ run, top: 0 }))).code).toBe('request.invalid');
  });
});

describe('attention', () => {
  it('gives probabilities that look back only', async () => {
    const analysis = await analyze();
    const hooks = plainHooks(analysis);
    for (const layer of [0, 1]) {
      const { pattern, positions, nHeads: heads } = await engine.attention({ run: analysis.run, layer });
      expect([positions, heads]).toEqual([analysis.strip.tokens.length, nHeads]);
      const expected = hooks.get(`blocks.${layer}.attn.hook_pattern`)!;
      for (let start = 0; start < pattern.length; start += positions) {
        const query = (start / positions) % positions;
        const weights = pattern.subarray(start, start + positions);
        expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
        weights.forEach((value, key) => {
          expect(value).toBeCloseTo(expected[start + key]!, 5);
          if (key > query) expect(value).toBe(0);
        });
      }
    }
  });

  it.each([2, -1, 0.5, Number.NaN])('refuses layer %d', async (layer) => {
    const { run } = await analyze();
    const error = await failure(engine.attention({ run, layer }));
    expect(error).toMatchObject({ code: 'request.invalid' });
    expect(error.message).toContain('layers 0 to 1');
  });
});

describe('residualAttribution', () => {
  /** Every component's write times the direction the contrast reads along, by plain loops. */
  function expectComponents(found: ResidualAttribution, analysis: Analysis, edit?: PlainHook): void {
    const hooks = plainHooks(analysis, edit);
    const p = found.position;
    const ids = new Map(vocabulary);
    const unembed = (d: number) =>
      weight('wte.weight')[ids.get(contrast.answer)! * dModel + d]! -
      weight('wte.weight')[ids.get(contrast.wrong)! * dModel + d]!;
    const gained = Array.from({ length: dModel }, (_, d) => weight('ln_f.weight')[d]! * unembed(d));
    const mean = gained.reduce((a, b) => a + b) / dModel;
    const scale = hooks.get('ln_final.hook_scale')![p]!;
    const along = (write: ArrayLike<number>) =>
      gained.reduce((sum, w, d) => sum + ((w - mean) / scale) * write[d]!, 0);
    const named = new Map(found.components.map(({ component, value }) => [component, value]));
    expect(named.size).toBe(2 + 2 * (nHeads + 1) + 1);
    expect(named.get('token embedding')).toBeCloseTo(along(row(hooks.get('hook_embed')!, p)), 3);
    expect(named.get('position embedding')).toBeCloseTo(along(row(hooks.get('hook_pos_embed')!, p)), 3);
    let biases = Array.from({ length: dModel }, (_, d) => unembed(d) * weight('ln_f.bias')[d]!).reduce(
      (a, b) => a + b,
    );
    for (let layer = 0; layer < 2; layer++) {
      for (let head = 0; head < nHeads; head++) {
        const z = hooks.get(`blocks.${layer}.attn.hook_z`)!;
        const write = new Float64Array(dModel);
        for (let i = 0; i < dHead; i++) {
          for (let d = 0; d < dModel; d++) {
            write[d]! +=
              z[(p * nHeads + head) * dHead + i]! *
              weight(`h.${layer}.attn.c_proj.weight`)[(head * dHead + i) * dModel + d]!;
          }
        }
        expect(named.get(`head ${layer}.${head}`)).toBeCloseTo(along(write), 3);
      }
      expect(named.get(`MLP ${layer}`)).toBeCloseTo(
        along(row(hooks.get(`blocks.${layer}.hook_mlp_out`)!, p)),
        3,
      );
      biases += along(weight(`h.${layer}.attn.c_proj.bias`));
    }
    expect(found.components.at(-1)!.value).toBeCloseTo(biases, 3);
    const total = found.components.reduce((sum, { value }) => sum + value, 0);
    expect(total).toBeCloseTo(found.total, 3);
    const logits = hooks.get('unembed.hook_out')!.subarray(p * dVocab);
    expect(found.total).toBeCloseTo(
      logits[ids.get(contrast.answer)!]! - logits[ids.get(contrast.wrong)!]!,
      3,
    );
  }

  const vocabulary = new Map<string, number>();

  beforeAll(async () => {
    const { predictions } = await analyze([], dVocab);
    for (const { text, id } of predictions[0]!) vocabulary.set(text, id);
  });

  it('takes the contrast apart into what components and biases add to it', async () => {
    const analysis = await analyze();
    for (const position of [undefined, 1]) {
      const found = await engine.residualAttribution({
        run: analysis.run,
        contrast: { ...contrast, position },
      });
      expect(found.what).toBe('" words" − " letter"');
      expect(found.position).toBe(position ?? analysis.strip.tokens.length - 1);
      expectComponents(found, analysis);
    }
  });

  it('takes the edited run apart, in which an ablated head adds nothing', async () => {
    const analysis = await analyze([zeroHead]);
    const found = await engine.residualAttribution({ run: analysis.run, contrast });
    expectComponents(found, analysis, zeroed);
    expect(found.components.find(({ component }) => component === 'head 1.2')!.value).toBe(0);
  });

  it('takes the best token’s logit without a contrast', async () => {
    const analysis = await analyze();
    const found = await engine.residualAttribution({ run: analysis.run, position: 2 });
    const best = analysis.predictions[2]![0]!;
    expect(found.what).toContain('logit of');
    expect(found.total).toBeCloseTo(best.logit, 3);
    expect(found.components.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(best.logit, 3);
  });

  it.each([99, -1, 1.5])('refuses position %d', async (position) => {
    const { run } = await analyze();
    const error = await failure(engine.residualAttribution({ run, position }));
    expect(error).toMatchObject({ code: 'request.invalid', data: { what: `Position ${position}` } });
  });
});

describe('suggestAnswers and comparePrompts', () => {
  it('suggests the most probable next tokens', async () => {
    const { predictions } = await analyze([], 20);
    const suggested = await engine.suggestAnswers({ model: model.id, text: prompt });
    expect(suggested.map(({ id }) => id)).toEqual(predictions.at(-1)!.map(({ id }) => id));
    suggested.forEach(({ probability }, i) => {
      expect(probability).toBeCloseTo(predictions.at(-1)![i]!.probability, 5);
    });
  });

  it('lays the tokens of two prompts side by side', async () => {
    const request = { model: model.id, clean: prompt, corrupted: 'When she gave letter' };
    const { pairs, equalLength, clean } = await engine.comparePrompts(request);
    expect(equalLength).toBe(true);
    expect(pairs.map(({ same }) => same)).toEqual([...clean.tokens.slice(1).map(() => true), false]);
    expect((await failure(engine.comparePrompts({ ...request, corrupted: '' }))).code).toBe('prompt.empty');
  });
});

describe('closeModel', () => {
  it('ends every handle of the model, and the model can be opened again', async () => {
    const { run } = await analyze();
    await engine.closeModel({ model: model.id });
    const gone = { code: 'handle.unknown', data: { what: 'model', id: model.id } };
    expect(await failure(analyze())).toMatchObject(gone);
    expect(await failure(engine.closeModel({ model: model.id }))).toMatchObject(gone);
    expect(await failure(engine.listSaes({ model: model.id, folders: [] }))).toMatchObject(gone);
    const features = [{ sae: saeId(topKHook), index: 0 }];
    expect(await failure(engine.logitLens({ run, top: 1 }))).toMatchObject({
      data: { what: 'run', id: run },
    });
    expect(await failure(engine.featureHeat({ run, features }))).toMatchObject({
      data: { what: 'run', id: run },
    });
    expect(await failure(engine.featureInfo({ features, logits: true }))).toMatchObject({
      data: { what: 'SAE' },
    });
    expect((await engine.openModel({ path: tiny.folder })).id).toBe(model.id);
    expect((await analyze()).features).toHaveLength(2);
  });

  it('forgets runs that were not asked about for long', async () => {
    const first = await analyze();
    await engine.attention({ run: first.run, layer: 0 });
    for (let i = 0; i < 11; i++) await analyze();
    expect((await engine.attention({ run: first.run, layer: 0 })).positions).toBe(first.strip.tokens.length);
    for (let i = 0; i < 12; i++) await analyze();
    expect((await failure(engine.attention({ run: first.run, layer: 0 }))).code).toBe('handle.unknown');
  });
});
