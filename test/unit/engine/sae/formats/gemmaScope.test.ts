/** Gemma Scope 1 says by names of folders what it reads: those of the release count, not those of the user above them. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSae } from '../../../../../src/engine/sae/formats/registry.ts';
import { failure, temporaryFolder } from '../../../temporaryFolder.ts';

const recorded = join(
  import.meta.dirname,
  '../../../../fixtures/parity/sae_formats/gemma-scope-2b-pt-res/layer_2/width_16k/average_l0_9',
);

async function placed(...names: readonly string[]): Promise<string> {
  const folder = join(await temporaryFolder(), ...names);
  await cp(recorded, folder, { recursive: true });
  return folder;
}

it.each([
  ['blocks.3.hook_mlp_out', 'matt', 'gemma-scope-2b-pt-mlp', 'layer_3', 'width_16k', 'average_l0_9'],
  [
    'blocks.3.hook_resid_post',
    'layer_7',
    'models--google--gemma-scope-9b-it-res',
    'snapshots',
    'a',
    'layer_3',
    'w',
  ],
  ['blocks.12.attn.hook_z', 'resources', 'gemma-2-2b-att', 'layer_12', 'width_16k'],
  ['blocks.4.mlp.hook_in', 'att', 'transcoders', 'layer_4'],
  ['hook_embed', 'mlp-things', 'res', 'embedding', 'width_4k'],
])('reads %s in %s/%s', async (hook, ...names) => {
  expect((await openSae(await placed(...names))).config.hookName).toBe(hook);
});

it.each([
  ['matt', 'layer_3', 'width_16k'],
  ['mlp', 'mine', 'layer_3', 'width_16k'],
  ['attic', 'layer_3'],
  ['preserved', 'embedding'],
])('does not guess from %s/%s', async (...names) => {
  const error = await failure(openSae(await placed(...names)));
  expect(error).toMatchObject({ code: 'file.malformed', data: { field: 'the path' } });
  expect(error.message).toContain('gemma-scope-2b-pt-res');
});
