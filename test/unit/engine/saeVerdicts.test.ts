/** What was measured of an SAE goes with the model, the beginning of prompts and the reading it was measured for. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { openSae } from '../../../src/engine/sae/formats/registry.ts';
import type { ModelInfo } from '../../../src/shared/domain.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';

const hook = 'blocks.1.hook_resid_post';
const sae = join(miniFolder, 'saes', hook);
const text = 'When Mary and John went to the store, John gave a drink to';

let engine: Engine;
let model: ModelInfo;
let storage: string;

beforeAll(async () => {
  storage = await mkdtemp(join(tmpdir(), 'fovea-'));
  engine = new Engine({ storage });
  model = await engine.openModel({ path: miniFolder });
});
afterAll(async () => {
  await engine.closeModel({ model: model.id });
  await rm(storage, { recursive: true, force: true });
});

async function provenance(id = sae) {
  const request = { model: model.id, text, saes: [id], topFeatures: 3, topPredictions: 1, edits: [] };
  return (await engine.analyze(request)).provenance.saes[0]!;
}

test('a verdict stands in provenance, and goes when prompts begin otherwise or the SAE is read otherwise', async () => {
  expect(await provenance()).not.toHaveProperty('verdict');
  const check = await engine.checkSae({ model: model.id, sae });
  const verdict = { verdict: 'good', explainedVariance: check.current.explainedVariance };
  expect(check.of).toMatchObject({ model: model.hash, bos: 'none' });
  expect(await provenance()).toMatchObject(verdict);
  await engine.openModel({ path: miniFolder, bos: 'always' });
  expect(await provenance()).not.toHaveProperty('verdict');
  await engine.openModel({ path: miniFolder, bos: 'never' });
  expect(await provenance()).toMatchObject(verdict);
  await engine.configureSae({ sae, convention: { inputScale: 2 } });
  expect(await provenance()).toMatchObject({ scale: 2, convention: { inputScale: 2 } });
  expect(await provenance()).not.toHaveProperty('verdict');
  await engine.configureSae({ sae, convention: {} });
  expect(await provenance()).toMatchObject(verdict);
});

test('a check that was told to a new engine stands in its provenance, one of another model does not', async () => {
  const check = await engine.checkSae({ model: model.id, sae });
  const other = new Engine({ storage: await temporaryFolder() });
  await other.openModel({ path: miniFolder });
  const listed = async () =>
    (await other.listSaes({ model: model.id, folders: [] })).find((one) => one.id === check.sae)?.check
      ?.verdict;
  await other.configureSae({
    sae,
    convention: {},
    check: { ...check, of: { ...check.of, model: 'another' } },
  });
  expect(await listed()).toBeUndefined();
  await other.configureSae({ sae, convention: {}, check });
  expect(await listed()).toBe('good');
  await other.closeModel({ model: model.id });
});

test('how prompts begin is no part of how an SAE is read', async () => {
  await engine.configureSae({ sae, convention: { prependBos: true } });
  expect(await provenance()).not.toHaveProperty('convention');
});

test('a copy of a released SAE outside the cache is read as its release says, and tells so', async () => {
  const copy = join(await temporaryFolder(), 'copy');
  await cp(sae, copy, { recursive: true });
  const config = JSON.parse(await readFile(join(copy, 'cfg.json'), 'utf8'));
  expect((await openSae(copy)).release).toBeUndefined();
  config.metadata.hook_name = 'blocks.1.hook_resid_pre';
  config.metadata.neuronpedia_id = 'gpt2-small/1-res-jb';
  await writeFile(join(copy, 'cfg.json'), JSON.stringify(config));
  const opened = await openSae(copy);
  expect(opened.release).toBe('gpt2-small-res-jb/blocks.1.hook_resid_pre');
  expect(opened.config.centerInput).toBe(true);
  expect(await provenance(copy)).toMatchObject({
    release: 'gpt2-small-res-jb/blocks.1.hook_resid_pre',
    centered: true,
  });
  // The name alone, with a hook that the release does not mean, is not enough.
  config.metadata.hook_name = 'blocks.2.hook_resid_pre';
  await writeFile(join(copy, 'cfg.json'), JSON.stringify(config));
  expect((await openSae(copy)).release).toBeUndefined();
});
