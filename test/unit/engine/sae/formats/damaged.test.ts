/** SAEs whose files are damaged in any way: an error that names the file, never anything else. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { describeSae, findSaeFolders } from '../../../../../src/engine/sae/catalog.ts';
import { openSae } from '../../../../../src/engine/sae/formats/registry.ts';
import type { ModelInfo } from '../../../../../src/shared/domain.ts';
import { EngineError } from '../../../../../src/shared/errors.ts';
import { temporaryFolder } from '../../../temporaryFolder.ts';

const fixtures = join(import.meta.dirname, '../../../../fixtures/parity/sae_formats');
const model = { name: 'm', nLayers: 30, nHeads: 4, dModel: 12, dHead: 3, dMlp: 48, dVocab: 9 } as ModelInfo;

/** One folder of each layout, and how many times it is damaged. */
const layouts = [
  'gemma-scope-2b-pt-res/layer_2/width_16k/average_l0_9',
  'gemma-scope-2-270m-pt/transcoder/layer_1_width_16k_l0_small_affine',
  'gemma-scope-2-270m-pt/clt/width_16k_l0_small_affine',
  'Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L1R-8x',
  'Llamascopium-topk/L1R',
  'circuit-tracer/set',
  'circuit-tracer/circuit_tracer_clt',
  'circuit-tracer/qwen3-0.6b-transcoders',
  'sparsify/layers.2.mlp',
  'dictionary_learning/BatchTopKSAE',
  'openai/resid_post_mlp_v5_32k/autoencoders',
  'attention-output-saes',
  'SAE-Res-Qwen3-1.7B-Base-W32K-L0_5',
];
const rounds = 12;

/** Changes a few bytes: most in the first kilobyte, where headers and configs are, or cuts the file. */
function damage(bytes: Buffer, random: ReturnType<typeof seededRandom>): Buffer {
  const below = (count: number) => random.int(Math.max(1, count));
  if (random.next() < 0.2) return bytes.subarray(0, below(bytes.length));
  const damaged = Buffer.from(bytes);
  const reach = random.next() < 0.7 ? Math.min(1024, bytes.length) : bytes.length;
  for (let i = 0; i <= below(4); i++) damaged[below(reach)] = below(256);
  return damaged;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Opens whatever is found in the folder, or the folder itself; how many of them are refused. */
async function refusalsIn(root: string): Promise<number> {
  const found = await findSaeFolders(root);
  let refused = 0;
  // One that is no longer recognised is refused when it is named.
  for (const id of found.length > 0 ? found : [root]) {
    const info = await describeSae(id, model);
    if (info.problem) refused++;
    await openSae(id).catch((error) => expect(error).toBeInstanceOf(EngineError));
  }
  return refused;
}

describe.each(layouts)('%s', (layout) => {
  it('opens, or is refused by name, with any file damaged', async () => {
    const root = join(await temporaryFolder(), layout);
    await cp(join(fixtures, layout), root, { recursive: true });
    const random = seededRandom(layout);
    let refused = 0;
    for (const file of await filesBelow(root)) {
      const whole = await readFile(file);
      for (let round = 0; round < rounds; round++) {
        await writeFile(file, damage(whole, random));
        refused += await refusalsIn(root);
      }
      await writeFile(file, whole);
    }
    expect(refused).toBeGreaterThan(0);
    for (const id of await findSaeFolders(root)) await openSae(id);
  });
});

describe('a config that says something impossible', () => {
  const change = async (layout: string, file: string, from: string, to: string) => {
    const folder = join(await temporaryFolder(), layout);
    await cp(join(fixtures, layout), folder, { recursive: true });
    const text = await readFile(join(folder, file), 'utf8');
    expect(text).toContain(from);
    await writeFile(join(folder, file), text.replace(from, to));
    const [id] = await findSaeFolders(folder);
    return openSae(id!).then(
      () => undefined,
      (error) => error as EngineError,
    );
  };

  it.each([
    [
      'sparsify/layers.2.mlp',
      'cfg.json',
      '"k": 5',
      '"k": 500',
      { code: 'file.malformed', data: { field: 'k' } },
    ],
    ['sparsify/layers.2.mlp', 'cfg.json', '"d_in": 12', '"d_in": 13', { code: 'file.malformed' }],
    [
      'dictionary_learning/BatchTopKSAE',
      'config.json',
      '"BatchTopKSAE"',
      '"CrossCoder"',
      { code: 'sae.unsupported', data: { architecture: 'CrossCoder' } },
    ],
    [
      'dictionary_learning/AutoEncoderTopK',
      'config.json',
      '"k": 5',
      '"k": 6',
      { code: 'file.malformed', data: { field: 'trainer.k' } },
    ],
    [
      'Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L1R-8x',
      'hyperparams.json',
      '"in": 2.5',
      '"in": 0',
      { code: 'file.malformed', data: { field: 'dataset_average_activation_norm.in' } },
    ],
    ['Llamascopium-topk/L1R', 'config.json', '"topk"', '"relu2"', { code: 'sae.unsupported' }],
    [
      'Llamascopium-topk/L1R',
      'config.json',
      '"sae_type": "sae"',
      '"sae_type": "lorsa"',
      { code: 'sae.unsupported' },
    ],
    [
      'circuit-tracer/set',
      'config.yaml',
      'mlp.hook_in',
      '../../etc',
      { code: 'file.malformed', data: { field: 'feature_input_hook' } },
    ],
    [
      'circuit-tracer/topk',
      'config.yaml',
      'k: 14',
      'k: -1',
      { code: 'file.malformed', data: { field: 'k' } },
    ],
    [
      'gemma-scope-2-270m-pt/resid_post/layer_1_width_16k_l0_small',
      'config.json',
      'jump_relu',
      'batch_topk',
      { code: 'sae.unsupported', data: { architecture: 'batch_topk' } },
    ],
  ])('is refused: %s with %s', async (layout, file, from, to, expected) => {
    expect(await change(layout, file, from, to)).toMatchObject(expected);
  });

  it('does not unfold YAML aliases without end', async () => {
    const bomb = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i},*a${i},*a${i},*a${i}]`);
    const text = `a0: &a0 [x]\n${bomb.join('\n')}\nmodel_kind`;
    expect(await change('circuit-tracer/set', 'config.yaml', 'model_kind', text)).toMatchObject({
      code: 'file.malformed',
    });
  });
});
