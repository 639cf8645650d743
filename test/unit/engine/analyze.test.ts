/** What one look at a prompt answers, held against fresh runs of model and SAE; and what it reuses from the look before. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { floatsOf } from '../../../src/engine/graph/value.ts';
import { loadTokenizer } from '../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../src/engine/model/transformer.ts';
import { type Random, seededRandom } from '../../../src/engine/random.ts';
import { openSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../src/engine/sae/sparseAutoencoder.ts';
import type { Analysis } from '../../../src/shared/analysis.ts';
import type { ModelInfo, SaeInfo } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';

const prompt = 'When Mary and John went to the store, John gave a drink to';
let engine: Engine;
let other: Engine;
let model: ModelInfo;
let saes: readonly SaeInfo[];

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  other = new Engine({ threads: 1 });
  await other.openModel({ path: miniFolder });
  model = await engine.openModel({ path: miniFolder });
  saes = await engine.listSaes({ model: model.id, folders: [] });
});

afterAll(async () => {
  for (const each of [engine, other]) await each.closeModel({ model: model.id });
});

function ask(text: string, changes: Partial<AnalyzeRequest> = {}): AnalyzeRequest {
  const ids = saes.slice(0, 2).map((sae) => sae.id);
  return { model: model.id, text, saes: ids, topFeatures: 5, topPredictions: 4, edits: [], ...changes };
}

/** What an engine answers that has nothing to reuse: the prompt before shares no token with this one. */
async function freshly(request: AnalyzeRequest): Promise<Analysis> {
  await other.analyze(ask('~'));
  const analysis = await other.analyze(request);
  expect(analysis.reused).toBe(0);
  return analysis;
}

/** The text after one more thing that people do to a text. */
function typed(text: string, random: Random): string {
  const at = random.int(text.length + 1);
  const word = random.pick([' Mary', ' John', ' went', ' the store', ',', ' a drink', '\n', ' é🙂', 'x']);
  const changed = [
    text + word,
    text.slice(0, at) + text.slice(at + random.int(8)),
    text.slice(0, at) + word + text.slice(at),
    text.slice(0, Math.max(4, at)),
  ][random.int(4)]!;
  return changed === '' ? 'The' : changed;
}

/** The same tokens, features and predictions; numbers agree to float32 rounding. */
function expectSame(found: Analysis, expected: Analysis): void {
  expect(found.strip).toEqual(expected.strip);
  const gap = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    expect(a.length).toBe(b.length);
    return Math.max(
      0,
      ...Array.from(a, (x, i) => (Number.isNaN(x) && Number.isNaN(b[i]) ? 0 : Math.abs(x - b[i]!))),
    );
  };
  expect(gap(found.probabilities, expected.probabilities)).toBeLessThan(1e-4);
  found.features.forEach((features, i) => {
    expect(features.sae).toBe(expected.features[i]!.sae);
    expect(gap(features.activations, expected.features[i]!.activations)).toBeLessThan(1e-3);
  });
  const logits = (analysis: Analysis) => analysis.predictions.flat().map(({ logit }) => logit);
  expect(gap(logits(found), logits(expected))).toBeLessThan(1e-3);
  const weights = (analysis: Analysis) => analysis.attention.map((source) => source?.weight ?? -1);
  expect(gap(weights(found), weights(expected))).toBeLessThan(1e-4);
}

describe('openModel', () => {
  it('opens a folder once, by whatever path', async () => {
    const [again, roundabout] = await Promise.all([
      engine.openModel({ path: miniFolder }),
      engine.openModel({ path: join(miniFolder, 'saes', '..') }),
    ]);
    expect(again).toBe(model);
    expect(roundabout).toBe(model);
    expect(model).toMatchObject({ id: model.path, nLayers: 4, dModel: 128, nContext: 128, family: 'gpt2' });
  });

  it('lists the SAEs and transcoders beside the model once each, by layer, also when their folder is named again', async () => {
    const sites = ['hook_attn_out', 'hook_mlp_out', 'hook_resid_post', 'mlp.hook_in'];
    const hooks = [0, 1, 2, 3].flatMap((layer) => sites.map((site) => `blocks.${layer}.${site}`));
    expect(saes.map((sae) => sae.hook)).toEqual(hooks);
    expect(saes.every((sae) => sae.problem === undefined && sae.dIn === 128)).toBe(true);
    expect(saes.map(({ kind }) => kind).filter((kind) => kind === 'transcoder')).toHaveLength(4);
    const folders = [
      join(miniFolder, 'saes'),
      join(miniFolder, 'transcoders'),
      join(miniFolder, 'saes', hooks[0]!),
      join(miniFolder, 'nowhere'),
    ];
    expect(await engine.listSaes({ model: model.id, folders })).toEqual(saes);
  });
});

