/** What views ask of a run that was looked at: heat, features, lens, attention; and when handles end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reluHook, tinyDSae, topKHook } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';
import {
  activationsAt,
  atRows,
  dHead,
  dModel,
  dVocab,
  edit,
  nHeads,
  openTinyEngine,
  prompt,
  rowAt,
  type TinyEngine,
  writeSae,
} from './tinyEngine.ts';

const zeroHead = edit({ kind: 'head', layer: 1, head: 2 }, { kind: 'zero' });
const zeroed = atRows('blocks.1.attn.hook_z', (row) => row.fill(0, 2 * dHead));

let look: TinyEngine;

beforeAll(async () => {
  look = await openTinyEngine(2);
});

afterAll(() => look?.close());

/** Next-token logits of a residual stream, by the final norm and unembedding in plain loops. */
function readOut(stream: ArrayLike<number>): number[] {
  const x = Array.from(stream);
  const mean = x.reduce((a, b) => a + b) / dModel;
  const scale = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dModel + 1e-5);
  const normal = x.map(
    (value, d) => ((value - mean) / scale) * look.weight('ln_f.weight')[d]! + look.weight('ln_f.bias')[d]!,
  );
  return Array.from({ length: dVocab }, (_, id) => {
    return normal.reduce((sum, value, d) => sum + value * look.weight('wte.weight')[id * dModel + d]!, 0);
  });
}

describe('featureHeat', () => {
  it('is the activation of each feature at every token, in the order asked for', async () => {
    const analysis = await look.analyze();
    const hooks = look.plainHooks(analysis);
    const features = [
      { sae: look.saeId(reluHook), index: 3 },
      { sae: look.saeId(topKHook), index: 11 },
      { sae: look.saeId(reluHook), index: 0 },
      { sae: look.saeId(topKHook), index: 11 },
    ];
    const heat = await look.engine.featureHeat({ run: analysis.run, features });
    const count = analysis.strip.tokens.length;
    expect(heat).toHaveLength(4 * count);
    features.forEach(({ sae, index }, i) => {
      const hook = sae === look.saeId(reluHook) ? reluHook : topKHook;
      for (let p = 0; p < count; p++) {
        const active = activationsAt(look, hook, rowAt(hooks.get(hook)!, p));
        expect(heat[i * count + p]).toBeCloseTo(active[index]!, 4);
      }
    });
  });

  it('refuses features that the SAE does not have', async () => {
    const { run } = await look.analyze();
    for (const index of [tinyDSae, -1, 1.5]) {
      const error = await failure(
        look.engine.featureHeat({ run, features: [{ sae: look.saeId(topKHook), index }] }),
      );
      expect(error).toMatchObject({ code: 'request.invalid' });
      expect(error.message).toContain('features 0 to 19');
    }
  });
});

