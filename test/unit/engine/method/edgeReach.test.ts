// Which nodes can write into which: the stream carries everything, an attention or MLP output only its own layer's parts.
import { describe, expect, it } from 'vitest';
import { reaches } from '../../../../src/engine/method/edgeAttribution.ts';
import type { NodeAttribution } from '../../../../src/engine/method/nodeAttribution.ts';

function node(kind: string, layer: number, rank: number, hook?: string): NodeAttribution {
  const sae = hook && { hook };
  return { node: { kind, layer }, rank, sae, gradient: new Float32Array() } as unknown as NodeAttribution;
}

const sequential = { parallel: false };

describe('reaches', () => {
  const token = node('token', -1, -1);
  const heads = [node('head', 0, 0), node('head', 1, 7)] as const;
  const mlps = [node('mlp', 0, 3), node('mlp', 1, 9)] as const;

  it('lets a feature of an attention output read that layer’s heads alone', () => {
    const feature = node('feature', 1, 8, 'blocks.1.hook_attn_out');
    const sources = [token, heads[0], heads[1], mlps[0], mlps[1]];
    expect(sources.map((source) => reaches(source, feature, sequential))).toEqual([
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  it('lets a feature of an MLP output read that layer’s MLP alone', () => {
    const feature = node('feature', 1, 10, 'blocks.1.hook_mlp_out');
    const sources = [token, heads[0], heads[1], mlps[0], mlps[1]];
    expect(sources.map((source) => reaches(source, feature, sequential))).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('lets everything else read what was written before', () => {
    const feature = node('feature', 0, 4, 'blocks.0.hook_resid_post');
    expect(
      [token, heads[0], mlps[0], heads[1]].map((source) => reaches(source, feature, sequential)),
    ).toEqual([true, true, true, false]);
    expect(reaches(token, heads[1], sequential)).toBe(true);
    expect(reaches(heads[1], token, sequential)).toBe(false);
  });

  it('keeps an MLP beside its attention from reading it', () => {
    const parallel = { parallel: true };
    expect([token, heads[0], mlps[0], heads[1]].map((source) => reaches(source, mlps[1], parallel))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(reaches(heads[1], mlps[1], sequential)).toBe(true);
  });
});
