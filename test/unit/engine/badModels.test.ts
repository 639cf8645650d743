/** Damaged and vanishing model folders: each fails with a message that says what to do, and leaves the engine usable. */
import { cp, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { ModelInfo } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import type { EngineError } from '../../../src/shared/errors.ts';
import { type TinyModel, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../temporaryFolder.ts';

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

/** A copy of the model folder that a test may damage. */
async function copied(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(tiny.folder, folder, { recursive: true });
  return folder;
}

async function openingAfter(damage: (folder: string) => Promise<unknown>): Promise<EngineError> {
  const folder = await copied();
  await damage(folder);
  const error = await failure(engine.openModel({ path: folder }));
  expect(error.message).toContain(folder);
  // What failed is not remembered: the repaired folder opens.
  await cp(tiny.folder, folder, { recursive: true });
  const { id } = await engine.openModel({ path: folder });
  await engine.closeModel({ model: id });
  return error;
}

describe('a model folder', () => {
  it('that is not there is named', async () => {
    const path = join(tiny.folder, 'nowhere');
    expect(await failure(engine.openModel({ path }))).toMatchObject({ code: 'file.missing', data: { path } });
    const inside = await failure(engine.openModel({ path: join(tiny.folder, 'config.json', 'x') }));
    expect(inside.code).toBe('file.missing');
    expect((await failure(engine.openModel({ path: 'a\0b' }))).code).toBe('file.unreadable');
  });

  it.each([
    ['config.json', 'file.missing', 'config.json'],
    ['model.safetensors', 'file.missing', 'model.safetensors'],
    ['tokenizer.json', 'tokenizer.missing', 'tokenizer.save_pretrained'],
  ])('without %s fails with %s', async (name, code, words) => {
    const error = await openingAfter((folder) => rm(join(folder, name)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it.each([
    ['n_layer', -1],
    ['n_embd', 1e12],
    ['n_head', 5],
    ['vocab_size', 'many'],
    ['layer_norm_epsilon', Number.MAX_VALUE],
  ])('with %s of %s in its config fails and names the field', async (field, value) => {
    const error = await openingAfter((folder) => changeConfig(folder, { [field]: value }));
    expect(error.code).toBe('model.invalidConfig');
    expect(error.message).toMatch(field === 'n_head' ? /n_embd/ : new RegExp(field));
  });

  it('of another kind says which kinds there are', async () => {
    const error = await openingAfter((folder) => changeConfig(folder, { model_type: 'mamba' }));
    expect(error).toMatchObject({ code: 'model.unsupported', data: { architecture: 'mamba' } });
    expect(error.message).toContain('gpt2');
  });

  it('whose config and weights disagree names the tensor', async () => {
    const more = await openingAfter((folder) => changeConfig(folder, { n_layer: 3 }));
    expect(more).toMatchObject({ code: 'model.missingWeight' });
    const wider = await openingAfter((folder) => changeConfig(folder, { vocab_size: 401 }));
    expect(wider).toMatchObject({ code: 'model.wrongShape' });
    expect(wider.message).toContain('401');
  });

  it.each([
    ['cut short', (path: string) => truncate(path, 5000)],
    ['empty', (path: string) => truncate(path, 0)],
    ['of something else', (path: string) => writeFile(path, 'PK\u0003\u0004'.repeat(500))],
  ])('whose weights are %s is refused', async (_, damage) => {
    const error = await openingAfter((folder) => damage(join(folder, 'model.safetensors')));
    expect(error.code).toBe('file.malformed');
    expect(error.message).toContain('model.safetensors');
  });

  it.each([
    ['config.json', '{"model_type": "gpt2",'],
    ['tokenizer.json', '[]'],
    ['tokenizer.json', 'no JSON'],
  ])('whose %s is damaged is refused', async (name, content) => {
    const error = await openingAfter((folder) => writeFile(join(folder, name), content));
    expect(['file.malformed', 'model.invalidConfig']).toContain(error.code);
    expect(error.message).toContain(name);
  });

  it('that disappears before its first prompt fails and names what is gone', async () => {
    const folder = await copied();
    const { id } = await engine.openModel({ path: folder });
    await rm(folder, { recursive: true });
    const error = await failure(engine.analyze(ask('gave', { model: id, saes: [] })));
    expect(error.code).toBe('file.missing');
    expect(error.message).toContain(folder);
    expect((await failure(engine.analyze(ask('gave', { model: id, saes: [] })))).code).toBe('file.missing');
    expect((await engine.analyze(ask('gave'))).predictions).not.toHaveLength(0);
    await engine.closeModel({ model: id });
  });

  it('that disappears after its first prompt goes on as far as it is loaded', async () => {
    const folder = await copied();
    const { id } = await engine.openModel({ path: folder });
    const request = ask('She gave', { model: id, saes: [] });
    const before = await engine.analyze(request);
    await rm(folder, { recursive: true });
    expect((await engine.analyze({ ...request, text: 'She gave words' })).reused).toBeGreaterThan(0);
    expect((await engine.analyze(request)).predictions).toEqual(before.predictions);
    const sae = join(folder, 'saes', topKHook);
    expect(await failure(engine.analyze({ ...request, saes: [sae] }))).toMatchObject({
      code: 'file.missing',
    });
    expect(await engine.listSaes({ model: id, folders: [] })).toEqual([]);
    await engine.closeModel({ model: id });
  });

  it('comes back under the same path after it was closed', async () => {
    const folder = await copied();
    const { id, hash } = await engine.openModel({ path: folder });
    await engine.closeModel({ model: id });
    await rm(folder, { recursive: true });
    await cp(tiny.folder, folder, { recursive: true });
    expect(await engine.openModel({ path: folder })).toMatchObject({ id, hash });
    await engine.closeModel({ model: id });
  });
});

async function changeConfig(folder: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  await mkdir(folder, { recursive: true });
  await writeFile(path, JSON.stringify({ ...config, ...changes }));
}
