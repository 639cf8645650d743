/** Interventions on features: the hook moves along the decoder row by what the feature changes, and the SAE's error stays. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EditAction } from '../../../src/shared/domain.ts';
import type { PlainHook } from '../../fixtures/plainGpt2.ts';
import { reluHook, tinyDSae, topKHook } from '../../fixtures/tinyModel.ts';
import {
  activationsAt,
  atRows,
  dModel,
  edit,
  expectLogits,
  extraSae,
  logitsOf,
  openTinyEngine,
  plainLogits,
  plainValue,
  prompt,
  type TinyEngine,
  writeSae,
} from './tinyEngine.ts';

let look: TinyEngine;

beforeAll(async () => {
  look = await openTinyEngine(1);
});

afterAll(() => look?.close());

/** Adds to every row what moves feature `index` of the SAE at `hook` from its activation f to `to(f)`. */
function movingFeature(hook: string, index: number, to: (f: number, position: number) => number): PlainHook {
  const sae = look.tiny.saes.get(hook)!;
  return atRows(hook, (row, position) => {
    const f = activationsAt(look, hook, row)[index]!;
    const delta = to(f, position) - f;
    for (let d = 0; d < dModel; d++) row[d]! += delta * sae.W_dec[index * dModel + d]!;
  });
}

/** A feature that is active somewhere in the prompt. */
async function activeFeature(hook: string, text = prompt): Promise<number> {
  const { features } = await look.analyze([], text);
  const indices = features.find(({ sae }) => sae === look.saeId(hook))!.indices;
  return indices[Math.floor(indices.length / tinyDSae - 1) * tinyDSae]!;
}

describe('interventions on features', () => {
  it.each([topKHook, reluHook])(
    'ablates, sets and scales a feature of %s, the SAE’s error kept',
    async (hook) => {
      const index = await activeFeature(hook);
      const target = { kind: 'feature', feature: { sae: look.saeId(hook), index } } as const;
      const cases: [EditAction, number, (f: number) => number][] = [
        [{ kind: 'zero' }, 1, () => 0],
        [{ kind: 'zero' }, 0.25, (f) => 0.75 * f],
        [{ kind: 'set', value: 3 }, 1, () => 3],
        [{ kind: 'scale', factor: 4 }, 0.5, (f) => 2.5 * f],
      ];
      for (const [action, strength, to] of cases) {
        const found = await look.analyze([edit(target, action, { strength })]);
        expectLogits(logitsOf(found), await plainLogits(look, movingFeature(hook, index, to)));
      }
    },
  );

  it('steers along the decoder row by the amount', async () => {
    const sae = look.tiny.saes.get(topKHook)!;
    const target = { kind: 'feature', feature: { sae: look.saeId(topKHook), index: 7 } } as const;
    const found = await look.analyze([
      edit(target, { kind: 'add', amount: 5 }, { strength: 0.5, positions: [1] }),
    ]);
    const steer = atRows(topKHook, (row, p) => {
      if (p === 1)
        row.forEach((x, d) => {
          row[d] = x + 2.5 * sae.W_dec[7 * dModel + d]!;
        });
    });
    expectLogits(logitsOf(found), await plainLogits(look, steer));
  });

  it.each(['layer_norm', 'constant_norm_rescale'] as const)(
    'steers by what one unit of an SAE with %s writes at each row, just as setting does',
    async (normalizeActivations) => {
      const sae = await writeSae(look, { hookName: reluHook, normalizeActivations });
      const target = { kind: 'feature', feature: { sae, index: 7 } } as const;
      const steer = atRows(reluHook, (row, p) => {
        if (p !== 1) return;
        const mean = normalizeActivations === 'layer_norm' ? row.reduce((a, b) => a + b) / dModel : 0;
        const squares = row.reduce((sum, x) => sum + (x - mean) ** 2, 0);
        const scale = Math.sqrt(squares / (normalizeActivations === 'layer_norm' ? dModel - 1 : dModel));
        row.forEach((x, d) => {
          row[d] = x + 2.5 * scale * extraSae.W_dec[7 * dModel + d]!;
        });
      });
      const expected = await plainLogits(look, steer);
      const at = { positions: [1] };
      const steered = await look.analyze([
        edit(target, { kind: 'add', amount: 5 }, { ...at, strength: 0.5 }),
      ]);
      expectLogits(logitsOf(steered), expected);
      const { run } = await look.engine.analyze({
        model: look.model.id,
        text: prompt,
        saes: [sae],
        topFeatures: 1,
        topPredictions: 1,
        edits: [],
      });
      const now = (await look.engine.featureHeat({ run, features: [target.feature] }))[1]!;
      const set = await look.analyze([edit(target, { kind: 'set', value: now + 2.5 }, at)]);
      expectLogits(logitsOf(set), expected);
    },
  );

  it('patches a feature’s activations from another prompt', async () => {
    const other = 'El words she gave';
    const index = await activeFeature(reluHook, other);
    const data = await plainValue(look, reluHook, other);
    const length = (await look.analyze([])).strip.tokens.length;
    const shift = data.length / dModel - length;
    const to = (f: number, position: number) => {
      const from = (position + shift) * dModel;
      return from < 0 ? f : activationsAt(look, reluHook, data.subarray(from, from + dModel))[index]!;
    };
    const target = { kind: 'feature', feature: { sae: look.saeId(reluHook), index } } as const;
    const found = await look.analyze([edit(target, { kind: 'patch', text: other })]);
    expectLogits(logitsOf(found), await plainLogits(look, movingFeature(reluHook, index, to)));
  });

  it('takes an ablated feature of a ReLU SAE out of the run’s own features and hooks', async () => {
    const index = await activeFeature(reluHook);
    const feature = { sae: look.saeId(reluHook), index };
    const clean = await look.analyze([]);
    const heat = await look.engine.featureHeat({ run: clean.run, features: [feature] });
    expect(Math.max(...heat)).toBeGreaterThan(0);
    const { run, features } = await look.analyze([edit({ kind: 'feature', feature }, { kind: 'zero' })]);
    const data = await plainValue(look, reluHook);
    const edited = await look.engine.featureHeat({ run, features: [feature] });
    const sae = look.tiny.saes.get(reluHook)!;
    for (let p = 0; p < heat.length; p++) {
      const row = Float64Array.from(data.subarray(p * dModel, (p + 1) * dModel));
      const f = activationsAt(look, reluHook, row)[index]!;
      expect(heat[p]).toBeCloseTo(f, 4);
      for (let d = 0; d < dModel; d++) row[d]! -= f * sae.W_dec[index * dModel + d]!;
      // What the features of the changed value are follows from its encoder, which need not give 0 back.
      const after = activationsAt(look, reluHook, row);
      expect(edited[p]).toBeCloseTo(after[index]!, 4);
      const shown = features[1]!.indices.subarray(p * tinyDSae, (p + 1) * tinyDSae);
      expect([...shown].filter((i) => i >= 0).length).toBe(after.filter((x) => x > 0).length);
    }
  });
});
