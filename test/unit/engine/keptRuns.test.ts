/** What runs that are kept for later questions hold on to. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { analyzePrompt } from '../../../src/engine/analyzePrompt.ts';
import { LabelStore } from '../../../src/engine/labels/labelStore.ts';
import { LoadedModel } from '../../../src/engine/loadedModel.ts';
import { LoadedSaes } from '../../../src/engine/loadedSaes.ts';
import type { Edit } from '../../../src/shared/domain.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';

let tiny: TinyModel;
let model: LoadedModel;
const text = 'When she gave words to her '.repeat(5);

beforeAll(async () => {
  tiny = await writeTinyModel(5);
  model = await LoadedModel.open(tiny.folder, { threads: 1 });
});

afterAll(async () => {
  await model?.release();
  await tiny?.remove();
});

async function analyzed(edits: readonly Edit[]) {
  const provenance = {
    version: '',
    model: { name: '', hash: '' },
    saes: [],
    bos: 'none',
    precision: '',
  } as const;
  const request = { model: '', text, saes: [], topFeatures: 1, topPredictions: 1, edits };
  return (
    await analyzePrompt({
      id: '',
      model,
      saes: new LoadedSaes(new LabelStore('/nowhere'), 1),
      request,
      provenance,
    })
  ).run;
}

const scale = (factor: number, layer: number): Edit => ({
  id: 'a',
  target: { kind: 'head', layer, head: 1 },
  action: { kind: 'scale', factor },
  strength: 1,
  enabled: true,
});

/** Bytes of all arrays that are still reachable. */
function reachableBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}

it('a run with interventions holds its residual streams and not its attention patterns', async () => {
  const kept = [await analyzed([scale(2, 0)])];
  const positions = kept[0]!.ids.length;
  const { nLayers, dModel, nHeads } = model.info;
  const streams = (nLayers + 1) * positions * dModel * 4;
  const patterns = nLayers * nHeads * positions ** 2 * 4;
  expect(patterns).toBeGreaterThan(4 * streams);
  const before = reachableBytes();
  for (let i = 0; i < 20; i++) kept.push(await analyzed([scale(3 + i, 0)]));
  expect(reachableBytes() - before).toBeLessThan(20 * 2 * streams);
  expect(kept.every((run) => run.residual(nLayers).dims[1] === positions)).toBe(true);
});

it('a run says how many bytes its streams and interventions take', async () => {
  const [clean, edited] = [await analyzed([]), await analyzed([scale(2, 1)])];
  const streams = clean.residuals.reduce((sum, { data }) => sum + data.byteLength, 0);
  expect(clean.bytes).toBe(streams);
  // The edit keeps a factor for each head at each position.
  expect(edited.bytes).toBeGreaterThan(streams);
  expect(edited.bytes).toBeLessThan(2 * streams);
});
