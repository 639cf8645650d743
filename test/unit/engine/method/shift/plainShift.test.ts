/** Pooling, ablation and integrated gradients of SHIFT, against GPT-2 and SAEs by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureAblation, neuronAblation } from '../../../../../src/engine/method/shift/ablateInside.ts';
import { featureEffects } from '../../../../../src/engine/method/shift/featureEffects.ts';
import { pooledActivations } from '../../../../../src/engine/method/shift/pooledActivations.ts';
import { pooledFeatures } from '../../../../../src/engine/method/shift/pooledFeatures.ts';
import { probePlace, type ShiftSite, shiftSites } from '../../../../../src/engine/method/shift/shiftSites.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import type { PlainHook } from '../../../../fixtures/plainGpt2.ts';
import { plainActivations, tinyDSae, tinyModelConfig, topKHook } from '../../../../fixtures/tinyModel.ts';
import { adding, openTinyCircuit, type TinyCircuit } from '../tinyCircuit.ts';

const { dModel } = tinyModelConfig;
/** Features that the TopK SAE keeps. */
const k = 4;
const hook = 'blocks.1.hook_resid_post';
const texts = [
  [3, 117, 58, 201, 22, 9],
  [7, 44, 58],
  [3, 44, 12, 310, 22, 77],
];
const tokens = texts.map((ids) => Int32Array.from(ids));

let look: TinyCircuit;
let sites: readonly ShiftSite[];

beforeAll(async () => {
  look = await openTinyCircuit(7);
  const reads = probePlace(look.model.config, hook);
  sites = shiftSites(look.model.config, look.saes, reads);
});
afterAll(() => look.close());

/** Activations of the TopK SAE on one row of its hook. */
function activationsOf(row: ArrayLike<number>): Float64Array {
  return Float64Array.from(plainActivations(look.tiny.saes.get(topKHook)!, row, k));
}

function rowAt(value: Float64Array, position: number): Float64Array {
  return value.slice(position * dModel, (position + 1) * dModel);
}

function plainMean(value: Float64Array, before: number): number[] {
  const positions = value.length / dModel;
  return Array.from({ length: dModel }, (_, i) => {
    let sum = 0;
    for (let p = before; p < positions; p++) sum += value[p * dModel + i]!;
    return sum / (positions - before);
  });
}

describe('pooled activations', () => {
  it('are means over positions, those before the text left out', async () => {
    for (const before of [0, 1]) {
      const found = await pooledActivations(look.model, { texts: tokens, hook, before });
      texts.forEach((ids, text) => {
        plainMean(look.value(hook, ids), before).forEach((mean, i) => {
          expect(found.data[text * dModel + i]).toBeCloseTo(mean, 4);
        });
      });
    }
  });

  it('of features are means of what the SAE makes of the hook', async () => {
    const features = [0, 3, 11].map((index) => ({ site: 0, index }));
    const found = await pooledFeatures(look.model, { sites, features, texts: tokens, before: 1 });
    texts.forEach((ids, text) => {
      const value = look.value(topKHook, ids);
      features.forEach(({ index }, i) => {
        let sum = 0;
        for (let p = 1; p < ids.length; p++) sum += activationsOf(rowAt(value, p))[index]!;
        expect(found[i]![text]).toBeCloseTo(sum / (ids.length - 1), 4);
      });
    });
  });
});

describe('ablation', () => {
  it.each([
    ['zero', undefined],
    ['values of their own', [0.5, -1, 0, 2, 0.25]],
  ])(
    'sets features of the hook to %s, the error kept, and everything behind is computed anew',
    async (_, values) => {
      const chosen = [1, 4, 9, 13, 17].map((index) => ({ site: 0, index }));
      const sae = look.tiny.saes.get(topKHook)!;
      const without: PlainHook = (name, { data }) => {
        if (name !== topKHook) return;
        for (let p = 0; p < data.length / dModel; p++) {
          const active = activationsOf(rowAt(data, p));
          for (const [i, { index }] of chosen.entries()) {
            const change = (values?.[i] ?? 0) - active[index]!;
            for (let d = 0; d < dModel; d++) data[p * dModel + d]! += change * sae.W_dec[index * dModel + d]!;
          }
        }
      };
      const edits = featureAblation(sites, chosen, values);
      const found = await pooledActivations(look.model, { texts: tokens, hook, before: 0, edits });
      const clean = await pooledActivations(look.model, { texts: tokens, hook, before: 0 });
      let moved = 0;
      texts.forEach((ids, text) => {
        plainMean(look.value(hook, ids, without), 0).forEach((mean, i) => {
          expect(found.data[text * dModel + i]).toBeCloseTo(mean, 4);
          moved = Math.max(moved, Math.abs(mean - clean.data[text * dModel + i]!));
        });
      });
      expect(moved).toBeGreaterThan(0.01);
    },
  );

  it('sets neurons of the hook to their means', async () => {
    const without: PlainHook = (name, { data }) => {
      if (name !== topKHook) return;
      for (let i = 0; i < data.length; i++)
        if ([2, 5].includes(i % dModel)) data[i] = i % dModel === 2 ? 0.75 : -2;
    };
    const edits = neuronAblation(
      sites,
      [2, 5].map((index) => ({ site: 0, index })),
      [Float32Array.from({ length: dModel }, (_, i) => (i === 2 ? 0.75 : -2))],
    );
    const found = await pooledActivations(look.model, { texts: tokens, hook, before: 0, edits });
    texts.forEach((ids, text) => {
      plainMean(look.value(hook, ids, without), 0).forEach((mean, i) => {
        expect(found.data[text * dModel + i]).toBeCloseTo(mean, 4);
      });
    });
  });
});

