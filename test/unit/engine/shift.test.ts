/** SHIFT on the embedded model: the classifier is misled by gender, and not any more once the features of gender are gone. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { Progress } from '../../../src/shared/domain.ts';
import { isEngineError } from '../../../src/shared/errors.ts';
import type { ShiftRequest } from '../../../src/shared/shiftApi.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';

const slow = 120_000;
const saes = [0, 1, 2].map((layer) => join(miniFolder, 'saes', `blocks.${layer}.hook_resid_post`));

let engine: Engine;
let model: string;

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  model = (await engine.openModel({ path: miniFolder })).id;
});
afterAll(() => engine?.closeModel({ model }));

function request(changes: Partial<ShiftRequest> = {}): ShiftRequest {
  return { model, saes, trainCount: 200, testCount: 160, seed: 1, ...changes };
}

describe('SHIFT on the embedded model', () => {
  it.each([1, 2, 3])(
    'raises the accuracy of the worst group by 30 points (seed %i)',
    async (seed) => {
      const outcome = await engine.applyShift({ ...request({ seed }), ablate: 'benchmark' });
      const { before, retrained, baselines, ablated } = outcome;
      expect(before.gender).toBeGreaterThanOrEqual(0.8);
      expect(before.worstGroup).toBeLessThanOrEqual(0.4);
      expect(retrained.worstGroup - before.worstGroup).toBeGreaterThanOrEqual(0.3);
      expect(retrained.gender).toBeLessThan(before.gender);
      const { mean, draws } = baselines.random;
      expect(draws).toHaveLength(5);
      expect(mean.worstGroup).toBeCloseTo(
        draws.reduce((sum, draw) => sum + draw.worstGroup / 5, 0),
        9,
      );
      // It is not the number of features that does it.
      expect(retrained.worstGroup).toBeGreaterThan(mean.worstGroup + 0.3);
      expect(baselines.oracle.worstGroup).toBeGreaterThan(0.9);
      expect(ablated.length).toBeGreaterThan(10);
    },
    slow,
  );

  it(
    'finds features with labels, examples and what they tell, strongest first',
    async () => {
      const reports: Progress[] = [];
      const report = (progress: Progress): void => void reports.push(progress);
      const few = request({ saes: saes.slice(1), trainCount: 40, testCount: 40, maxFeatures: 30, seed: 4 });
      const found = await engine.findShiftFeatures(few, { report });
      expect([found.professions, found.hook]).toEqual([['professor', 'nurse'], 'blocks.2.hook_resid_post']);
      const sizes = found.features.map(({ effect }) => Math.abs(effect));
      expect(sizes).toHaveLength(30);
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      for (const { info, feature, examples, hook } of found.features) {
        expect(feature.sae.endsWith(hook)).toBe(true);
        expect(info).toMatchObject(feature);
        for (const { tokens, activations } of examples) expect(activations).toHaveLength(tokens.length);
      }
      expect(found.features.some(({ isGender }) => isGender)).toBe(true);
      expect(found.features.some(({ isGender }) => !isGender)).toBe(true);
      expect(reports.every(({ total }) => total === 100)).toBe(true);
      const shares = reports.map(({ done }) => done);
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
      expect(shares.at(-1)).toBeGreaterThan(95);
    },
    slow,
  );

  it(
    'ablates exactly what is asked for, and gives the same numbers for the same request',
    async () => {
      const small = request({ saes: saes.slice(2), trainCount: 16, testCount: 16, maxFeatures: 5 });
      const { features, before } = await engine.findShiftFeatures(small);
      const ablate = features.slice(0, 2).map(({ feature }) => feature);
      const outcome = await engine.applyShift({ ...small, ablate });
      expect(outcome.ablated).toEqual(ablate);
      expect(outcome.before).toEqual(before);
      const again = await engine.applyShift({ ...small, ablate });
      expect(again).toEqual(outcome);
    },
    slow,
  );

  it(
    'fills its progress once, from 0 to 100, whatever is remembered',
    async () => {
      const small = request({ saes: saes.slice(2), trainCount: 16, testCount: 16, maxFeatures: 5, seed: 3 });
      const ablate = [{ sae: saes[2]!, index: 441 }];
      const whats: string[][] = [];
      for (let time = 0; time < 2; time++) {
        const reports: Progress[] = [];
        const report = (progress: Progress): void => void reports.push(progress);
        await engine.applyShift({ ...small, ablate }, { report });
        const shares = reports.map(({ done }) => done);
        expect(shares).toEqual([...shares].sort((a, b) => a - b));
        expect([shares[0], shares.at(-1)]).toEqual([0, 100]);
        whats.push([...new Set(reports.map(({ what }) => what ?? ''))]);
      }
      expect(whats[0]!.length).toBeGreaterThan(2);
      expect(whats[1]).toEqual(['Ablating and training again']);
    },
    slow,
  );

  it(
    'ablates to zero when asked to, and to the mean otherwise',
    async () => {
      const small = request({ saes: saes.slice(2), trainCount: 16, testCount: 16, maxFeatures: 40 });
      const { features } = await engine.findShiftFeatures(small);
      const ablate = features.map(({ feature }) => feature);
      const [usual, mean, zero] = [
        await engine.applyShift({ ...small, ablate }),
        await engine.applyShift({ ...small, ablate, ablateTo: 'mean' }),
        await engine.applyShift({ ...small, ablate, ablateTo: 'zero' }),
      ];
      expect(usual).toEqual(mean);
      expect(zero.before).toEqual(mean.before);
      expect(zero.after).not.toEqual(mean.after);
    },
    slow,
  );

  it(
    'tells beforehand what it will take, counted as it runs',
    async () => {
      const [trainCount, testCount] = [40, 24];
      const { find, ablate } = await engine.estimateShift(request({ trainCount, testCount }));
      // Two of three streams lie below the classifier's: ten steps each on all 40 biographies.
      const [integrated, texts] = [2 * 10 * 40, 40];
      expect(find.backward).toBe(integrated);
      expect(find.forward).toBe(3 * trainCount + testCount + texts + integrated);
      expect(ablate.backward).toBe(2 * integrated);
      expect(ablate.forward).toBe(2 * trainCount + 8 * testCount + 2 * (texts + integrated) + 3 * texts);
      for (const { seconds, memory } of [find, ablate]) {
        expect(seconds).toBeGreaterThan(0);
        expect(memory).toBeGreaterThan(1e6);
        expect(memory).toBeLessThan(1e9);
      }
      // Steps take memory; the stream that the classifier reads needs none.
      const read = await engine.estimateShift(request({ saes: saes.slice(2), trainCount, testCount }));
      expect(find.memory).toBeGreaterThan(2 * read.find.memory);
      const zero = await engine.estimateShift(request({ trainCount, testCount, ablateTo: 'zero' }));
      expect(zero.ablate.forward).toBe(ablate.forward - trainCount);
      await expect(engine.estimateShift(request({ saes: [] }))).rejects.toThrow(/needs an SAE/);
    },
    slow,
  );

  it(
    'says what is wrong with a request',
    async () => {
      const small = request({ saes: saes.slice(2), trainCount: 16, testCount: 16, maxFeatures: 3 });
      await expect(engine.findShiftFeatures({ ...small, trainCount: 2 })).rejects.toThrow(/at least 8/);
      await expect(engine.findShiftFeatures({ ...small, testCount: 1e9 })).rejects.toThrow(/at most/);
      await expect(engine.findShiftFeatures({ ...small, saes: [] })).rejects.toThrow(/needs an SAE/);
      const behind = { ...small, hook: 'blocks.1.hook_resid_post' };
      await expect(engine.findShiftFeatures(behind)).rejects.toThrow(/comes before it/);
      await expect(engine.applyShift({ ...small, ablate: [] })).rejects.toThrow(/at least one feature/);
      const other = { sae: saes[0]!, index: 1 };
      await expect(engine.applyShift({ ...small, ablate: [other] })).rejects.toThrow(/none of those/);
      const none = { sae: saes[2]!, index: 512 };
      await expect(engine.applyShift({ ...small, ablate: [none] })).rejects.toThrow(/0 to 511/);
    },
    slow,
  );

  it(
    'stops when it is cancelled',
    async () => {
      const controller = new AbortController();
      const report = ({ done }: Progress): void => void (done > 20 && controller.abort());
      const found = engine.findShiftFeatures(request({ saes: saes.slice(1), seed: 77 }), {
        signal: controller.signal,
        report,
      });
      await expect(found).rejects.toSatisfy((error) => isEngineError(error, 'cancelled'));
    },
    slow,
  );
});