describe('featureInfo', () => {
  it('tells which tokens the decoder row raises and lowers', async () => {
    await look.analyze();
    const [info] = await look.engine.featureInfo({
      features: [{ sae: look.saeId(topKHook), index: 5 }],
      logits: true,
    });
    const { W_dec } = look.tiny.saes.get(topKHook)!;
    const logits = Array.from({ length: dVocab }, (_, id) => {
      let sum = 0;
      for (let d = 0; d < dModel; d++)
        sum += W_dec[5 * dModel + d]! * look.weight('wte.weight')[id * dModel + d]!;
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

  it.each([
    ['blocks.1.attn.hook_z', false],
    ['blocks.1.ln2.hook_normalized', false],
    ['blocks.1.hook_attn_out', true],
    ['hook_embed', true],
  ])('tells of tokens only where the decoder writes the stream: %s, %s', async (hookName, told) => {
    const sae = await writeSae(look, { hookName });
    const ask = { model: look.model.id, text: prompt, topFeatures: 1, topPredictions: 1, edits: [] };
    await look.engine.analyze({ ...ask, saes: [sae] });
    const [info] = await look.engine.featureInfo({ features: [{ sae, index: 3 }], logits: true });
    expect([info!.topLogits?.length, info!.bottomLogits?.length]).toEqual(
      told ? [10, 10] : [undefined, undefined],
    );
  });

  it('knows the features of SAEs that are open, within their bounds', async () => {
    await look.analyze();
    const [last] = await look.engine.featureInfo({
      features: [{ sae: look.saeId(topKHook), index: tinyDSae - 1 }],
      logits: false,
    });
    expect(last).toMatchObject({ index: tinyDSae - 1 });
    expect(last?.topLogits).toBeUndefined();
    const beyond = await failure(
      look.engine.featureInfo({ features: [{ sae: look.saeId(topKHook), index: tinyDSae }], logits: true }),
    );
    expect(beyond.code).toBe('request.invalid');
    const unknown = await failure(
      look.engine.featureInfo({ features: [{ sae: '/elsewhere', index: 0 }], logits: true }),
    );
    expect(unknown).toMatchObject({ code: 'handle.unknown', data: { what: 'SAE', id: '/elsewhere' } });
  });
});

describe('logitLens', () => {
  it('reads every layer out, the last of them as the predictions', async () => {
    for (const edits of [[], [zeroHead]]) {
      const analysis = await look.analyze(edits, prompt, 4);
      const lens = await look.engine.logitLens({ run: analysis.run, top: 4 });
      const hooks = look.plainHooks(analysis, edits.length > 0 ? zeroed : undefined);
      expect(lens.layers).toEqual(['embed', '0', '1']);
      const names = ['blocks.0.hook_resid_pre', 'blocks.1.hook_resid_pre', 'blocks.1.hook_resid_post'];
      for (const [layer, name] of names.entries()) {
        for (let p = 0; p < analysis.strip.tokens.length; p++) {
          const logits = readOut(rowAt(hooks.get(name)!, p));
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
    const { run } = await look.analyze();
    expect((await failure(look.engine.logitLens({ run, top: 0 }))).code).toBe('request.invalid');
  });
});

describe('attention', () => {
  it('gives probabilities that look back only', async () => {
    const analysis = await look.analyze();
    const hooks = look.plainHooks(analysis);
    for (const layer of [0, 1]) {
      const { pattern, positions, nHeads: heads } = await look.engine.attention({ run: analysis.run, layer });
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
    const { run } = await look.analyze();
    const error = await failure(look.engine.attention({ run, layer }));
    expect(error).toMatchObject({ code: 'request.invalid' });
    expect(error.message).toContain('layers 0 to 1');
  });
});

describe('suggestAnswers and comparePrompts', () => {
  it('suggests the most probable next tokens', async () => {
    const { predictions } = await look.analyze([], prompt, 20);
    const suggested = await look.engine.suggestAnswers({ model: look.model.id, text: prompt });
    expect(suggested.map(({ id }) => id)).toEqual(predictions.at(-1)!.map(({ id }) => id));
    suggested.forEach(({ probability }, i) => {
      expect(probability).toBeCloseTo(predictions.at(-1)![i]!.probability, 5);
    });
  });

  it('lays the tokens of two prompts side by side', async () => {
    const request = { model: look.model.id, clean: prompt, corrupted: 'When she gave letter' };
    const { pairs, equalLength, clean } = await look.engine.comparePrompts(request);
    expect(equalLength).toBe(true);
    expect(pairs.map(({ same }) => same)).toEqual([...clean.tokens.slice(1).map(() => true), false]);
    expect((await failure(look.engine.comparePrompts({ ...request, corrupted: '' }))).code).toBe(
      'prompt.empty',
    );
  });
});

describe('closeModel', () => {
  it('ends every handle of the model, and the model can be opened again', async () => {
    const { run } = await look.analyze();
    await look.engine.closeModel({ model: look.model.id });
    const gone = { code: 'handle.unknown', data: { what: 'model', id: look.model.id } };
    expect(await failure(look.analyze())).toMatchObject(gone);
    expect(await failure(look.engine.closeModel({ model: look.model.id }))).toMatchObject(gone);
    expect(await failure(look.engine.listSaes({ model: look.model.id, folders: [] }))).toMatchObject(gone);
    const features = [{ sae: look.saeId(topKHook), index: 0 }];
    expect(await failure(look.engine.logitLens({ run, top: 1 }))).toMatchObject({
      data: { what: 'run', id: run },
    });
    expect(await failure(look.engine.featureHeat({ run, features }))).toMatchObject({
      data: { what: 'run', id: run },
    });
    expect(await failure(look.engine.featureInfo({ features, logits: true }))).toMatchObject({
      data: { what: 'SAE' },
    });
    expect((await look.engine.openModel({ path: look.tiny.folder })).id).toBe(look.model.id);
    expect((await look.analyze()).features).toHaveLength(2);
  });

  it('forgets runs that were not asked about for long', async () => {
    const first = await look.analyze();
    await look.engine.attention({ run: first.run, layer: 0 });
    for (let i = 0; i < 11; i++) await look.analyze();
    expect((await look.engine.attention({ run: first.run, layer: 0 })).positions).toBe(
      first.strip.tokens.length,
    );
    for (let i = 0; i < 12; i++) await look.analyze();
    expect((await failure(look.engine.attention({ run: first.run, layer: 0 }))).code).toBe('handle.unknown');
  });
});
