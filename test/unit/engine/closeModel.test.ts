/** Closing a model while it is at work, and what models that stay open keep of SAEs that they share. */
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { LoadedModel } from '../../../src/engine/loadedModel.ts';
import { writeSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../src/engine/sae/sparseAutoencoder.ts';
import type { Analysis } from '../../../src/shared/analysis.ts';
import type { ModelInfo } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import { EngineError } from '../../../src/shared/errors.ts';
import {
  randomSae,
  type TinyModel,
  tinySaeConfig,
  topKHook,
  valuesOf,
  writeTinyModel,
} from '../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../temporaryFolder.ts';

let tiny: TinyModel;
let engine: Engine;
let model: ModelInfo;

beforeEach(async () => {
  tiny = await writeTinyModel(3);
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: tiny.folder });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await tiny.remove();
});

const saePath = () => join(model.path, 'saes', topKHook);

function ask(changes: Partial<AnalyzeRequest> = {}): AnalyzeRequest {
  return {
    model: model.id,
    text: 'When she gave',
    saes: [saePath()],
    topFeatures: 3,
    topPredictions: 2,
    edits: [
      {
        id: 'a',
        target: { kind: 'feature', feature: { sae: saePath(), index: 2 } },
        action: { kind: 'set', value: 2 },
        strength: 1,
        enabled: true,
      },
    ],
    ...changes,
  };
}

const contrast = { answer: ' words', wrong: ' letter' };

describe('closing a model at work', () => {
  it('cancels its calls wherever they are, frees its memory after them, and keeps none of their runs', async () => {
    const gone = ['cancelled', 'handle.unknown'];
    let cancelled = 0;
    for (let at = 1; at < 60; at++) {
      await engine.openModel({ path: tiny.folder });
      let checks = 0;
      let closing: Promise<void> | undefined;
      const signal = {
        get aborted() {
          if (++checks === at) closing = engine.closeModel({ model: model.id });
          return false;
        },
      } as AbortSignal;
      const outcome = await engine.analyze(ask(), { signal }).catch((error: unknown) => error);
      await closing;
      if (!closing) break;
      if (outcome instanceof EngineError) {
        expect(gone).toContain(outcome.code);
        cancelled++;
        continue;
      }
      // Closed at the very end: the answer is whole, and its run is gone.
      const { run } = outcome as Analysis;
      expect(await failure(engine.attention({ run, layer: 0 }))).toMatchObject({ data: { what: 'run' } });
    }
    expect(cancelled).toBeGreaterThan(5);
    expect(cancelled).toBeLessThan(60);
  });

  it('ends calls of every kind with a result or a coded error', async () => {
    const { run } = await engine.analyze(ask());
    const circuit = { model: model.id, text: 'When she gave', contrast, saes: [saePath()], maxNodes: 5 };
    const features = [{ sae: saePath(), index: 1 }];
    const started = [
      engine.analyze(ask({ text: 'She gave words' })),
      engine.logitLens({ run, top: 2 }),
      engine.attention({ run, layer: 1 }),
      engine.residualAttribution({ run }),
      engine.featureHeat({ run, features }),
      engine.featureInfo({ features, logits: true }),
      engine.suggestAnswers({ model: model.id, text: 'gave' }),
      engine.findCircuit(circuit),
      engine.listSaes({ model: model.id, folders: [] }),
    ];
    const outcomes = Promise.allSettled<unknown>(started);
    const closing = engine.closeModel({ model: model.id });
    expect((await failure(engine.analyze(ask()))).code).toBe('handle.unknown');
    await closing;
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(EngineError);
    }
    expect(await failure(engine.attention({ run, layer: 0 }))).toMatchObject({ data: { what: 'run' } });
  });

  it('waits for the last call before it frees the memory', async () => {
    const loaded = await LoadedModel.open(tiny.folder, { threads: 1 });
    const order: string[] = [];
    const free = vi.spyOn(loaded.transformer, 'release').mockImplementation(async () => {
      order.push('freed');
    });
    let end = () => {};
    const used = loaded.use(undefined, async (signal) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      order.push(signal.aborted ? 'cancelled' : 'not cancelled');
    });
    const released = loaded.release();
    end();
    await Promise.all([used, released]);
    expect(order).toEqual(['cancelled', 'freed']);
    expect((await failure(loaded.use(undefined, async () => 1))).code).toBe('handle.unknown');
    free.mockRestore();
    await loaded.transformer.release();
  });
});

describe('an SAE', () => {
  it('that two models use is freed when the second is closed', async () => {
    const folder = await temporaryFolder();
    await cp(tiny.folder, folder, { recursive: true });
    const other = await engine.openModel({ path: folder });
    const freed = vi.spyOn(SparseAutoencoder.prototype, 'release');
    await engine.analyze(ask());
    const expected = await engine.analyze(ask({ model: other.id }));
    await engine.closeModel({ model: model.id });
    expect(freed).not.toHaveBeenCalled();
    const features = [{ sae: saePath(), index: 0 }];
    expect((await engine.featureInfo({ features, logits: true }))[0]!.topLogits).toHaveLength(10);
    expect((await engine.analyze(ask({ model: other.id }))).features).toEqual(expected.features);
    await engine.closeModel({ model: other.id });
    expect(freed).toHaveBeenCalledTimes(1);
  });

  it('that is trained anew is read anew', async () => {
    const clean = ask({ edits: [] });
    await engine.analyze(clean);
    const training = {
      model: model.id,
      hook: topKHook,
      out: saePath(),
      corpus: [],
      dSae: 24,
      k: 3,
      steps: 20,
      seed: 5,
    };
    await engine.trainSae(training);
    const fresh = new Engine({ threads: 1 });
    await fresh.openModel({ path: tiny.folder });
    const expected = await fresh.analyze(clean);
    const found = await engine.analyze(clean);
    expect(found.features).toEqual(expected.features);
    expect(found.provenance.saes).toEqual(expected.provenance.saes);
    await fresh.closeModel({ model: model.id });
  }, 60_000);

  it('whose file is replaced under it is refused instead of mixed', async () => {
    const clean = ask({ edits: [] });
    const before = await engine.analyze(clean);
    await writeSaeLens(saePath(), tinySaeConfig(topKHook), valuesOf(randomSae('new', 12), 12));
    expect((await engine.analyze(clean)).features).toEqual(before.features);
    const error = await failure(engine.analyze({ ...clean, topFeatures: 20 }));
    expect(error).toMatchObject({
      code: 'file.changed',
      data: { path: join(saePath(), 'sae_weights.safetensors') },
    });
  });
});

describe('a model whose weights are replaced on disk', () => {
  it.each([
    ['by another file', rename],
    ['in place', cp],
  ])('%s goes on with what is loaded, and refuses to mix', async (_, replace) => {
    const clean = ask({ edits: [], saes: [] });
    const before = await engine.analyze(clean);
    const other = await writeTinyModel(4);
    const path = join(model.path, 'model.safetensors');
    await replace(join(other.folder, 'model.safetensors'), path);
    const error = await failure(engine.analyze({ ...ask({ saes: [] }), topPredictions: 3 }));
    expect(error).toMatchObject({ code: 'file.changed', data: { path } });
    expect(error.message).toContain('Open the model again');
    await engine.closeModel({ model: model.id });
    await engine.openModel({ path: tiny.folder });
    const after = await engine.analyze(clean);
    expect(after.predictions).not.toEqual(before.predictions);
    await other.remove();
  });
});
