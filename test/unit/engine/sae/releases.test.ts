/** The index of public releases: entries known from the releases themselves, matching of models, and SAEs in the hub's cache. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { modelMatch } from '../../../../src/engine/sae/releasedModels.ts';
import { listReleases, releasedAt } from '../../../../src/engine/sae/releases.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const saelens = join(import.meta.dirname, '../../../fixtures/parity/saes');

function model(changes: Partial<ModelInfo>): ModelInfo {
  return { name: 'x', path: '/models/x', nLayers: 2, dModel: 8, dVocab: 10, ...changes } as ModelInfo;
}

describe('listReleases', () => {
  it('has the residual SAEs of GPT-2 small with what only the release says', async () => {
    const found = await listReleases(model({ name: 'gpt2' }));
    const release = found.find(({ release: name }) => name === 'gpt2-small-res-jb')!;
    expect(release).toMatchObject({ model: 'gpt2-small', repo: 'jbloom/GPT2-Small-SAEs-Reformatted' });
    expect(release.saes).toHaveLength(13);
    expect(release.saes[8]).toMatchObject({
      id: 'blocks.8.hook_resid_pre',
      files: { folder: 'blocks.8.hook_resid_pre' },
      hook: 'blocks.8.hook_resid_pre',
      neuronpediaId: 'gpt2-small/8-res-jb',
      convention: { centerInput: true },
    });
    const mlp = found.find(({ release: name }) => name === 'gpt2-small-mlp-tm')!;
    expect(mlp.saes[0]!.convention).toEqual({
      centerInput: true,
      inputScale: expect.closeTo(1.049317316132615, 9),
    });
    // Only these three were trained with centred writing weights.
    const centred = found.filter(({ saes }) => saes.some(({ convention }) => convention?.centerInput));
    expect(centred.map(({ release: name }) => name).sort()).toEqual([
      'gpt2-small-mlp-tm',
      'gpt2-small-res-jb',
      'gpt2-small-res-jb-feature-splitting',
    ]);
  });

  it('decodes ids, paths and hooks of releases that are listed by folders', async () => {
    const found = await listReleases(model({ name: 'google/gemma-2-2b' }));
    const canonical = found.find(({ release }) => release === 'gemma-scope-2b-pt-res-canonical')!;
    expect(canonical.saes.find(({ id }) => id === 'layer_20/width_16k/canonical')).toMatchObject({
      files: { files: ['layer_20/width_16k/average_l0_71/params.npz'] },
      hook: 'blocks.20.hook_resid_post',
      neuronpediaId: 'gemma-2-2b/20-gemmascope-res-16k',
    });
    const transcoders = found.find(({ release }) => release === 'gemma-scope-2b-pt-transcoders')!;
    expect(transcoders.saes[0]!.hook).toBe('blocks.0.mlp.hook_in');
  });

  it('is empty for a model that nobody has made SAEs for', async () => {
    expect(await listReleases(model({}))).toEqual([]);
  });
});

describe('modelMatch', () => {
  it.each<[number, string, Partial<ModelInfo>]>([
    [3, 'gpt2-small', { name: 'gpt2' }],
    [3, 'google/gemma-3-270m', { name: 'gemma-3-270m.Q8_0.gguf' }],
    [3, 'gemma-2-2b', { path: '/hub/models--google--gemma-2-2b/snapshots/abc' }],
    [2, 'google/gemma-3-1b-pt', { name: 'gemma-3-1b-it' }],
    [1, 'gpt2-small', { name: 'my-model', nLayers: 12, dModel: 768, dVocab: 50257 }],
    [0, 'gpt2-small', { name: 'my-model', nLayers: 12, dModel: 768, dVocab: 50304 }],
    [0, 'gpt2-small', { name: 'gpt2-medium' }],
  ])('is %i for %s and %o', (match, released, changes) => {
    expect(modelMatch(model(changes), released)).toBe(match);
  });
});

describe('an SAE in the hub’s cache', () => {
  it('is read as its release says, and named after it', async () => {
    const inside = 'models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/abc/blocks.8.hook_resid_pre';
    const folder = join(await temporaryFolder(), inside);
    await mkdir(dirname(folder), { recursive: true });
    await cp(join(saelens, 'standard'), folder, { recursive: true });
    const sae = await openSae(folder);
    expect(sae.release).toBe('gpt2-small-res-jb/blocks.8.hook_resid_pre');
    expect(sae.convention).toBeUndefined();
    expect(sae.config).toMatchObject({ centerInput: true, neuronpediaId: 'gpt2-small/8-res-jb' });
  });

  it('keeps as many features as its release says, where the files name TopK without k', async () => {
    const inside = 'models--jbloom--GPT2-Small-OAI-v5-32k-attn-out-SAEs/snapshots/abc/v5_32k_layer_3';
    const folder = join(await temporaryFolder(), inside);
    await mkdir(dirname(folder), { recursive: true });
    await cp(join(saelens, 'legacy_flat_topk'), folder, { recursive: true });
    const path = join(folder, 'cfg.json');
    const { activation_fn_kwargs: _, ...config } = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify(config));
    expect((await openSae(folder)).config).toMatchObject({ architecture: 'topk', k: 32 });
  });

  it('is normalised as its release says, where the files do not', async () => {
    const folder = '/c/models--JoshEngels--Mistral-7B-Residual-Stream-SAEs/snapshots/abc/mistral_7b_layer_8';
    expect(await releasedAt(folder)).toMatchObject({
      release: 'mistral-7b-res-wg',
      normalize: 'constant_norm_rescale',
    });
  });

  it('is found by its file where a folder holds several', async () => {
    const folder = '/c/models--Qwen--SAE-Res-Qwen3-1.7B-Base-W32K-L0_50/snapshots/abc';
    expect(await releasedAt(folder, 'layer3.sae.pt')).toMatchObject({ id: 'layer3' });
    expect(await releasedAt(folder, 'layer99.sae.pt')).toBeUndefined();
    expect(await releasedAt('/elsewhere', 'layer3.sae.pt')).toBeUndefined();
  });
});
