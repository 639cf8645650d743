/** Exported SAEs read back with the features and reconstructions they had; what cannot be said is refused. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import { withConvention } from '../../../../src/engine/sae/convention.ts';
import { exportSae } from '../../../../src/engine/sae/exportSae.ts';
import type { SaeFolder } from '../../../../src/engine/sae/format.ts';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';
import { largestGap } from './plainSae.ts';

const fixtures = join(import.meta.dirname, '../../../fixtures/parity/sae_formats');

/** Recorded SAEs that each library can say, and why it cannot say the others. */
const cases: readonly [name: string, id: string, saeLens?: string, dictionaryLearning?: string][] = [
  ['saelens_transcoder', 'saelens/transcoder', undefined, 'is a transcoder'],
  ['saelens_skip_transcoder', 'saelens/skip_transcoder', undefined, 'is a transcoder'],
  ['saelens_jumprelu_skip_transcoder', 'saelens/jumprelu_skip_transcoder', undefined, 'is a transcoder'],
  ['gemma_scope_res', 'gemma-scope-2b-pt-res/layer_2/width_16k/average_l0_9'],
  ['gemma_scope_att', 'gemma-scope-2b-pt-att/layer_0/width_16k/average_l0_9'],
  ['gemma_scope_embedding', 'gemma-scope-2b-pt-res/embedding/width_4k/average_l0_9'],
  [
    'gemma_scope_2_transcoder',
    'gemma-scope-2-270m-pt/transcoder/layer_1_width_16k_l0_small_affine',
    undefined,
    'is a transcoder',
  ],
  ['llama_scope', 'Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L1R-8x'],
  ['llamascopium_topk', 'Llamascopium-topk/L1R', 'chooses features', 'chooses features'],
  ['goodfire', 'Llama-3.1-8B-Instruct-SAE-l19'],
  ['qwen_scope', 'SAE-Res-Qwen3-1.7B-Base-W32K-L0_5'],
  ['attention_output', 'attention-output-saes'],
  ['openai_v5', 'openai/resid_post_mlp_v5_32k/autoencoders', undefined, 'normalises its input'],
  ['openai_v4', 'openai/resid_delta_mlp_v4/autoencoders'],
  ['circuit_tracer_layer_1', 'circuit-tracer/set#layer_1.safetensors', undefined, 'is a transcoder'],
  ['circuit_tracer_topk', 'circuit-tracer/topk', 'negative activations', 'negative activations'],
  ['sparsify_layers.1', 'sparsify/layers.1'],
  ['sparsify_layers.0', 'sparsify/layers.0', 'each group', 'each group'],
  ['sparsify_layers.2', 'sparsify/layers.2', 'skip connection', 'is a transcoder'],
  ['dictionary_learning_AutoEncoder', 'dictionary_learning/AutoEncoder'],
  ['dictionary_learning_AutoEncoderNew', 'dictionary_learning/AutoEncoderNew'],
  ['dictionary_learning_GatedAutoEncoder', 'dictionary_learning/GatedAutoEncoder'],
  ['dictionary_learning_JumpReluAutoEncoder', 'dictionary_learning/JumpReluAutoEncoder'],
  ['dictionary_learning_AutoEncoderTopK', 'dictionary_learning/AutoEncoderTopK'],
  ['dictionary_learning_BatchTopKSAE', 'dictionary_learning/BatchTopKSAE'],
];

describe.each(['SAELens', 'dictionary_learning'] as const)('an export for %s', (format) => {
  it.each(cases)('of %s computes the same, or is refused', async (name, id, saeLens, dictionaryLearning) => {
    const folder = await openSae(join(fixtures, id));
    const refusal = format === 'SAELens' ? saeLens : dictionaryLearning;
    const out = join(await temporaryFolder(), 'out');
    if (refusal) {
      const error = await failure(exportSae(folder, { format, out }));
      expect(error).toMatchObject({
        code: 'request.invalid',
        data: { reason: expect.stringContaining(refusal) },
      });
      return;
    }
    await exportSae(folder, { format, out });
    const again = await openSae(out);
    expect(again.format).toBe(format);
    expect(again.config.hookName).toBe(folder.config.hookName);
    expect(again.config.target).toEqual(folder.config.target);
    await expectRecorded(again, name, folder.config.maskFirst ? 12 : 0);
  });
});

/** `skipped` numbers at the front belong to a first position that the original masks. */
async function expectRecorded(folder: SaeFolder, name: string, skipped: number): Promise<void> {
  const recorded = await openSafetensors(join(fixtures, 'recorded.safetensors'));
  const sae = new SparseAutoencoder(folder);
  onTestFinished(() => sae.release());
  const input = floatValue(await recorded.readFloat32('input'), [10, 12]);
  const rows = skipped / 12;
  const features = (await recorded.readFloat32(`${name}/features`)).subarray(rows * 24);
  expect(largestGap((await sae.activations(input)).data.subarray(rows * 24), features)).toBeLessThan(2e-4);
  const output = (await recorded.readFloat32(`${name}/output`)).subarray(rows * 12);
  expect(largestGap((await sae.reconstruct(input)).data.subarray(rows * 12), output)).toBeLessThan(2e-4);
}

describe('what an export says beside the weights', () => {
  it('is the place, the model and k, in the words of dictionary_learning', async () => {
    const out = await temporaryFolder();
    await exportSae(await openSae(join(fixtures, 'sparsify/layers.1')), {
      format: 'dictionary_learning',
      out,
    });
    expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toEqual({
      trainer: {
        trainer_class: 'fovea',
        dict_class: 'AutoEncoderTopK',
        activation_dim: 12,
        dict_size: 24,
        k: 5,
        layer: 1,
        lm_name: 'EleutherAI/tiny',
        submodule_name: 'resid_post_layer_1',
      },
      buffer: { d_submodule: 12, io: 'out', ctx_len: 64 },
    });
  });

  it('tells SAELens that the input is centred, and is refused by dictionary_learning', async () => {
    const folder = withConvention(await openSae(join(fixtures, 'sparsify/layers.1')), { centerInput: true });
    const out = await temporaryFolder();
    await exportSae(folder, { format: 'SAELens', out });
    expect((await openSae(out)).config.centerInput).toBe(true);
    const refused = await failure(exportSae(folder, { format: 'dictionary_learning', out }));
    expect(refused).toMatchObject({ data: { reason: expect.stringContaining('centres') } });
  });

  it('tells SAELens that the input is not centred when it was chosen to be read so', async () => {
    const [centred, plain] = [await temporaryFolder(), await temporaryFolder()];
    const folder = withConvention(await openSae(join(fixtures, 'sparsify/layers.1')), { centerInput: true });
    await exportSae(folder, { format: 'SAELens', out: centred });
    const chosen = withConvention(await openSae(centred), { centerInput: false });
    await exportSae(chosen, { format: 'SAELens', out: plain });
    expect((await openSae(plain)).config.centerInput ?? false).toBe(false);
  });
});
