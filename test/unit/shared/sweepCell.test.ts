/** What cells of a sweep stand for, against a plain reading of the axes; and what is written to files. */
import { describe, expect, it } from 'vitest';
import type { SweepOutline } from '../../../src/shared/patchingApi.ts';
import { cellPlace, cellTarget, componentName, effectOf } from '../../../src/shared/sweepCell.ts';
import { sweepCsv, sweepJson } from '../../../src/shared/sweepExport.ts';
import type { SweepQuestion, SweepView } from '../../../src/shared/sweepViewApi.ts';

const pairs = { kind: 'pair', clean: 'a', corrupted: 'b', answers: [' x'], wrongAnswers: [' y'] } as const;
const axis = (name: string, size: number) => ({
  name,
  labels: Array.from({ length: size }, (_, i) => String(i)),
});

function patch(
  name: Extract<Extract<SweepQuestion, { method: 'patch' }>['target'], { kind: 'sweep' }>['name'],
  direction: 'denoising' | 'noising' = 'denoising',
): SweepQuestion {
  return { method: 'patch', pairs, target: { kind: 'sweep', name }, direction };
}

describe('cellPlace', () => {
  it('counts through all axes, the last one fastest', () => {
    const axes = [axis('layer', 2), axis('head', 3), axis('dest_pos', 4), axis('src_pos', 5)];
    const question = patch('attn_head_pattern_dest_src_pos');
    let cell = 0;
    for (let layer = 0; layer < 2; layer++)
      for (let head = 0; head < 3; head++)
        for (let position = 0; position < 4; position++)
          for (let source = 0; source < 5; source++) {
            const expected = { layer, head, position, source, site: 'pattern' };
            expect(cellPlace(question, axes, cell++)).toEqual(expected);
          }
  });

  it('knows heads and MLPs that send, roles, kinds and features', () => {
    const senders = [{ name: 'sender', labels: ['1.10', 'mlp 3'] }];
    const path: SweepQuestion = { method: 'path', pairs, receivers: [] };
    expect(cellPlace(path, senders, 0)).toEqual({ layer: 1, head: 10, site: 'z' });
    expect(cellPlace(path, senders, 1)).toEqual({ layer: 3, site: 'mlp_out' });
    const every = [{ name: 'kind', labels: ['resid_pre', 'mlp_out'] }, axis('layer', 1), axis('pos', 2)];
    expect(cellPlace(patch('block_every'), every, 3)).toEqual({ site: 'mlp_out', layer: 0, position: 1 });
    const roles = [axis('layer', 1), { name: 'role', labels: ['IO', 'S2'] }];
    expect(cellPlace(patch('resid_pre'), roles, 1)).toEqual({ layer: 0, role: 'S2', site: 'resid_pre' });
    const target = { kind: 'features', sae: 's', features: [7], error: true, by: 'all' } as const;
    const features = [{ name: 'feature', labels: ['7', 'error'] }];
    expect(cellPlace({ ...patch('resid_pre'), target } as SweepQuestion, features, 1)).toEqual({
      feature: 'error',
    });
  });

  it('is named as the field does, and changed while one types where that is possible', () => {
    const axes = [axis('layer', 2), axis('head', 3)];
    const named = (name: Parameters<typeof patch>[0]) => {
      const place = cellPlace(patch(name), axes, 5);
      return [componentName(place), cellTarget(place, patch(name))];
    };
    expect(named('attn_head_out_all_pos')).toEqual(['head 1.2', { kind: 'head', layer: 1, head: 2 }]);
    expect(named('attn_head_q_all_pos')).toEqual([
      'head 1.2 q',
      { kind: 'hook', hook: 'blocks.1.attn.hook_q', head: 2 },
    ]);
    expect(named('attn_head_pattern_all_pos')).toEqual(['head 1.2 pattern', undefined]);
    const stream = cellPlace(patch('resid_pre'), [axis('layer', 2), axis('pos', 3)], 4);
    expect(componentName(stream)).toBe('resid_pre 1');
    expect(cellTarget(stream, patch('resid_pre'))).toEqual({ kind: 'hook', hook: 'blocks.1.hook_resid_pre' });
  });

  it('measures effects from what a patch of nothing leaves', () => {
    expect(effectOf(patch('resid_pre'), 0.25)).toBe(0.25);
    expect(effectOf(patch('resid_pre', 'noising'), 0.25)).toBe(-0.75);
  });
});

describe('exports', () => {
  const outline: SweepOutline = {
    axes: [axis('layer', 1), axis('pos', 3)],
    pairCount: 1,
    metric: 'logitDifference',
    clean: 2,
    corrupted: -2,
    tokens: { clean: [' a', '=1+1', 'x,"y"'], corrupted: [' a', '=1+1', 'z'] },
    provenance: {
      version: '1',
      model: { name: 'm', hash: 'h' },
      saes: [],
      bos: 'none',
      precision: 'float32',
    },
  };
  const sweep: SweepView = {
    id: '1',
    title: 't',
    status: 'stopped',
    share: 0.6,
    comparable: false,
    question: patch('resid_pre'),
    subject: 'a',
    model: 'm',
    outline,
    runs: { done: 2, total: 3 },
    values: Float32Array.of(Number.NaN, 0.5, 0.25),
    raw: Float32Array.of(Number.NaN, 0, -1),
    pairs: Int32Array.of(0, 1, 1),
  };

  it('write known cells as a table in which no token is a formula', () => {
    expect(sweepCsv(sweep).split('\n')).toEqual([
      'layer,pos,component,token,value,logitDifference,pairs',
      `0,1,resid_pre 0,'=1+1,0.5,0,1`,
      '0,2,resid_pre 0,"x,""y""",0.25,-1,1',
      '',
    ]);
  });

  it('write JSON with the question and its provenance, unknown cells as null', () => {
    expect(JSON.parse(sweepJson(sweep))).toMatchObject({
      version: 1,
      complete: false,
      question: { method: 'patch', direction: 'denoising' },
      values: [null, 0.5, 0.25],
      provenance: { model: { name: 'm' } },
    });
  });
});
