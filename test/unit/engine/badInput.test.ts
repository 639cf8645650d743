/** SAEs, prompts, contrasts and handles that cannot be: each fails with a message that says what to do, and leaves the engine usable. */
import { copyFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { writeSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import type { Contrast, Edit, ModelInfo } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../fixtures/tinyGpt2.ts';
import {
  randomSae,
  type TinyModel,
  tinySaeConfig,
  topKHook,
  valuesOf,
  writeTinyModel,
} from '../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../temporaryFolder.ts';

const contrast: Contrast = { answer: ' words', wrong: ' letter' };
let tiny: TinyModel;
let engine: Engine;
let model: ModelInfo;

beforeAll(async () => {
  tiny = await writeTinyModel(3);
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: tiny.folder });
});

afterAll(() => tiny?.remove());

function ask(text: string, changes: Partial<AnalyzeRequest> = {}): AnalyzeRequest {
  const saes = [join(model.path, 'saes', topKHook)];
  return { model: model.id, text, saes, topFeatures: 3, topPredictions: 2, edits: [], ...changes };
}

describe('an SAE', () => {
  async function saeFolder(changes: object, dIn = 12): Promise<string> {
    const folder = await temporaryFolder();
    const config = { ...tinySaeConfig(topKHook, dIn), ...changes };
    await writeSaeLens(folder, config, valuesOf(randomSae('bad', dIn), dIn));
    return folder;
  }

  it.each([
    ['of another width', {}, 16, 'it reads 16 numbers'],
    ['of a layer that is not there', { hookName: 'blocks.9.hook_resid_post' }, 12, 'layer 9'],
    ['of an unknown hook', { hookName: 'blocks.0.hook_nothing' }, 12, 'no hook blocks.0.hook_nothing'],
    ['of one head alone', { hookName: 'blocks.0.attn.hook_z', hookHeadIndex: 1 }, 4, 'head 1 alone'],
  ])('%s is listed with its problem and refused', async (_, changes, dIn, words) => {
    const path = await saeFolder(changes, dIn);
    const listed = await engine.listSaes({ model: model.id, folders: [path] });
    expect(listed.find((sae) => sae.path === path)?.problem).toContain(words);
    const error = await failure(engine.analyze(ask('gave', { saes: [path] })));
    expect(error).toMatchObject({ code: 'sae.mismatch', data: { path, model: model.name } });
    expect(error.message).toContain(words);
    expect((await engine.analyze(ask('gave'))).features).toHaveLength(1);
  });

  it('that one open model can use is still refused for another that it does not fit', async () => {
    const narrow = { ...tinyConfig, dModel: 6, dVocab: 400 };
    const folder = await writeTinyGpt2(narrow, tinyWeights(narrow, 1));
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      await copyFile(join(tiny.folder, name), join(folder, name));
    }
    const other = await engine.openModel({ path: folder });
    expect((await engine.analyze(ask('gave'))).features).toHaveLength(1);
    const error = await failure(engine.analyze(ask('gave', { model: other.id })));
    expect(error).toMatchObject({ code: 'sae.mismatch', data: { model: other.name } });
    await engine.closeModel({ model: other.id });
    expect((await engine.analyze(ask('gave'))).features).toHaveLength(1);
    await rm(folder, { recursive: true });
  });

  it('with damaged files is listed with its problem and refused', async () => {
    const path = await saeFolder({});
    await truncate(join(path, 'sae_weights.safetensors'), 300);
    const listed = await engine.listSaes({ model: model.id, folders: [path] });
    expect(listed.find((sae) => sae.path === path)?.problem).toContain('sae_weights.safetensors');
    expect((await failure(engine.analyze(ask('gave', { saes: [path] })))).code).toBe('file.malformed');
    await writeSaeLens(path, tinySaeConfig(topKHook), valuesOf(randomSae('bad', 12), 12));
    expect((await engine.analyze(ask('gave', { saes: [path] }))).features).toHaveLength(1);
  });

  it('on the logits of nothing that circuits know is refused by circuits alone', async () => {
    const path = await saeFolder({ hookName: 'blocks.1.hook_resid_mid' });
    expect((await engine.analyze(ask('gave', { saes: [path] }))).features).toHaveLength(1);
    const request = { model: model.id, text: 'gave', contrast, saes: [path], maxNodes: 5 };
    const error = await failure(engine.findCircuit(request));
    expect(error).toMatchObject({
      code: 'request.invalid',
      data: { what: 'The SAE at blocks.1.hook_resid_mid' },
    });
  });
});

