/** Which SAEs SHIFT looks at: below the classifier, one for each hook. */
import { expect, test } from 'vitest';
import type { SaeInfo } from '../../../src/shared/domain.ts';
import { saesBelow, saesOfStreams } from '../../../src/shared/shiftSaes.ts';

function sae(hook: string, changes: Partial<SaeInfo> = {}): SaeInfo {
  const layer = Number(hook.split('.')[1]);
  return { id: hook, hook, layer, kind: 'sae', dSae: 8, ...changes } as SaeInfo;
}

const saes = [
  sae('blocks.0.hook_resid_post'),
  sae('blocks.1.hook_attn_out'),
  sae('blocks.1.hook_mlp_out'),
  sae('blocks.1.hook_resid_post'),
  sae('blocks.1.hook_resid_post', { id: 'another' }),
  sae('blocks.1.attn.hook_q'),
  sae('blocks.1.ln2.hook_normalized', { kind: 'transcoder' }),
  sae('blocks.1.hook_resid_mid', { problem: 'unreadable' }),
  sae('blocks.2.hook_attn_out'),
];
const model = { nLayers: 3 };

test('takes all up to the stream after the middle layer, the first of each hook, and nothing that cannot be read', () => {
  expect(saesBelow(model, saes).map(({ id }) => id)).toEqual([
    'blocks.0.hook_resid_post',
    'blocks.1.hook_attn_out',
    'blocks.1.hook_mlp_out',
    'blocks.1.hook_resid_post',
  ]);
});

test('takes none of the same block for a hook inside it but its own', () => {
  expect(saesBelow(model, saes, 'blocks.1.hook_mlp_out').map(({ id }) => id)).toEqual([
    'blocks.0.hook_resid_post',
    'blocks.1.hook_mlp_out',
  ]);
});

test('prefers streams when only they are wanted, and takes what there is without them', () => {
  const below = saesBelow(model, saes);
  expect(saesOfStreams(below).map(({ layer }) => layer)).toEqual([0, 1]);
  const inside = below.slice(1, 3);
  expect(saesOfStreams(inside)).toEqual(inside);
});
