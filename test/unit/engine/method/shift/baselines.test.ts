/** What SHIFT is compared with: neurons by their effects, and closeness to concept words; against plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  conceptDirections,
  conceptWords,
  cosines,
  meanRow,
} from '../../../../../src/engine/method/shift/conceptWords.ts';
import { neuronEffects } from '../../../../../src/engine/method/shift/neuronEffects.ts';
import { rankEffects } from '../../../../../src/engine/method/shift/rankEffects.ts';
import { probePlace, shiftSites } from '../../../../../src/engine/method/shift/shiftSites.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { tinyModelConfig, topKHook } from '../../../../fixtures/tinyModel.ts';
import { adding, openTinyCircuit, type TinyCircuit } from '../tinyCircuit.ts';

const { dModel } = tinyModelConfig;
const hook = 'blocks.1.hook_resid_post';

let look: TinyCircuit;

beforeAll(async () => {
  look = await openTinyCircuit(9);
});
afterAll(() => look.close());

describe('effects of neurons', () => {
  it.each([0, 1])('are integrated gradients by finite differences, %i positions left out', async (before) => {
    const steps = 3;
    const texts = [
      [3, 117, 58, 201, 22, 9],
      [7, 44, 58, 12],
    ];
    const { config } = look.model;
    const random = seededRandom(5);
    const probe = { weights: Float32Array.from({ length: dModel }, () => random.normal()), bias: 0 };
    const reads = probePlace(config, hook);
    const sites = shiftSites(config, look.saes.slice(0, 1), reads);
    const tokens = texts.map((ids) => Int32Array.from(ids));
    const request = { probe, reads, sites, texts: tokens, before, steps };
    const [found] = await neuronEffects(look.model, request);
    expect(found!.width).toBe(dModel);

    texts.forEach((ids, text) => {
      const value = look.value(topKHook, ids);
      const slope = (at: number, share: number): number => {
        const h = 1e-4;
        const [above, below] = [h, -h].map((by) => {
          const push = adding(topKHook, at, [by]);
          const moved = look.value(hook, ids, (name, v) => {
            if (name === topKHook) v.data.set(value.map((x) => x * share));
            push(name, v);
          });
          const read = moved.subarray(before * dModel);
          return read.reduce(
            (sum, x, i) => sum + (x * probe.weights[i % dModel]!) / (ids.length - before),
            0,
          );
        });
        return (above! - below!) / (2 * h);
      };
      const effects = new Float64Array(dModel);
      value.forEach((x, at) => {
        if (at < before * dModel) return;
        for (let step = 0; step < steps; step++)
          effects[at % dModel]! -= (x * slope(at, 1 - step / steps)) / steps;
      });
      effects.forEach((effect, i) => {
        expect(found!.effects[text * dModel + i]).toBeCloseTo(effect, 3);
      });
    });
  });
});

describe('the order of effects', () => {
  it('is by how much the mean text is pushed towards its own label', () => {
    const effects = Float32Array.of(1, -2, 0, /* second text */ -3, -2, 0);
    const found = rankEffects(
      [
        { effects, width: 3 },
        { effects: Float32Array.of(-1, 9), width: 1 },
      ],
      [0, 1],
    );
    // Taking out feature 0 pushes each text away from its label; feature 1 does the same to both, and cancels out.
    expect(found).toEqual([
      { site: 0, index: 0, effect: 2 },
      { site: 1, index: 0, effect: -5 },
    ]);
  });
});

describe('concept words', () => {
  it('are about ten for each profession, its name first, and none of both', () => {
    const words = conceptWords(['professor', 'nurse']);
    expect(words).toContain('professor');
    expect(words).toContain('hospital');
    expect(words.length).toBeGreaterThanOrEqual(14);
    expect(words.length).toBeLessThanOrEqual(20);
    expect(new Set(words).size).toBe(words.length);
    for (const pronoun of ['she', 'her', 'his']) expect(words).not.toContain(pronoun);
  });

  it('have the directions of their last token, and texts their cosines from the centre', async () => {
    const codes: Readonly<Record<string, readonly number[]>> = { ' one': [5, 17], ' two': [8] };
    const model = {
      tokenizer: { encode: (text: string) => ({ ids: Int32Array.from(codes[text]!) }) },
      bos: 1,
      nContext: 96,
    };
    const directions = await conceptDirections(look.model, model, { words: ['one', 'two'], hook });
    [
      [1, 5, 17],
      [1, 8],
    ].forEach((ids, row) => {
      const value = look.value(hook, ids).slice(-dModel);
      value.forEach((x, i) => {
        expect(directions.data[row * dModel + i]).toBeCloseTo(x, 4);
      });
    });
    const rows = { data: Float32Array.of(3, 0, 0, 5, 1, 1), width: 2 };
    const near = cosines(rows, { data: Float32Array.of(2, 0, 0, -4), width: 2 }, Float32Array.of(0, 0));
    expect(near.width).toBe(2);
    [1, 0, 0, -1, Math.SQRT1_2, -Math.SQRT1_2].forEach((cosine, i) => {
      expect(near.data[i]).toBeCloseTo(cosine, 6);
    });
    const moved = cosines(rows, { data: Float32Array.of(2, 1), width: 2 }, Float32Array.of(1, 1));
    expect(moved.data[0]).toBeCloseTo(2 / Math.sqrt(5), 6);
    expect([...meanRow(rows)].map((x) => x.toFixed(4))).toEqual(['1.3333', '2.0000']);
  });
});
