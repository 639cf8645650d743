/** Interventions on components through the engine, held against GPT-2 by plain loops in float64 whose values are changed by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Edit } from '../../../src/shared/domain.ts';
import { tinyDSae, topKHook } from '../../fixtures/tinyModel.ts';
import { failure } from '../temporaryFolder.ts';
import {
  atRows,
  dHead,
  dModel,
  edit,
  expectLogits,
  logitsOf,
  nHeads,
  openTinyEngine,
  plainLogits,
  plainValue,
  prompt,
  type TinyEngine,
} from './tinyEngine.ts';

let look: TinyEngine;

beforeAll(async () => {
  look = await openTinyEngine(1);
});

afterAll(() => look?.close());

describe('interventions on components', () => {
  it('runs cleanly without any, and with disabled ones only', async () => {
    const clean = await look.analyze([]);
    expectLogits(logitsOf(clean), await plainLogits(look));
    const off = await look.analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' }, { enabled: false })]);
    expect(off.predictions).toEqual(clean.predictions);
    expect(off.effect).toBeUndefined();
    expect(clean.effect).toBeUndefined();
  });

  it('zeroes a head, by half at half strength, and only where it is told to', async () => {
    for (const [strength, positions] of [
      [1, undefined],
      [0.5, undefined],
      [1, [1, 3]],
    ] as const) {
      const found = await look.analyze([
        edit({ kind: 'head', layer: 0, head: 1 }, { kind: 'zero' }, { strength, positions }),
      ]);
      const expected = await plainLogits(
        look,
        atRows('blocks.0.attn.hook_z', (row, p) => {
          if (positions && !positions.includes(p as 1)) return;
          for (let i = dHead; i < 2 * dHead; i++) row[i]! *= 1 - strength;
        }),
      );
      expectLogits(logitsOf(found), expected);
    }
  });

  it('puts the mean over the prompt in an MLP’s place', async () => {
    const data = await plainValue(look, 'blocks.1.hook_mlp_out');
    const count = data.length / dModel;
    const mean = Array.from(
      { length: dModel },
      (_, d) => data.filter((_x, i) => i % dModel === d).reduce((a, b) => a + b) / count,
    );
    const found = await look.analyze([edit({ kind: 'mlp', layer: 1 }, { kind: 'mean' })]);
    expectLogits(
      logitsOf(found),
      await plainLogits(
        look,
        atRows('blocks.1.hook_mlp_out', (row) => row.set(mean)),
      ),
    );
  });

  it('patches a hook from another prompt, its last token to the last token', async () => {
    const other = 'She gave El letter counts If';
    const data = await plainValue(look, 'blocks.0.hook_resid_post', other);
    const target = { kind: 'hook', hook: 'blocks.0.hook_resid_post' } as const;
    const found = await look.analyze([edit(target, { kind: 'patch', text: other }, { positions: [2, 3] })]);
    const shift = data.length / dModel - found.strip.tokens.length;
    expect(shift).not.toBe(0);
    const expected = await plainLogits(
      look,
      atRows(target.hook, (row, p) => {
        if (p === 2 || p === 3) row.set(data.subarray((p + shift) * dModel, (p + shift + 1) * dModel));
      }),
    );
    expectLogits(logitsOf(found), expected);
  });

  it('scales the embedding, from which every block follows', async () => {
    const found = await look.analyze([
      edit({ kind: 'hook', hook: 'hook_embed' }, { kind: 'scale', factor: -2 }),
    ]);
    expectLogits(
      logitsOf(found),
      await plainLogits(
        look,
        atRows('hook_embed', (row) =>
          row.forEach((x, i) => {
            row[i] = -2 * x;
          }),
        ),
      ),
    );
  });

  it('lets several act one on the other’s outcome', async () => {
    const head = edit({ kind: 'head', layer: 1, head: 0 }, { kind: 'zero' });
    const mlp = edit({ kind: 'mlp', layer: 0 }, { kind: 'scale', factor: 3 });
    const twice = edit({ kind: 'mlp', layer: 0 }, { kind: 'scale', factor: 0.5 });
    const expected = await plainLogits(look, (name, { data }) => {
      data.forEach((x, i) => {
        if (name === 'blocks.0.hook_mlp_out') data[i] = 1.5 * x;
        if (name === 'blocks.1.attn.hook_z' && i % dModel < dHead) data[i] = 0;
      });
    });
    expectLogits(logitsOf(await look.analyze([head, mlp, twice])), expected);
  });

  it('is as before when all of them are taken away', async () => {
    const before = await look.analyze([]);
    await look.analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' })]);
    const after = await look.analyze([]);
    expect(after.predictions).toEqual(before.predictions);
    expect(after.features).toEqual(before.features);
    expect(after.attention).toEqual(before.attention);
  });

  it('shows where the edited heads look, in edited and unedited layers', async () => {
    const text = 'When she gave words letter counts If';
    const target = { kind: 'hook', hook: 'blocks.1.attn.hook_pattern' } as const;
    const { attention } = await look.analyze([edit(target, { kind: 'zero' })], text);
    const data = await plainValue(look, 'blocks.0.attn.hook_pattern', text);
    const length = attention.length;
    attention.forEach((source, query) => {
      let best = 0;
      for (let head = 0; head < nHeads; head++) {
        for (let key = 1; key < query; key++)
          best = Math.max(best, data[(head * length + query) * length + key]!);
      }
      expect(source?.layer ?? 0).toBe(0);
      expect(source?.weight ?? 0).toBeCloseTo(best, 5);
    });
  });
});

describe('the effect', () => {
  it('is the KL divergence and the change of the contrast where it is asked for', async () => {
    const clean = await plainLogits(look);
    const edits = [edit({ kind: 'head', layer: 1, head: 2 }, { kind: 'zero' })];
    const zeroed = atRows('blocks.1.attn.hook_z', (row) => row.fill(0, 2 * dHead, 3 * dHead));
    const edited = await plainLogits(look, zeroed);
    const [answer, wrong] = [' words', ' letter'];
    const ids = [answer, wrong].map((text) => tokenId(text));
    for (const position of [undefined, 1, -2]) {
      const at = position === undefined ? clean.length - 1 : (position + clean.length) % clean.length;
      const contrast = { answer, wrong, position };
      const request = {
        model: look.model.id,
        text: prompt,
        saes: [],
        topFeatures: 0,
        topPredictions: 3,
        edits,
        contrast,
      };
      const { effect, contrast: value } = await look.engine.analyze(request);
      const gap = (rows: number[][]) => rows[at]![ids[0]!]! - rows[at]![ids[1]!]!;
      expect(effect!.contrast!.clean).toBeCloseTo(gap(clean), 4);
      expect(effect!.contrast!.edited).toBeCloseTo(gap(edited), 4);
      expect(value).toBeCloseTo(gap(edited), 4);
      expect(effect!.kl).toBeCloseTo(divergence(clean[at]!, edited[at]!), 5);
      expect(effect!.kl).toBeGreaterThan(0);
      for (const [rows, shown] of [
        [clean, effect!.before],
        [edited, effect!.after],
      ] as const) {
        expect(shown).toHaveLength(3);
        expect(shown[0]!.logit).toBeCloseTo(Math.max(...rows[at]!), 4);
        expect(shown[0]!.probability).toBeCloseTo(softmax(rows[at]!)[shown[0]!.id]!, 5);
      }
    }
  });

  const vocabulary = new Map<string, number>();

  beforeAll(async () => {
    const { predictions } = await look.analyze([]);
    for (const { text, id } of predictions[0]!) vocabulary.set(text, id);
  });

  function tokenId(text: string): number {
    return vocabulary.get(text)!;
  }
});

describe('interventions that cannot be made', () => {
  it.each<[string, Edit, string]>([
    ['a layer the model lacks', edit({ kind: 'head', layer: 2, head: 0 }, { kind: 'zero' }), 'layers 0 to 1'],
    [
      'a layer that is no number',
      edit({ kind: 'mlp', layer: Number.NaN }, { kind: 'zero' }),
      'layers 0 to 1',
    ],
    ['a head the model lacks', edit({ kind: 'head', layer: 0, head: 3 }, { kind: 'zero' }), 'there are 3'],
    [
      'an unknown hook',
      edit({ kind: 'hook', hook: 'blocks.0.hook_nothing' }, { kind: 'zero' }),
      'hook_nothing',
    ],
    [
      'a head of a hook without heads',
      edit({ kind: 'hook', hook: 'blocks.0.hook_mlp_out', head: 1 }, { kind: 'zero' }),
      'no head axis',
    ],
    [
      'a position before the first',
      edit({ kind: 'mlp', layer: 0 }, { kind: 'zero' }, { positions: [-1] }),
      'Position -1',
    ],
    [
      'steering a head',
      edit({ kind: 'head', layer: 0, head: 0 }, { kind: 'add', amount: 1 }),
      'choose a feature',
    ],
    [
      'a hook behind the last block',
      edit({ kind: 'hook', hook: 'ln_final.hook_normalized' }, { kind: 'zero' }),
      'choose a hook there',
    ],
    ['the logits', edit({ kind: 'hook', hook: 'unembed.hook_out' }, { kind: 'zero' }), 'choose a hook there'],
  ])('refuses %s', async (_, wrong, words) => {
    const error = await failure(look.analyze([wrong]));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toContain(words);
  });

  it('refuses a feature the SAE lacks, an SAE that is not there, and an empty source of a patch', async () => {
    const feature = (sae: string, index: number) =>
      edit({ kind: 'feature', feature: { sae, index } }, { kind: 'zero' });
    for (const index of [tinyDSae, -1, 0.5]) {
      const error = await failure(look.analyze([feature(look.saeId(topKHook), index)]));
      expect(error.message).toContain('features 0 to 19');
    }
    expect(await failure(look.analyze([feature('/nowhere', 0)]))).toMatchObject({
      code: 'file.missing',
      data: { path: '/nowhere' },
    });
    expect(
      (await failure(look.analyze([edit({ kind: 'mlp', layer: 0 }, { kind: 'patch', text: '' })]))).code,
    ).toBe('prompt.empty');
    expectLogits(logitsOf(await look.analyze([])), await plainLogits(look));
  });
});

function softmax(logits: readonly number[]): number[] {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  return logits.map((logit) => Math.exp(logit) / total);
}

function divergence(a: readonly number[], b: readonly number[]): number {
  const [p, q] = [softmax(a), softmax(b)];
  return p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
}