describe('analyze', () => {
  it('gives the features of a direct encoding of a fresh run', async () => {
    const { features, strip } = await engine.analyze(ask(prompt, { saes: saes.map(({ id }) => id) }));
    const transformer = await Transformer.open(miniFolder, { threads: 1 });
    const ids = Int32Array.from(strip.tokens, ({ id }) => id);
    const { hooks } = await transformer.run({ tokens: [ids], capture: saes.map(({ hook }) => hook) });
    for (const [i, { id, hook, path }] of saes.entries()) {
      const sae = new SparseAutoencoder(await openSaeLens(path));
      const { data } = await sae.activations(hooks.get(hook)!);
      const found = features[i]!;
      expect(found).toMatchObject({ sae: id, k: 5 });
      for (let position = 0; position < ids.length; position++) {
        const row = data.subarray(position * sae.config.dSae, (position + 1) * sae.config.dSae);
        const best = [...row].sort((a, b) => b - a).slice(0, 5);
        best.forEach((activation, rank) => {
          const at = position * 5 + rank;
          const index = found.indices[at]!;
          if (activation > 0) expect(row[index]).toBeCloseTo(activation, 3);
          else expect(index).toBe(-1);
          if (activation > 0) expect(found.activations[at]).toBeCloseTo(activation, 3);
        });
      }
      await sae.release();
    }
    await transformer.release();
  });

  it('gives the softmax of the logits, the probability each token was given, and the strongest look back', async () => {
    const analysis = await engine.analyze(ask(prompt));
    const transformer = await Transformer.open(miniFolder, { threads: 1 });
    const ids = Int32Array.from(analysis.strip.tokens, ({ id }) => id);
    const capture = [0, 1, 2, 3].map((layer) => `blocks.${layer}.attn.hook_pattern`);
    const run = await transformer.run({ tokens: [ids], capture });
    const data = floatsOf(run.logits!);
    expect(analysis.predictions).toHaveLength(ids.length);
    expect(analysis.probabilities[0]).toBeNaN();
    for (let position = 0; position < ids.length; position++) {
      const row = [...data.subarray(position * model.dVocab, (position + 1) * model.dVocab)];
      const most = Math.max(...row);
      const total = row.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
      const order = row.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit);
      analysis.predictions[position]!.forEach(({ logit, probability, id }, rank) => {
        expect(logit).toBeCloseTo(order[rank]!.logit, 3);
        expect(row[id]).toBeCloseTo(logit, 3);
        expect(probability).toBeCloseTo(Math.exp(logit - most) / total, 4);
      });
      const next = ids[position + 1];
      if (next === undefined) continue;
      expect(analysis.probabilities[position + 1]).toBeCloseTo(Math.exp(row[next]! - most) / total, 4);
    }
    analysis.attention.forEach((source, position) => {
      let best = 0;
      for (const name of capture) {
        const pattern = floatsOf(run.hooks.get(name)!);
        for (let head = 0; head < model.nHeads; head++) {
          for (let key = 1; key < position; key++) {
            best = Math.max(best, pattern[(head * ids.length + position) * ids.length + key]!);
          }
        }
      }
      if (best === 0) expect(source).toBeUndefined();
      else expect(source?.weight).toBeCloseTo(best, 4);
    });
    await transformer.release();
  });

  it('answers the same after any history of edits to the text as an engine without history', async () => {
    const random = seededRandom('typing');
    let text = prompt;
    for (let step = 0; step < 24; step++) {
      text = typed(text, random);
      const changes = {
        topFeatures: step % 5 === 4 ? 3 : 5,
        topPredictions: step % 7 === 6 ? 2 : 4,
        saes: step % 3 === 2 ? [saes[4]!.id] : saes.slice(0, 2).map(({ id }) => id),
      };
      expectSame(await engine.analyze(ask(text, changes)), await freshly(ask(text, changes)));
    }
  });

  it('takes the unchanged prefix over', async () => {
    const { strip } = await engine.analyze(ask(prompt));
    const longer = await engine.analyze(ask(`${prompt} Mary`));
    expect(longer.reused).toBe(strip.tokens.length);
    expect(longer.strip.tokens).toHaveLength(strip.tokens.length + 1);
    expect((await engine.analyze(ask(prompt))).reused).toBe(strip.tokens.length);
    expect((await engine.analyze(ask('She said'))).reused).toBe(0);
  });

  it('refuses an empty prompt and goes on from what it knew', async () => {
    const before = await engine.analyze(ask(prompt));
    expect((await failure(engine.analyze(ask('')))).code).toBe('prompt.empty');
    const after = await engine.analyze(ask(prompt));
    expect(after.reused).toBe(before.strip.tokens.length);
    expectSame(after, before);
  });

  it('reads the end of a prompt of 100,000 characters and says which part', async () => {
    const text = 'When Mary and John went to the store. '.repeat(2632).slice(0, 100_000);
    const { strip, predictions, reused } = await engine.analyze(ask(text));
    expect(strip).toMatchObject({ truncated: true, exact: true, used: { end: 100_000 } });
    expect(strip.tokens.length).toBeLessThanOrEqual(128);
    expect(strip.tokens.length).toBeGreaterThan(96);
    expect(strip.used.start).toBe(strip.tokens[0]!.start);
    expect(predictions).toHaveLength(strip.tokens.length);
    for (const { text: shown, start, end } of strip.tokens) expect(shown).toBe(text.slice(start, end));
    const tokenizer = await loadTokenizer(miniFolder);
    const all = tokenizer.encode(text).ids;
    expect(strip.tokens.map(({ id }) => id)).toEqual([...all.slice(-strip.tokens.length)]);
    // Typing on does not move the window at every key.
    expect(reused).toBe(0);
    const more = await engine.analyze(ask(`${text} x`));
    expect([0, strip.tokens.length]).toContain(more.reused);
    expectSame(more, await freshly(ask(`${text} x`)));
  });

  it('answers questions that are asked at once, each for itself', async () => {
    const texts = [prompt, 'The cats', `${prompt} Mary`, 'The capital of France is', 'The cats near the'];
    const found = await Promise.all(texts.map((text) => engine.analyze(ask(text))));
    for (const [i, analysis] of found.entries()) expectSame(analysis, await freshly(ask(texts[i]!)));
    expect(new Set(found.map(({ run }) => run)).size).toBe(texts.length);
  });

  it('can be cancelled wherever it looks for it, and stays usable', async () => {
    const text = 'The men near the car were';
    const zero = { kind: 'zero' } as const;
    const edits = [
      { id: 'a', target: { kind: 'head', layer: 1, head: 2 }, action: zero, strength: 1, enabled: true },
    ] as const;
    const expected = await freshly(ask(text, { edits }));
    let cancelled = 0;
    for (let after = 0; after < 100; after++) {
      let checks = 0;
      const signal = {
        get aborted() {
          return checks++ >= after;
        },
      } as AbortSignal;
      await engine.analyze(ask('Other words stood here'));
      const outcome = await engine
        .analyze(ask(text, { edits }), { signal })
        .catch((error) => error.code as string);
      if (typeof outcome !== 'string') {
        expectSame(outcome, expected);
        break;
      }
      expect(outcome).toBe('cancelled');
      cancelled++;
      expectSame(await engine.analyze(ask(text, { edits })), expected);
    }
    expect(cancelled).toBeGreaterThan(8);
    expect(cancelled).toBeLessThan(100);
  });

  it('says where its numbers come from', async () => {
    const { provenance, run, milliseconds } = await engine.analyze(ask(prompt));
    expect(provenance).toMatchObject({ model: { name: 'mini', hash: model.hash }, bos: 'none' });
    expect(provenance.saes).toEqual(
      saes.slice(0, 2).map(({ hook, hash }) => ({ hook, hash, prependBos: false })),
    );
    expect(run).toMatch(/^run-\d+$/);
    expect(milliseconds).toBeGreaterThan(0);
  });

  it.each([
    ['topFeatures', -1],
    ['topFeatures', 1.5],
    ['topFeatures', Number.NaN],
    ['topPredictions', 0],
    ['topPredictions', Number.POSITIVE_INFINITY],
  ])('refuses %s of %d', async (name, value) => {
    const error = await failure(engine.analyze(ask(prompt, { [name]: value })));
    expect(error).toMatchObject({ code: 'request.invalid' });
    expect(error.message).toContain('whole number');
  });

  it('caps counts at what there is, and can be asked for no features', async () => {
    const { features, predictions } = await engine.analyze(
      ask('The', { topFeatures: 9999, topPredictions: 9999 }),
    );
    expect(features[0]!.k).toBe(saes[0]!.dSae);
    expect(predictions[0]).toHaveLength(model.dVocab);
    const none = await engine.analyze(ask('The', { topFeatures: 0 }));
    expect(none.features[0]).toMatchObject({ k: 0 });
    expect((await engine.analyze(ask('The cat', { topFeatures: 0 }))).features[0]!.indices).toHaveLength(0);
  });
});