describe('effects of features', () => {
  const random = seededRandom(11);
  const probe = { weights: Float32Array.from({ length: dModel }, () => random.normal()), bias: 0.3 };
  const logit = (value: Float64Array, before: number) =>
    plainMean(value, before).reduce((sum, mean, i) => sum + mean * probe.weights[i]!, probe.bias);

  it.each([0, 1])('are integrated gradients by finite differences, %i positions left out', async (before) => {
    const steps = 3;
    const reads = probePlace(look.model.config, hook);
    const [found] = await featureEffects(look.model, {
      probe,
      reads,
      sites: sites.slice(0, 1),
      texts: tokens,
      before,
      steps,
    });
    const sae = look.tiny.saes.get(topKHook)!;
    const ids = texts[0]!;
    const value = look.value(topKHook, ids);
    const active = ids.map((_, p) => activationsOf(rowAt(value, p)));
    // What is left of the hook when features and error are gone is the decoder's bias.
    const at =
      (share: number): PlainHook =>
      (name, { data }) => {
        if (name !== topKHook) return;
        for (let i = 0; i < data.length; i++) {
          const bias = sae.b_dec[i % dModel]!;
          data[i] = bias + share * (value[i]! - bias);
        }
      };
    const h = 1e-4;
    let largest = 0;
    for (let feature = 0; feature < tinyDSae; feature++) {
      const direction = sae.W_dec.slice(feature * dModel, (feature + 1) * dModel);
      let effect = 0;
      for (let p = before; p < ids.length; p++) {
        if (active[p]![feature] === 0) continue;
        let slope = 0;
        for (let step = 0; step < steps; step++) {
          const moved = (size: number) => {
            const push = adding(
              topKHook,
              p * dModel,
              direction.map((x) => x * size),
            );
            const patched = at(1 - step / steps);
            return logit(
              look.value(hook, ids, (name, v) => {
                patched(name, v);
                push(name, v);
              }),
              before,
            );
          };
          slope += (moved(h) - moved(-h)) / (2 * h) / steps;
        }
        effect -= active[p]![feature]! * slope;
      }
      expect(found!.effects[feature]).toBeCloseTo(effect, 2);
      largest = Math.max(largest, Math.abs(effect));
    }
    expect(largest).toBeGreaterThan(0.1);
  });

  it('are exact where the classifier reads the features themselves', async () => {
    const reads = probePlace(look.model.config, topKHook);
    const [site] = shiftSites(look.model.config, look.saes.slice(0, 1), reads);
    const [found] = await featureEffects(look.model, {
      probe,
      reads,
      sites: [site!],
      texts: tokens,
      before: 0,
    });
    const sae = look.tiny.saes.get(topKHook)!;
    texts.forEach((ids, text) => {
      const value = look.value(topKHook, ids);
      for (let feature = 0; feature < tinyDSae; feature++) {
        let sum = 0;
        ids.forEach((_, p) => {
          for (let d = 0; d < dModel; d++) {
            sum -=
              (activationsOf(rowAt(value, p))[feature]! *
                sae.W_dec[feature * dModel + d]! *
                probe.weights[d]!) /
              ids.length;
          }
        });
        expect(found!.effects[text * tinyDSae + feature]).toBeCloseTo(sum, 3);
      }
    });
  });
});

describe('the places of SHIFT', () => {
  it('lie before the classifier, one SAE at each', () => {
    const { config } = look.model;
    const below = probePlace(config, 'blocks.0.hook_resid_post');
    expect(() => shiftSites(config, look.saes, below)).toThrow(/comes before it/);
    expect(() => shiftSites(config, [look.saes[0]!, look.saes[0]!], below)).toThrow(/one SAE for each hook/);
    expect(() => shiftSites(config, [], below)).toThrow(/needs an SAE/);
    expect(() => probePlace(config, 'blocks.0.attn.hook_pattern')).toThrow(/row per position/);
    expect(() => probePlace(config, 'hook_embed')).toThrow(/hook of a block/);
    expect(sites.map(({ id }) => id)).toEqual(['blocks.0.hook_resid_post', 'blocks.1.hook_mlp_out']);
  });
});
