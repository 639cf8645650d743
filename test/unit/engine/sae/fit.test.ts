/** Whether an SAE fits a model is told from its hook and width, with the reason when it does not. */
import { describe, expect, it } from 'vitest';
import { checkSaeFits, hookLayer } from '../../../../src/engine/sae/fit.ts';
import type { SaeConfig } from '../../../../src/engine/sae/format.ts';
import { EngineError } from '../../../../src/shared/errors.ts';

const model = { name: 'tiny', nLayers: 3, nHeads: 4, dModel: 32, dHead: 6, dMlp: 100, dVocab: 50 };

function reason(hookName: string, dIn: number, hookHeadIndex?: number): string | undefined {
  const config = { hookName, dIn, hookHeadIndex } as SaeConfig;
  try {
    checkSaeFits({ path: '/sae', config }, model);
    return undefined;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    expect(error).toMatchObject({ code: 'sae.mismatch', data: { path: '/sae', model: 'tiny' } });
    return (error.data as { reason: string }).reason;
  }
}

describe('checkSaeFits', () => {
  it.each([
    ['blocks.0.hook_resid_pre', 32],
    ['blocks.2.hook_resid_post', 32],
    ['blocks.2.hook_attn_out', 32],
    ['blocks.2.hook_mlp_out', 32],
    ['blocks.1.ln2.hook_normalized', 32],
    ['blocks.1.attn.hook_z', 24],
    ['blocks.1.mlp.hook_post', 100],
    ['hook_embed', 32],
    ['ln_final.hook_normalized', 32],
    ['blocks.1.hook_mlp_in', 32],
    ['blocks.1.mlp.hook_in', 32],
  ])('accepts %s with %i numbers', (hook, width) => {
    expect(reason(hook, width)).toBeUndefined();
  });

  it('accepts one head of a hook that has heads', () => {
    expect(reason('blocks.1.attn.hook_z', 6, 3)).toBeUndefined();
    expect(reason('blocks.1.attn.hook_z', 24, 3)).toContain('where the model has 6');
    expect(reason('blocks.1.attn.hook_z', 6, 4)).toContain('heads are 0 to 3');
    expect(reason('blocks.1.hook_mlp_out', 32, 0)).toContain('no heads');
  });

  it('says what differs', () => {
    expect(reason('blocks.3.hook_resid_pre', 32)).toBe("it reads layer 3, and the model's layers are 0 to 2");
    expect(reason('blocks.1.hook_resid_pre', 768)).toBe(
      'it reads 768 numbers at blocks.1.hook_resid_pre, where the model has 32',
    );
    expect(reason('blocks.1.mlp.hook_gate', 100)).toBe('Fovea has no hook blocks.1.mlp.hook_gate');
    expect(reason('model.layers.1', 32)).toContain('no hook');
    expect(reason('hook_resid_pre', 32)).toContain('no hook');
  });

  it.each([
    'blocks.1.hook_attn_in',
    'blocks.1.mlp.hook_experts',
    'blocks.1.hook_embed',
    'blocks.01.hook_resid_pre',
    'blocks.1.toString',
  ])('refuses %s, which the model does not compute', (hook) => {
    expect(reason(hook, 32)).toBe(`Fovea has no hook ${hook}`);
  });

  it('refuses hooks without a row for each position', () => {
    const expected = 'it reads blocks.1.attn.hook_pattern, which has no row for each position';
    expect(reason('blocks.1.attn.hook_pattern', 32)).toBe(expected);
  });

  it('escapes what a file says the hook is', () => {
    expect(reason('\u001b[2J\u202Ehook\nname', 32)).toBe('Fovea has no hook ‹001B›[2J‹202E›hook↵name');
  });
});

describe('hookLayer', () => {
  it('reads the layer from the name', () => {
    expect(hookLayer('blocks.11.hook_resid_pre')).toBe(11);
    expect(hookLayer('hook_embed')).toBe(0);
    expect(hookLayer('ln_final.hook_normalized')).toBeUndefined();
    expect(hookLayer('blocks.x.hook_resid_pre')).toBeUndefined();
  });
});

describe('a transcoder', () => {
  const fault = (hooks: readonly string[], width: number): string | undefined => {
    const target = { kind: hooks.length > 1 ? 'crossLayer' : 'transcoder', hooks, width };
    const config = { hookName: 'blocks.1.mlp.hook_in', dIn: 32, target } as SaeConfig;
    try {
      checkSaeFits({ path: '/sae', config }, model);
      return undefined;
    } catch (error) {
      return ((error as EngineError).data as { reason: string }).reason;
    }
  };

  it('fits when every hook it writes does', () => {
    expect(fault(['blocks.1.hook_mlp_out'], 32)).toBeUndefined();
    expect(fault(['blocks.1.hook_mlp_out', 'blocks.2.hook_mlp_out'], 32)).toBeUndefined();
    expect(fault(['blocks.1.hook_mlp_out', 'blocks.3.hook_mlp_out'], 32)).toContain('writes layer 3');
    expect(fault(['blocks.1.hook_mlp_out'], 16)).toContain('writes 16 numbers at blocks.1.hook_mlp_out');
    expect(fault(['blocks.1.hook_elsewhere'], 32)).toContain('no hook blocks.1.hook_elsewhere');
  });
});
