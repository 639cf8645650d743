/** SAEs of other libraries through the engine: listed with their parts, looked at, read by a convention, exported. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failure, temporaryFolder } from '../temporaryFolder.ts';
import { openTinyEngine, prompt, type TinyEngine } from './tinyEngine.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/parity/sae_formats');
const set = join(fixtures, 'circuit-tracer/set');
const sparsify = join(fixtures, 'sparsify/layers.1');

let look: TinyEngine;

beforeAll(async () => {
  look = await openTinyEngine(5);
});

afterAll(() => look?.close());

function analyze(sae: string) {
  const request = {
    model: look.model.id,
    text: prompt,
    saes: [sae],
    topFeatures: 24,
    topPredictions: 1,
    edits: [],
  };
  return look.engine.analyze(request);
}

it('lists every SAE of a folder, with what it is and where it writes', async () => {
  const saes = await look.engine.listSaes({ model: look.model.id, folders: [set, sparsify] });
  const found = saes.filter(({ path }) => path.startsWith(fixtures));
  expect(found).toMatchObject([
    {
      id: `${set}#layer_0.safetensors`,
      path: set,
      format: 'circuit-tracer',
      kind: 'transcoder',
      architecture: 'standard',
      hook: 'blocks.0.mlp.hook_in',
      hookOut: 'blocks.0.hook_mlp_out',
      problem: undefined,
    },
    { id: `${set}#layer_1.safetensors`, architecture: 'jumprelu', hook: 'blocks.1.mlp.hook_in' },
    { id: sparsify, format: 'sparsify', kind: 'sae', architecture: 'topk', k: 5 },
  ]);
  expect(new Set(found.map(({ hash }) => hash)).size).toBe(3);
});

it('shows no features at the first position where the library shows none', async () => {
  const sae = `${set}#layer_0.safetensors`;
  const { run, features, strip } = await analyze(sae);
  const { indices } = features[0]!;
  expect(indices.subarray(0, 24).every((index) => index === -1)).toBe(true);
  expect(indices.subarray(24).some((index) => index >= 0)).toBe(true);
  const index = indices.subarray(24).find((one) => one >= 0)!;
  const heat = await look.engine.featureHeat({ run, features: [{ sae, index }] });
  expect(heat[0]).toBe(0);
  expect(heat.length).toBe(strip.tokens.length);
  // A prompt that goes on takes over what is known; its first position is no other.
  const text = `${prompt} and more`;
  const request = { model: look.model.id, text, saes: [sae], topFeatures: 24, topPredictions: 1, edits: [] };
  const longer = (await look.engine.analyze(request)).features[0]!;
  expect(longer.indices.subarray(0, indices.length)).toEqual(indices);
});

it('reads an SAE by another convention from then on, and kept runs too', async () => {
  const before = await analyze(sparsify);
  const [index] = before.features[0]!.indices;
  const feature = { sae: sparsify, index: index! };
  const heat = await look.engine.featureHeat({ run: before.run, features: [feature] });
  await look.engine.configureSae({ sae: sparsify, convention: { applyBDecToInput: false } });
  const after = await analyze(sparsify);
  expect(after.features[0]!.activations).not.toEqual(before.features[0]!.activations);
  expect(after.provenance.saes[0]).toMatchObject({ convention: { applyBDecToInput: false } });
  expect(await look.engine.featureHeat({ run: before.run, features: [feature] })).not.toEqual(heat);
  const saes = await look.engine.listSaes({ model: look.model.id, folders: [sparsify] });
  expect(saes.find(({ id }) => id === sparsify)!.convention).toEqual({ applyBDecToInput: false });
  await look.engine.configureSae({ sae: sparsify, convention: {} });
  expect((await analyze(sparsify)).features[0]!.activations).toEqual(before.features[0]!.activations);
  expect(before.provenance.saes[0]).not.toHaveProperty('convention');
});

it('refuses a convention that the SAE cannot be read by, and leaves it as it was', async () => {
  const before = await analyze(sparsify);
  const refused = look.engine.configureSae({ sae: sparsify, convention: { transposeEncoder: true } });
  expect(await failure(refused)).toMatchObject({ code: 'request.invalid' });
  expect((await analyze(sparsify)).features).toEqual(before.features);
});

it('exports an SAE as it is read, and opens what it wrote', async () => {
  const out = join(await temporaryFolder(), 'exported');
  await look.engine.configureSae({ sae: sparsify, convention: { applyBDecToInput: false } });
  const read = await analyze(sparsify);
  for (const format of ['SAELens', 'dictionary_learning'] as const) {
    const to = `${out}-${format}`;
    await look.engine.exportSae({ sae: sparsify, model: look.model.id, format, out: to });
    const { features } = await analyze(to);
    expect(features[0]!.indices).toEqual(read.features[0]!.indices);
    features[0]!.activations.forEach((x, i) => {
      expect(x).toBeCloseTo(read.features[0]!.activations[i]!, 4);
    });
  }
  await look.engine.configureSae({ sae: sparsify, convention: {} });
});

it('knows no public release for a model of its own', async () => {
  expect(await look.engine.listReleases({ model: look.model.id })).toEqual([]);
});

it('names what a folder holds when its layout is none of those that are read', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'weights.bin'), 'x');
  expect(await failure(analyze(folder))).toMatchObject({
    code: 'sae.unsupported',
    data: {
      architecture: expect.stringContaining('weights.bin'),
      supported: expect.stringMatching(/SAELens.*sparsify.*Gemma Scope.*circuit-tracer.*OpenAI/s),
    },
  });
  expect(await failure(analyze(set))).toMatchObject({
    code: 'request.invalid',
    message: expect.stringContaining('holds 2 SAEs; name one of them'),
  });
  expect(await failure(analyze(`${set}#layer_7.safetensors`))).toMatchObject({ code: 'file.missing' });
});

it('opens the file of a set by its path, and folders with a # in their name', async () => {
  const folder = join(await temporaryFolder(), 'a#b');
  await mkdir(folder);
  await cp(sparsify, join(folder, 'layers.1'), { recursive: true });
  const named = await analyze(join(folder, 'layers.1'));
  expect(named.features[0]!.indices).toEqual((await analyze(sparsify)).features[0]!.indices);
  const byFile = await analyze(join(set, 'layer_1.safetensors'));
  expect(byFile.features[0]!.indices).toEqual(
    (await analyze(`${set}#layer_1.safetensors`)).features[0]!.indices,
  );
});

it('reads a tuned lens on the way to predictions', async () => {
  const { run } = await analyze(sparsify);
  const plain = await look.engine.logitLens({ run, top: 1 });
  expect(plain).not.toHaveProperty('tuned');
  const refused = look.engine.logitLens({ run, top: 1, tuned: join(fixtures, 'tuned-lens') });
  expect(await failure(refused)).toMatchObject({ code: 'sae.mismatch' });
});