describe('a prompt', () => {
  it.each([
    ['markdown and HTML', '# **a** [x](javascript:1) <img src=x onerror=1> `b` $(id) {{c}} &amp; \\'],
    ['control characters', 'a\u0000b\u0007\u001b[31m\u007f\u0085\r\n\tc\u2028\u202e\ufeff'],
    ['unpaired surrogates', 'a\ud83d b \ude00\ud83d\ude00 \udc00\udc00 \ud800'],
    ['marks and letters of many scripts', 'é🙂 e\u0301 नमस्ते 漢字\u200d👩‍👩‍👧'],
    ['one lone surrogate', '\udfff'],
    ['a special token written out', 'a <|endoftext|> b'],
    ['blank space only', ' \n\t '],
  ])('of %s is read, each token at its exact place', async (_, text) => {
    const { strip, predictions, features, probabilities } = await engine.analyze(ask(text));
    const { tokens, used } = strip;
    expect(strip).toMatchObject({ exact: true, truncated: false });
    expect(used).toEqual({ start: 0, end: text.length });
    expect(tokens[0]!.start).toBe(0);
    expect(tokens.at(-1)!.end).toBe(text.length);
    let covered = 0;
    for (const { start, end, text: shown } of tokens) {
      expect(start).toBeLessThanOrEqual(covered);
      covered = Math.max(covered, end);
      if (!/‹|\ufffd/.test(shown)) expect(shown).toBe(text.slice(start, end));
    }
    expect(covered).toBe(text.length);
    expect(predictions).toHaveLength(tokens.length);
    expect(features[0]!.indices).toHaveLength(3 * tokens.length);
    expect([...probabilities.slice(1)].every((p) => p >= 0 && p <= 1)).toBe(true);
  });

  it('that is empty, or longer than the limit, is refused by everything that reads prompts', async () => {
    const long = 'a'.repeat(1_000_001);
    for (const [text, code] of [
      ['', 'prompt.empty'],
      [long, 'prompt.tooLong'],
    ] as const) {
      const circuit = { model: model.id, text, contrast, saes: [], maxNodes: 5 };
      const both = { model: model.id, clean: 'gave', corrupted: text };
      for (const work of [
        engine.analyze(ask(text)),
        engine.suggestAnswers({ model: model.id, text }),
        engine.comparePrompts(both),
        engine.findCircuit(circuit),
        engine.findCircuit({ ...circuit, text: 'gave', counterfactual: text }),
      ]) {
        expect((await failure(work)).code).toBe(code);
      }
    }
    expect((await failure(engine.analyze(ask(long)))).message).toContain('1000000');
  });

  it('of the greatest length is read at its end', async () => {
    const { strip } = await engine.analyze(ask('gave '.repeat(200_000)));
    expect(strip).toMatchObject({ truncated: true, used: { end: 1_000_000 } });
    expect(strip.tokens.length).toBeLessThanOrEqual(96);
  });
});

