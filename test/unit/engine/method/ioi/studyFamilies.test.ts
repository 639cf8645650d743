/** The study runs unchanged on models with rotation, shared keys and values, windows, caps, and norms behind the attention. */
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { studyIndirectObjects } from '../../../../../src/engine/method/ioi/studyIndirectObjects.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { studyReport } from '../../../../../src/shared/studyReport.ts';
import {
  tinyDecoderWeights,
  tinyGemma,
  tinyLlama,
  writeTinyDecoder,
} from '../../../../fixtures/tinyDecoder.ts';
import { plainPairs } from './plainTask.ts';

test.each([
  { name: 'llama', config: tinyLlama },
  { name: 'gemma', config: tinyGemma },
])('of the $name kind', async ({ config }) => {
  const folder = await writeTinyDecoder(config, tinyDecoderWeights(config, 3));
  const model = await Transformer.open(folder);
  try {
    const withinVocabulary = (tokens: Int32Array) => tokens.map((id) => id % config.dVocab);
    const pairs = plainPairs.map((pair) => ({
      ...pair,
      clean: withinVocabulary(pair.clean),
      corrupted: withinVocabulary(pair.corrupted),
    }));
    const tokenizer = { vocabSize: config.dVocab, isSpecial: (id: number) => id === 0 };
    // Thresholds of 0 let every step of path patching have receivers.
    const none = {
      directEffect: 0,
      pathEffect: 0,
      backupEffect: 0,
      copyScore: 0,
      attention: 0,
      repetition: 0,
    };
    const request = { thresholds: { ...none, nodeEffect: 0.05, faithfulness: 0.2 }, randomSets: 2 };
    const study = await studyIndirectObjects({ model, tokenizer, task: { name: 'random', pairs } }, request);
    expect(study.heads).toHaveLength(config.nLayers * config.nHeads);
    expect(study.receivers.queries.length).toBeGreaterThan(0);
    expect(study.heads.some(({ effects }) => effects.logits !== 0)).toBe(true);
    expect(study.circuit!.unfaithfulness).toBeLessThanOrEqual(0.3);
    expect(studyReport(study, 'tiny')).not.toMatch(/undefined|NaN|Infinity/);
  } finally {
    await model.release();
    await rm(folder, { recursive: true, force: true });
  }
});
