/** SAELens folders: recorded ones open as SAELens reads them, saved ones come back, damaged ones are named. */
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../../../src/engine/files/safetensors.ts';
import { floatValue, type Value } from '../../../../../src/engine/graph/value.ts';
import type { SaeConfig } from '../../../../../src/engine/sae/format.ts';
import { openSaeLens, writeSaeLens } from '../../../../../src/engine/sae/formats/saelens.ts';
import { EngineError } from '../../../../../src/shared/errors.ts';
import { failure, temporaryFolder } from '../../../temporaryFolder.ts';

const recorded = join(import.meta.dirname, '../../../../fixtures/parity/saes');
type Json = Record<string, unknown>;

/** A copy of a recorded folder with its config changed. */
async function copyOf(name: string, change: (json: Json) => void = () => undefined): Promise<string> {
  const folder = join(await temporaryFolder(), name);
  await cp(join(recorded, name), folder, { recursive: true });
  const path = join(folder, 'cfg.json');
  const json = JSON.parse(await readFile(path, 'utf8'));
  change(json);
  await writeFile(path, JSON.stringify(json));
  return folder;
}

/** Rewrites the weights of a folder with some tensors replaced (undefined removes one). */
async function replaceWeights(folder: string, changes: Record<string, Value | undefined>): Promise<void> {
  const path = join(folder, 'sae_weights.safetensors');
  const file = await openSafetensors(path);
  const kept = [...file.tensors.keys()].filter((name) => !(name in changes));
  const old = await Promise.all(kept.map(async (name) => [name, await file.read(name)] as const));
  const added = Object.entries(changes).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  await writeSafetensors(path, Object.fromEntries([...old, ...added]));
}

describe('openSaeLens', () => {
  it('opens every recorded folder with its tensors where the file holds them', async () => {
    const folders = (await readdir(recorded, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    expect(folders.length).toBeGreaterThan(8);
    for (const { name } of folders) {
      const sae = await openSaeLens(join(recorded, name));
      expect(sae.config).toMatchObject({
        dIn: 32,
        dSae: 64,
        modelName: 'tiny-gpt2',
        prependBos: false,
        dtype: 'float32',
      });
      const bytes = await readFile(join(recorded, name, 'sae_weights.safetensors'));
      for (const [tensor, { place, path }] of sae.tensors) {
        const { offset, length } = place!;
        expect(path).toBe(join(recorded, name, 'sae_weights.safetensors'));
        const numbers = await sae.read(tensor);
        expect(numbers.length * 4).toBe(length);
        expect(numbers[0]).toBe(bytes.readFloatLE(offset));
        expect(numbers.at(-1)).toBe(bytes.readFloatLE(offset + length - 4));
      }
    }
  });

  it.each([
    [
      'standard',
      {
        architecture: 'standard',
        applyBDecToInput: true,
        hookName: 'blocks.1.hook_resid_post',
        k: undefined,
      },
    ],
    ['standard_no_b_dec', { architecture: 'standard', applyBDecToInput: false }],
    ['standard_layer_norm', { normalizeActivations: 'layer_norm' }],
    ['standard_constant_norm', { normalizeActivations: 'constant_norm_rescale' }],
    ['standard_hook_z', { reshapeActivations: 'hook_z', hookName: 'blocks.1.attn.hook_z' }],
    ['topk', { architecture: 'topk', k: 5, rescaleByDecoderNorm: false }],
    ['topk_rescaled', { architecture: 'topk', k: 5, rescaleByDecoderNorm: true }],
    ['jumprelu', { architecture: 'jumprelu' }],
    ['batchtopk', { architecture: 'jumprelu' }],
    ['gated', { architecture: 'gated' }],
    [
      'legacy_flat',
      { architecture: 'standard', hookName: 'blocks.1.hook_resid_post', normalizeActivations: 'none' },
    ],
    ['legacy_flat_topk', { architecture: 'topk', k: 5, normalizeActivations: 'none' }],
  ])('reads the config of %s', async (name, expected) => {
    expect((await openSaeLens(join(recorded, name))).config).toMatchObject(expected);
  });

  it('masks the first position where training left it out', async () => {
    const masked = async (metadata: Record<string, unknown>) => {
      const folder = await copyOf('legacy_flat', (json) => Object.assign(json, metadata));
      return (await openSaeLens(folder)).config.maskFirst ?? false;
    };
    expect(await masked({ prepend_bos: true })).toBe(false);
    expect(await masked({ prepend_bos: true, seqpos_slice: [1, null] })).toBe(true);
    expect(await masked({ prepend_bos: true, seqpos_slice: [null] })).toBe(false);
    expect(await masked({ prepend_bos: true, exclude_special_tokens: true })).toBe(true);
    expect(await masked({ prepend_bos: true, exclude_special_tokens: false })).toBe(false);
    expect(await masked({ prepend_bos: false, exclude_special_tokens: true })).toBe(false);
  });

  it('defaults and renames the flat form as SAELens does', async () => {
    const folder = await copyOf('legacy_flat', (json) => {
      for (const key of ['prepend_bos', 'apply_b_dec_to_input', 'normalize_activations']) delete json[key];
      Object.assign(json, {
        hook_point: 'blocks.0.attn.hook_z',
        hook_point_head_index: 2,
        normalize_activations: true,
        mse_loss: 0.5,
      });
    });
    const { config } = await openSaeLens(folder);
    expect(config).toMatchObject({
      prependBos: true,
      applyBDecToInput: true,
      normalizeActivations: 'expected_average_only_in',
      reshapeActivations: 'hook_z',
      hookName: 'blocks.0.attn.hook_z',
      hookHeadIndex: 2,
    });
    expect(config.extra.mse_loss).toBe(0.5);
    expect(config.metadata.context_size).toBe(48);
  });

  it('stays with ReLU when an old TopK file lacks its k, as SAELens does', async () => {
    const folder = await copyOf('legacy_flat_topk', (json) => delete json.activation_fn_kwargs);
    expect((await openSaeLens(folder)).config.architecture).toBe('standard');
  });

  it('takes the exponential of a stored log_threshold', async () => {
    const folder = await copyOf('jumprelu');
    const threshold = await (await openSaeLens(folder)).read('threshold');
    const log = floatValue(threshold.map(Math.log));
    await replaceWeights(folder, { threshold: undefined, log_threshold: log });
    const sae = await openSaeLens(folder);
    expect(sae.tensors.get('threshold')).toMatchObject({ stored: 'log_threshold', transform: 'exp' });
    const again = await sae.read('threshold');
    for (const [i, value] of threshold.entries()) expect(again[i]).toBeCloseTo(value, 5);
  });

  it('drops a scaling factor of ones and wants any other announced', async () => {
    const folder = await copyOf('standard');
    await replaceWeights(folder, { scaling_factor: floatValue(new Float32Array(64).fill(1)) });
    const plain = await openSaeLens(folder);
    expect(plain.config.finetuningScalingFactor).toBe(false);
    expect(plain.tensors.has('scaling_factor')).toBe(false);
    await replaceWeights(folder, { scaling_factor: floatValue(new Float32Array(64).fill(2)) });
    expect(await failure(openSaeLens(folder))).toMatchObject({
      data: { field: 'finetuning_scaling_factor' },
    });
    const path = join(folder, 'cfg.json');
    await writeFile(
      path,
      JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), finetuning_scaling_factor: true }),
    );
    const scaled = await openSaeLens(folder);
    expect(scaled.config.finetuningScalingFactor).toBe(true);
    expect((await scaled.read('scaling_factor'))[63]).toBe(2);
  });

  it('reads sparsity when it is there', async () => {
    const folder = await copyOf('standard');
    const sae = await openSaeLens(folder);
    expect(await sae.sparsity()).toBeUndefined();
    const sparsity = Float32Array.from({ length: 64 }, (_, i) => -i / 10);
    await writeSafetensors(join(folder, 'sparsity.safetensors'), { sparsity: floatValue(sparsity) });
    expect(await sae.sparsity()).toEqual(sparsity);
    await writeSafetensors(join(folder, 'sparsity.safetensors'), { sparsity: floatValue([1, 2]) });
    expect(await failure(sae.sparsity())).toMatchObject({
      data: { field: 'the shape of sparsity', found: '[2]' },
    });
  });
});

