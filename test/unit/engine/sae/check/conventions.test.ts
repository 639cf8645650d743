/** Which other readings are tried for which SAE, and what of a reading departs from the files. */
import { describe, expect, it } from 'vitest';
import {
  departuresFrom,
  neighbouringHooks,
  otherConventions,
} from '../../../../../src/engine/sae/check/conventions.ts';
import type { SaeFolder } from '../../../../../src/engine/sae/format.ts';
import { saeConfig } from '../plainSae.ts';

const folder = (config: Parameters<typeof saeConfig>[0]) =>
  ({ config: saeConfig(config), tensors: new Map() }) as unknown as SaeFolder;

const choices = { meanNorm: 2, rootMeanSquareNorm: 3, hasBos: true, bos: false, hooks: [] };

describe('neighbouring hooks', () => {
  const usual = [
    'hook_resid_pre',
    'attn.hook_z',
    'hook_attn_out',
    'hook_resid_mid',
    'hook_mlp_out',
    'hook_resid_post',
  ];
  const near = (hookName: string, blockHooks: readonly string[] = usual) =>
    neighbouringHooks(folder({ hookName }), { nLayers: 4, blockHooks });

  it('are the streams and what is added to them, one layer around', () => {
    const streams = (layer: number) =>
      ['hook_attn_out', 'hook_resid_mid', 'hook_mlp_out', 'hook_resid_post'].map(
        (site) => `blocks.${layer}.${site}`,
      );
    expect(near('blocks.2.hook_resid_post')).toEqual([...streams(1), ...streams(2), ...streams(3)]);
    expect(near('blocks.0.hook_mlp_out')).toEqual(['blocks.0.hook_resid_pre', ...streams(0), ...streams(1)]);
    // The stream before a block is the one behind the block below, which is no other place.
    expect(near('blocks.3.hook_resid_pre')).not.toContain('blocks.2.hook_resid_post');
  });

  it('have as many numbers, exist in the model, and are none for the embedding', () => {
    expect(near('blocks.3.attn.hook_z')).toEqual(['blocks.2.attn.hook_z', 'blocks.3.attn.hook_z']);
    const parallel = usual.filter((site) => site !== 'hook_resid_mid');
    expect(near('blocks.1.hook_resid_post', parallel).join()).not.toContain('hook_resid_mid');
    expect(near('hook_embed')).toEqual([]);
  });

  it('are the module before the norm behind it as well, where a family has one', () => {
    const behind = [...usual, 'attn.hook_out', 'mlp.hook_out'];
    expect(near('blocks.1.hook_mlp_out', behind)).toContain('blocks.1.mlp.hook_out');
    expect(near('blocks.1.hook_mlp_out')).not.toContain('blocks.1.mlp.hook_out');
  });
});

describe('other conventions', () => {
  it('leave out the norm’s gain of a plain SAE on the MLP’s input too, as models with folded norms have none', () => {
    const tried = otherConventions(folder({ hookName: 'blocks.1.mlp.hook_in' }), choices);
    expect(tried).toContainEqual({ inputGain: false });
  });

  it('begin prompts otherwise than they do, whatever the SAE declares', () => {
    const tried = (bos: boolean) => otherConventions(folder({ prependBos: true }), { ...choices, bos });
    expect(tried(false)).toContainEqual({ prependBos: true });
    expect(tried(true)).toContainEqual({ prependBos: false });
    expect(tried(true)).not.toContainEqual({ maskFirst: true });
  });
});

it('what the files say anyway is no departure', () => {
  const declared = folder({ hookName: 'blocks.1.hook_resid_post', centerInput: true, inputScale: 2 });
  const said = {
    centerInput: true,
    inputScale: 2,
    hook: 'blocks.1.hook_resid_post',
    transposeEncoder: false,
  };
  expect(departuresFrom(declared, { ...said, maskFirst: true })).toEqual({ maskFirst: true });
  expect(departuresFrom(declared, { inputScale: 1, prependBos: false }, false)).toEqual({ inputScale: 1 });
});
