/** What SHIFT is compared with: neurons chosen by balanced labels, and closeness to concept words; against plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  conceptDirections,
  conceptWords,
  cosines,
  meanRow,
} from '../../../../../src/engine/method/shift/conceptWords.ts';
import type { ConfoundedProbe } from '../../../../../src/engine/method/shift/confoundedProbe.ts';
import { harmfulNeurons } from '../../../../../src/engine/method/shift/harmfulNeurons.ts';
import { probePlace, shiftSites } from '../../../../../src/engine/method/shift/shiftSites.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { tinyModelConfig, topKHook } from '../../../../fixtures/tinyModel.ts';
import { adding, openTinyCircuit, type TinyCircuit } from '../tinyCircuit.ts';

const { dModel } = tinyModelConfig;
const hook = 'blocks.1.hook_resid_post';
const texts = [
  { ids: [3, 117, 58, 201, 22, 9], profession: 0 },
  { ids: [7, 44, 58, 12], profession: 1 },
] as const;

let look: TinyCircuit;

beforeAll(async () => {
  look = await openTinyCircuit(9);
});
afterAll(() => look.close());

describe('the skyline of neurons', () => {
  it('takes the coordinates that push away from the right profession most, by activation × gradient', async () => {
    const { config } = look.model;
    const reads = probePlace(config, hook);
    const sites = shiftSites(config, look.saes.slice(0, 1), reads);
    const random = seededRandom(5);
    const probe = { weights: Float32Array.from({ length: dModel }, () => random.normal()), bias: 0 };
    const judged = texts.map(({ ids, profession }) => ({
      text: '',
      tokens: Int32Array.from(ids),
      profession,
      gender: 0 as const,
    }));
    const found = { inputs: { model: look.model, text: {} }, sets: { judged }, sites, reads, probe };
    const chosen = await harmfulNeurons(found as unknown as ConfoundedProbe, 5);

    const harm = new Float64Array(dModel);
    for (const { ids, profession } of texts) {
      const value = look.value(topKHook, ids);
      const logit = (at: number, by: number) => {
        const after = look.value(hook, ids, adding(topKHook, at, [by]));
        return after.reduce((sum, x, i) => sum + (x * probe.weights[i % dModel]!) / ids.length, 0);
      };
      const h = 1e-4;
      value.forEach((x, at) => {
        const slope = (logit(at, h) - logit(at, -h)) / (2 * h);
        harm[at % dModel]! -= (profession === 1 ? 1 : -1) * x * slope;
      });
    }
    const order = Array.from(harm.keys()).sort((a, b) => harm[b]! - harm[a]!);
    expect(chosen).toEqual(order.slice(0, 5).map((index) => ({ site: 0, index })));
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