describe('writeSaeLens', () => {
  it.each(['standard', 'topk_rescaled', 'jumprelu', 'gated', 'standard_hook_z', 'batchtopk'])(
    'saves %s so that config and weights come back and unknown keys stay',
    async (name) => {
      const folder = await copyOf(name, (json) => Object.assign(json, { later: { a: [1] } }));
      const sae = await openSaeLens(folder);
      const names = [...sae.tensors.keys()];
      const weights = Object.fromEntries(
        await Promise.all(
          names.map(async (tensor) => [
            tensor,
            floatValue(await sae.read(tensor), sae.tensors.get(tensor)!.shape),
          ]),
        ),
      );
      const saved = join(await temporaryFolder(), 'new');
      const sparsity = new Float32Array(64).fill(-2);
      await writeSaeLens(saved, sae.config, weights, { sparsity });
      const again = await openSaeLens(saved);
      expect(again.config).toEqual(sae.config);
      expect([...again.tensors.keys()]).toEqual(names);
      for (const tensor of names) expect(await again.read(tensor)).toEqual(await sae.read(tensor));
      expect(await again.sparsity()).toEqual(sparsity);
      const original = JSON.parse(await readFile(join(folder, 'cfg.json'), 'utf8'));
      expect(JSON.parse(await readFile(join(saved, 'cfg.json'), 'utf8'))).toEqual(original);
    },
  );

  it('writes the old flat form in the new one', async () => {
    const sae = await openSaeLens(join(recorded, 'legacy_flat_topk'));
    const saved = await temporaryFolder();
    const weights = Object.fromEntries(
      await Promise.all(
        [...sae.tensors].map(async ([name, { shape }]) => [name, floatValue(await sae.read(name), shape)]),
      ),
    );
    await writeSaeLens(saved, sae.config, weights);
    const json = JSON.parse(await readFile(join(saved, 'cfg.json'), 'utf8'));
    expect(json).toMatchObject({
      architecture: 'topk',
      k: 5,
      metadata: { sae_lens_version: '6.0.0', context_size: 48 },
    });
    expect((await openSaeLens(saved)).config).toMatchObject({ k: 5, hookName: 'blocks.1.hook_resid_post' });
  });

  it('refuses weights that lack a tensor or do not have its shape', async () => {
    const { config } = await openSaeLens(join(recorded, 'standard'));
    const folder = await temporaryFolder();
    await expect(writeSaeLens(folder, config, {})).rejects.toThrow('W_enc');
    const wrong = { W_enc: floatValue(new Float32Array(6), [2, 3]) };
    await expect(writeSaeLens(folder, config, wrong)).rejects.toThrow('[2, 3]');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('an SAE folder that cannot be used', () => {
  it('is named when the folder, its config or its weights are missing or truncated', async () => {
    const folder = await copyOf('standard');
    expect((await failure(openSaeLens(join(folder, 'gone')))).code).toBe('file.missing');
    const weights = join(folder, 'sae_weights.safetensors');
    await truncate(weights, 3000);
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path: weights },
    });
    await rm(weights);
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'file.missing',
      data: { path: weights },
    });
    const config = join(folder, 'cfg.json');
    await writeFile(config, '{');
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path: config },
    });
    await rm(config);
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'file.missing',
      data: { path: config },
    });
  });

  it('is named when a tensor is missing, has another shape or holds no floats', async () => {
    const folder = await copyOf('standard');
    await replaceWeights(folder, { b_enc: undefined });
    expect(await failure(openSaeLens(folder))).toMatchObject({ data: { field: 'b_enc', found: 'missing' } });
    await replaceWeights(folder, { b_enc: floatValue(new Float32Array(65)) });
    expect(await failure(openSaeLens(folder))).toMatchObject({
      data: { field: 'the shape of b_enc', found: '[65]' },
    });
    await replaceWeights(folder, { b_enc: { dtype: 'int32', dims: [64], data: new Int32Array(64) } });
    expect(await failure(openSaeLens(folder))).toMatchObject({
      data: { field: 'b_enc.dtype', found: '"I32"' },
    });
    const transposed = await copyOf('topk', (json) => Object.assign(json, { d_in: 64, d_sae: 32 }));
    expect(await failure(openSaeLens(transposed))).toMatchObject({ data: { field: 'the shape of W_enc' } });
  });

  it('is unsupported when it is of another kind', async () => {
    const folder = await copyOf('standard', (json) => Object.assign(json, { architecture: 'temporal' }));
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'sae.unsupported',
      data: {
        architecture: 'temporal',
        supported: expect.stringContaining('standard, topk, jumprelu, gated, transcoder'),
      },
    });
  });

  it('is unsupported when its inputs have to be whitened', async () => {
    const folder = await copyOf('standard', (json) =>
      Object.assign(json, { normalize_activations: 'covariance_whitening' }),
    );
    const error = await failure(openSaeLens(folder));
    expect(error.code).toBe('sae.unsupported');
    expect(error.message).toContain('normalize_activations: covariance_whitening');
    expect(error.message).toContain('none, expected_average_only_in, constant_norm_rescale, layer_norm');
  });

  it.each([
    ['d_in', 0, 'd_in'],
    ['d_sae', '64', 'd_sae'],
    ['d_sae', 1e300, 'd_sae'],
    ['architecture', null, 'architecture'],
    ['k', undefined, 'k'],
    ['k', 65, 'k'],
    ['k', 2.5, 'k'],
    ['normalize_activations', 'sometimes', 'normalize_activations'],
    ['reshape_activations', 'twist', 'reshape_activations'],
    ['metadata', { sae_lens_version: '6.1.0' }, 'metadata.hook_name'],
    ['metadata', 'none', 'hook_name'],
  ])('is named when %s is %j', async (key, value, field) => {
    const folder = await copyOf('topk', (json) => Object.assign(json, { [key]: value }));
    expect(await failure(openSaeLens(folder))).toMatchObject({
      code: 'file.malformed',
      data: { path: join(folder, 'cfg.json'), field },
    });
  });

  it('opens or fails with a coded error whatever the config says', async () => {
    const folder = await copyOf('topk');
    const path = join(folder, 'cfg.json');
    const json = JSON.parse(await readFile(path, 'utf8'));
    const change = fc.dictionary(
      fc.constantFrom(...Object.keys(json), 'hook_point', 'activation_fn_kwargs'),
      fc.jsonValue(),
      { minKeys: 1, maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        await writeFile(path, JSON.stringify({ ...json, ...changes }));
        try {
          const config: SaeConfig = (await openSaeLens(folder)).config;
          expect([config.dIn, config.dSae]).toEqual([32, 64]);
        } catch (error) {
          if (!(error instanceof EngineError)) throw error;
          expect(['file.malformed', 'sae.unsupported']).toContain(error.code);
          expect(error.message).toContain(folder);
        }
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});
