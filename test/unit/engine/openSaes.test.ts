/** How many SAEs stay open while their reading and the beginning-of-sequence token are switched back and forth. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { LoadedSaes } from '../../../src/engine/loadedSaes.ts';
import { SparseAutoencoder } from '../../../src/engine/sae/sparseAutoencoder.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import { reluHook, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';

/** Counts SAEs that hold native memory, by what makes and frees them. */
function countOpen(): { readonly open: Set<SparseAutoencoder>; readonly most: () => number } {
  const open = new Set<SparseAutoencoder>();
  let most = 0;
  const { open: openSae } = LoadedSaes.prototype;
  vi.spyOn(LoadedSaes.prototype, 'open').mockImplementation(async function (this: LoadedSaes, ...call) {
    const sae = await openSae.apply(this, call);
    open.add(sae);
    most = Math.max(most, open.size);
    return sae;
  });
  const { release } = SparseAutoencoder.prototype;
  vi.spyOn(SparseAutoencoder.prototype, 'release').mockImplementation(function (this: SparseAutoencoder) {
    open.delete(this);
    return release.call(this);
  });
  return { open, most: () => most };
}

it('keeps few SAEs open over ten rounds of switching, and none when the model is closed', async () => {
  const tiny = await writeTinyModel(4);
  const engine = new Engine({ threads: 1 });
  const counted = countOpen();
  try {
    const model = await engine.openModel({ path: tiny.folder });
    const saes = [topKHook, reluHook].map((hook) => join(model.path, 'saes', hook));
    const look = (sae: string, change: Partial<AnalyzeRequest> = {}) =>
      engine.analyze({
        model: model.id,
        text: 'When she gave',
        saes: [sae],
        topFeatures: 3,
        topPredictions: 2,
        edits: [],
        ...change,
      });
    for (let round = 0; round < 10; round++) {
      await engine.openModel({ path: tiny.folder, bos: round % 2 === 0 ? 'always' : 'never' });
      for (const sae of saes) {
        await look(sae);
        await engine.configureSae({ sae, convention: round % 2 === 0 ? { maskFirst: true } : {} });
      }
    }
    expect(counted.most()).toBeLessThanOrEqual(3);
    await engine.closeModel({ model: model.id });
    expect(counted.open.size).toBe(0);
  } finally {
    vi.restoreAllMocks();
    await tiny.remove();
  }
});

it('opens an SAE once when it is told again what it was told, and keeps one that a shown run computes with', async () => {
  const tiny = await writeTinyModel(5);
  const engine = new Engine({ threads: 1 });
  const counted = countOpen();
  try {
    const model = await engine.openModel({ path: tiny.folder });
    const sae = join(model.path, 'saes', topKHook);
    const feature = { sae, index: 2 };
    const shown = await engine.analyze({
      model: model.id,
      text: 'When she gave',
      saes: [sae],
      topFeatures: 3,
      topPredictions: 2,
      edits: [
        {
          id: 'a',
          target: { kind: 'feature', feature },
          action: { kind: 'set', value: 2 },
          strength: 1,
          enabled: true,
        },
      ],
    });
    const [first] = counted.open;
    for (let i = 0; i < 5; i++) await engine.configureSae({ sae, convention: {} });
    const before = await engine.logitLens({ run: shown.run, top: 2 });
    expect([...counted.open]).toEqual([first]);
    await engine.configureSae({ sae, convention: { maskFirst: true } });
    expect(counted.open.has(first!)).toBe(true);
    expect(await engine.logitLens({ run: shown.run, top: 2 })).toEqual(before);
    await engine.closeModel({ model: model.id });
    expect(counted.open.size).toBe(0);
  } finally {
    vi.restoreAllMocks();
    await tiny.remove();
  }
});