describe('a contrast', () => {
  const circuit = (changes: object) =>
    engine.findCircuit({
      model: model.id,
      text: 'When she gave',
      contrast,
      saes: [],
      maxNodes: 5,
      ...changes,
    });

  it('of several tokens is refused with its pieces', async () => {
    const wrong = { answer: ' words letter', wrong: ' letter' };
    for (const work of [engine.analyze(ask('gave', { contrast: wrong })), circuit({ contrast: wrong })]) {
      const error = await failure(work);
      expect(error.code).toBe('answer.notOneToken');
      expect(error.message).toContain('" words" + " letter"');
    }
    const empty = await failure(circuit({ contrast: { answer: '', wrong: ' letter' } }));
    expect(empty.code).toBe('answer.notOneToken');
  });

  it.each([99, -99, 0.5, Number.NaN])('at position %d is refused', async (position) => {
    for (const work of [
      engine.analyze(ask('When she gave', { contrast: { ...contrast, position } })),
      circuit({ contrast: { ...contrast, position } }),
    ]) {
      const error = await failure(work);
      expect(error).toMatchObject({ code: 'request.invalid' });
      expect(error.message).toContain('tokens');
    }
  });

  it('with a counterfactual of another length is refused with both lengths', async () => {
    const { tokens } = (await engine.analyze(ask('When she gave'))).strip;
    const error = await failure(circuit({ counterfactual: 'When she gave words' }));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toContain(`${tokens.length + 1} tokens`);
    expect(error.message).toContain(`has ${tokens.length};`);
  });

  it('with a counterfactual of the same tokens is refused', async () => {
    const error = await failure(circuit({ counterfactual: 'When she gave' }));
    expect(error).toMatchObject({ code: 'request.invalid', data: { what: 'The counterfactual prompt' } });
    expect(error.message).toContain('the same tokens as the prompt');
  });

  it('of a token with itself is refused', async () => {
    const same = { answer: ' words', wrong: ' words' };
    for (const work of [engine.analyze(ask('gave', { contrast: same })), circuit({ contrast: same })]) {
      const error = await failure(work);
      expect(error.code).toBe('request.invalid');
      expect(error.message).toContain('both answers are the same token');
    }
  });

  it.each([0, -3, 2.5, Number.NaN])('with %d nodes is refused', async (maxNodes) => {
    expect((await failure(circuit({ maxNodes }))).code).toBe('request.invalid');
  });
});

describe('an intervention', () => {
  const head = { kind: 'head', layer: 0, head: 0 } as const;
  const feature = () =>
    ({ kind: 'feature', feature: { sae: join(model.path, 'saes', topKHook), index: 0 } }) as const;
  const of = (action: Edit['action'], strength = 1, target: Edit['target'] = head): Edit[] => [
    { id: 'a', target, action, strength, enabled: true },
  ];

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('of %d is refused', async (x) => {
    for (const [name, edits] of [
      ['strength', of({ kind: 'zero' }, x)],
      ['factor', of({ kind: 'scale', factor: x })],
      ['amount', of({ kind: 'add', amount: x }, 1, feature())],
      ['value', of({ kind: 'set', value: x }, 1, feature())],
    ] as const) {
      const error = await failure(engine.analyze(ask('gave', { edits })));
      expect(error.code).toBe('request.invalid');
      expect(error.message).toContain(`The ${name} ${x}`);
    }
  });
});

describe('a call that was cancelled before it began', () => {
  it.each<[string, (call: { signal: AbortSignal }) => Promise<unknown>]>([
    ['openModel', (call) => engine.openModel({ path: tiny.folder }, call)],
    ['listSaes', (call) => engine.listSaes({ model: model.id, folders: [] }, call)],
    ['suggestAnswers', (call) => engine.suggestAnswers({ model: model.id, text: 'gave' }, call)],
    [
      'comparePrompts',
      (call) => engine.comparePrompts({ model: model.id, clean: 'a', corrupted: 'b' }, call),
    ],
    [
      'featureInfo',
      (call) => {
        const features = [{ sae: join(model.path, 'saes', topKHook), index: 0 }];
        return engine.featureInfo({ features, logits: true }, call);
      },
    ],
  ])('%s does nothing', async (_, work) => {
    await engine.analyze(ask('gave'));
    expect((await failure(work({ signal: AbortSignal.abort() }))).code).toBe('cancelled');
    await work({ signal: new AbortController().signal });
  });
});

describe('a handle that nobody knows', () => {
  it('is named, with what it should be', async () => {
    const nobody = { code: 'handle.unknown', data: { what: 'model', id: '/nobody' } };
    expect(await failure(engine.analyze(ask('gave', { model: '/nobody' })))).toMatchObject(nobody);
    expect(await failure(engine.closeModel({ model: '/nobody' }))).toMatchObject(nobody);
    const run = await failure(engine.attention({ run: 'run-0', layer: 0 }));
    expect(run).toMatchObject({ code: 'handle.unknown', data: { what: 'run', id: 'run-0' } });
    expect(run.message).toBe('The run "run-0" is not loaded. Load it again.');
  });

  it('is not mistaken for what every object has', async () => {
    for (const id of ['constructor', '__proto__', 'toString']) {
      expect((await failure(engine.attention({ run: id, layer: 0 }))).code).toBe('handle.unknown');
    }
  });
});
