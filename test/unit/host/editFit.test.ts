/** Interventions in another model: which can act there, and where their positions go. */

import { describe, expect, it } from 'vitest';
import { misfitOf, movePositions } from '../../../src/host/editFit.ts';
import { Interventions } from '../../../src/host/interventions.ts';
import type { Edit, EditTarget, Token, TokenStrip } from '../../../src/shared/domain.ts';

const edit = (target: EditTarget): Edit => ({
  id: 'e',
  target,
  action: { kind: 'zero' },
  strength: 1,
  enabled: true,
});

const open = {
  model: { nLayers: 4, nHeads: 8 },
  saes: [{ id: 'here' }, { id: 'broken', problem: 'too wide' }],
};

/** Tokens from their texts; the special one stands for none. */
function strip(...texts: readonly string[]): TokenStrip {
  let end = 0;
  const tokens = texts.map((text, id): Token => {
    if (text === '<bos>') return { id, text, start: 0, end: 0, special: true };
    const start = end;
    end += text.length;
    return { id, text, start, end };
  });
  return { tokens, used: { start: 0, end }, truncated: false, exact: true };
}

describe('misfitOf', () => {
  it.each([
    [{ kind: 'head', layer: 3, head: 7 }, undefined],
    [{ kind: 'head', layer: 4, head: 0 }, 'layer'],
    [{ kind: 'head', layer: 0, head: 8 }, 'head'],
    [{ kind: 'mlp', layer: 3 }, undefined],
    [{ kind: 'mlp', layer: 11 }, 'layer'],
    [{ kind: 'feature', feature: { sae: 'here', index: 1 } }, undefined],
    [{ kind: 'feature', feature: { sae: 'elsewhere', index: 1 } }, 'sae'],
    [{ kind: 'feature', feature: { sae: 'broken', index: 1 } }, 'sae'],
    [{ kind: 'hook', hook: 'blocks.3.hook_resid_pre' }, undefined],
    [{ kind: 'hook', hook: 'blocks.4.hook_resid_pre' }, 'layer'],
    [{ kind: 'hook', hook: 'blocks.3.attn.hook_z', head: 9 }, 'head'],
    [{ kind: 'hook', hook: 'hook_embed' }, undefined],
  ] as const)('%j: %s', (target, kind) => {
    expect(misfitOf(edit(target), open)?.kind).toBe(kind);
  });

  it('knows hooks that the family does not have', () => {
    const model = { ...open.model, blockHooks: ['hook_resid_pre', 'hook_resid_post'] };
    const target = { kind: 'hook', hook: 'blocks.0.hook_resid_mid' } as const;
    expect(misfitOf(edit(target), { ...open, model })).toEqual({ kind: 'hook', hook: target.hook });
  });
});

describe('movePositions', () => {
  it('finds the token that holds the last character of the old one', () => {
    const from = strip('When', ' Mary', ' and', ' John');
    const to = strip('W', 'hen', ' Ma', 'ry', ' and John');
    expect(movePositions([0, 1, 3], from, to)).toEqual([1, 3, 4]);
  });

  it('makes room for a token of the beginning, and takes it away again', () => {
    const plain = strip('When', ' Mary');
    const withBos = strip('<bos>', 'When', ' Mary');
    expect(movePositions([0, 1], plain, withBos)).toEqual([1, 2]);
    expect(movePositions([0, 1, 2], withBos, plain)).toEqual([0, 1]);
    expect(movePositions([0], withBos, withBos)).toEqual([0]);
  });

  it('leaves out what the other model does not read', () => {
    const from = strip('When', ' Mary', ' and');
    const to = strip('When');
    expect(movePositions([0, 2, 7], from, to)).toEqual([0]);
  });
});

describe('Interventions that do not fit', () => {
  it('stay on the stack, do not act, and act again in a model they fit', () => {
    const interventions = new Interventions();
    const added = interventions.add({ target: { kind: 'mlp', layer: 11 }, action: { kind: 'zero' } });
    expect(interventions.active).toEqual([added]);
    interventions.fitTo(open);
    expect(interventions.edits).toEqual([added]);
    expect(interventions.active).toEqual([]);
    expect(interventions.misfit(added)).toEqual({ kind: 'layer', layer: 11, nLayers: 4 });
    interventions.fitTo({ ...open, model: { nLayers: 12, nHeads: 12 } });
    expect(interventions.active).toEqual([added]);
  });

  it('move in the history too', () => {
    const interventions = new Interventions();
    const target = { kind: 'mlp', layer: 0 } as const;
    interventions.add({ target, action: { kind: 'zero' }, positions: [1] });
    interventions.clear();
    interventions.moveTo(strip('When', ' Mary'), strip('<bos>', 'When', ' Mary'));
    interventions.undo();
    expect(interventions.edits[0]?.positions).toEqual([2]);
  });
});
