/** Grids as text: the scale and the axes are named, and long lists end. */
import { describe, expect, it } from 'vitest';
import { sweepText } from '../../../src/cli/sweepText.ts';
import type { SweepGrid, SweepRequest } from '../../../src/shared/patchingApi.ts';

function grid(axes: readonly (readonly [string, number])[]): SweepGrid {
  const named = axes.map(([name, size]) => ({
    name,
    labels: Array.from({ length: size }, (_, i) => `${i}`),
  }));
  const size = axes.reduce((product, [, count]) => product * count, 1);
  const values = Float32Array.from({ length: size }, (_, i) => i / 8);
  return {
    axes: named,
    pairCount: 2,
    metric: 'logitDifference',
    clean: 2,
    corrupted: -1,
    values,
    raw: Float64Array.from(values),
    pairs: new Int32Array(size).fill(2),
    provenance: {
      version: '1',
      model: { name: 'm', hash: 'a' },
      saes: [],
      bos: 'none',
      precision: 'float32',
      seed: 1,
    },
  };
}

const pairs = { kind: 'pair', clean: 'a', corrupted: 'b', answers: ['c'], wrongAnswers: ['d'] } as const;
const target = { kind: 'sweep', name: 'attn_head_out_all_pos' } as const;
const patch: SweepRequest = { model: 'm', pairs, target, direction: 'denoising' };

describe('the text of a sweep', () => {
  it('says what 0 and 1 are, and which way values went', () => {
    const shape = grid([['layer', 2] as const, ['head', 3] as const]);
    expect(sweepText(patch, shape)).toContain('logitDifference (2 pairs): clean +2, corrupted −1');
    expect(sweepText(patch, shape)).toContain(
      'clean values into the corrupted run: 0 as corrupted, 1 as clean',
    );
    expect(sweepText({ ...patch, direction: 'noising' }, shape)).toContain(
      'corrupted values into the clean run',
    );
    const mean = { kind: 'mean', over: 'template', reference: 'clean' } as const;
    const ablated = sweepText({ model: 'm', pairs, target, ablation: mean }, shape);
    expect(ablated).toContain('mean over the clean prompts, by template and position');
    expect(ablated).toContain('−1 when nothing is left');
  });

  it('names every axis', () => {
    expect(
      sweepText(
        patch,
        grid([
          ['layer', 2],
          ['head', 3],
        ]),
      ),
    ).toContain('Rows: layer; columns: head');
    const stacked = sweepText(
      patch,
      grid([
        ['kind', 2],
        ['layer', 2],
        ['head', 2],
      ]),
    );
    expect(stacked).toContain('Tables: kind; rows: layer; columns: head');
    expect(stacked).toContain('kind 1');
  });

  it('lists one axis downward, with the hook of features, and ends', () => {
    const text = sweepText(patch, grid([['feature', 60]]), 'blocks.1.hook_mlp_out');
    expect(text).toContain('Rows: feature of blocks.1.hook_mlp_out');
    expect(text).toContain('\n     39  4.875');
    expect(text).toContain('… and 20 more, with --json');
    expect(text.split('\n').length).toBeLessThan(50);
  });

  it('leaves senders out of which nothing is known', () => {
    const known = grid([['sender', 3]]);
    known.values[2] = Number.NaN;
    const text = sweepText({ model: 'm', pairs, receivers: [] }, known);
    expect(text).toContain('Paths to the logits');
    expect(text).not.toContain('NaN');
  });
});
