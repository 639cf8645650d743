// What the trainer promises: the same numbers after a resume, a checkpoint on cancelling, an alarm on divergence.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { languageModelTask } from '../../../../src/engine/training/languageModel.ts';
import { trainSparseAutoencoder } from '../../../../src/engine/training/sparseAutoencoder.ts';
import { type Trained, type TrainOptions, train } from '../../../../src/engine/training/trainer.ts';
import type { TrainingTask } from '../../../../src/engine/training/trainingTask.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-trainer-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function tinyModel(nLayers = 1): TrainingTask {
  const shape = { nLayers, nHeads: 2, dModel: 16, dMlp: 32, dVocab: 29, nContext: 8, layerNormEps: 1e-5 };
  return languageModelTask({
    shape,
    rows: 4,
    rowLength: 8,
    random: seededRandom(1),
    tokens: (step) => {
      const random = seededRandom(`batch ${step}`);
      return Int32Array.from({ length: 36 }, () => random.int(29));
    },
  });
}

/** Its state has counters beside the parameters. */
function tinyAutoencoder(): TrainingTask {
  const rowsOf = (seed: string, rows: number) => {
    const random = seededRandom(seed);
    return Float32Array.from({ length: rows * 6 }, () => random.normal());
  };
  return trainSparseAutoencoder({
    dIn: 6,
    dSae: 24,
    architecture: { kind: 'topk', k: 2, deadAfterSteps: 3 },
    rows: 16,
    activations: (step) => rowsOf(`batch ${step}`, 16),
    sample: rowsOf('sample', 100),
    random: seededRandom(2),
  }).task;
}

const optimizer = {
  learningRate: { kind: 'cosine', peak: 1e-2, warmup: 5, total: 20 },
  weightDecay: 0.1,
  clipNorm: 1,
} as const;

function everything({ parameters, state }: Trained): Record<string, number[]> {
  const entries = Object.entries({ ...parameters, ...state });
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.from(value.data)]));
}

describe('train', () => {
  test.each([
    ['a language model', tinyModel],
    ['a sparse autoencoder', tinyAutoencoder],
  ])('continues %s from a checkpoint bit for bit', async (_, makeTask) => {
    const path = join(folder, `${makeTask.name}.safetensors`);
    const straight = await train(makeTask(), { steps: 20, optimizer });
    const checkpoint = { path, everySteps: 100 };
    await train(makeTask(), { steps: 10, optimizer, checkpoint });
    const steps: number[] = [];
    const resumed = await train(makeTask(), {
      steps: 20,
      optimizer,
      checkpoint,
      onStep: (step) => void steps.push(step),
    });
    expect(steps).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(everything(resumed)).toEqual(everything(straight));
    expect(resumed.metrics).toEqual(straight.metrics);
  });

  test('keeps a checkpoint when it is cancelled, and says that it was', async () => {
    const controller = new AbortController();
    const path = join(folder, 'cancelled.safetensors');
    const training = train(tinyModel(), {
      steps: 20,
      optimizer,
      checkpoint: { path, everySteps: 100 },
      signal: controller.signal,
      onStep: (step) => step === 7 && controller.abort(),
    } as TrainOptions);
    await expect(training).rejects.toMatchObject({ code: 'cancelled' });
    expect((await openSafetensors(path)).metadata.step).toBe('7');
  });

  test('stops with training.diverged at the step whose loss is not finite, and leaves the last checkpoint', async () => {
    const path = join(folder, 'diverged.safetensors');
    const training = train(tinyModel(), {
      steps: 50,
      // So large a step that the weights overflow.
      optimizer: { learningRate: { kind: 'constant', peak: 1e37 } },
      checkpoint: { path, everySteps: 1 },
    });
    const error = await training.then(
      () => undefined,
      (reason: unknown) => reason as { code: string; data: { step: number } },
    );
    expect(error?.code).toBe('training.diverged');
    expect((await openSafetensors(path)).metadata.step).toBe(String(error!.data.step - 1));
  });

  test('refuses the checkpoint of another model', async () => {
    const checkpoint = { path: join(folder, 'other.safetensors'), everySteps: 100 };
    await train(tinyModel(), { steps: 1, optimizer, checkpoint });
    await expect(train(tinyModel(2), { steps: 2, optimizer, checkpoint })).rejects.toMatchObject({
      code: 'file.malformed',
      data: { field: expect.stringContaining('transformer.h.1'), found: 'missing' },
    });
  });

  test('refuses a checkpoint that is not one', async () => {
    const path = join(folder, 'noise.safetensors');
    await writeFile(path, 'not a checkpoint at all');
    const training = train(tinyModel(), { steps: 2, optimizer, checkpoint: { path, everySteps: 100 } });
    await expect(training).rejects.toMatchObject({ code: 'file.malformed' });
  });

  test('reports every step and gives the parameters when asked', async () => {
    const reports: string[] = [];
    const firstWeights: number[] = [];
    await train(tinyModel(), {
      steps: 3,
      optimizer,
      what: 'Training the tiny model',
      report: ({ done, total, what }) => void reports.push(`${done}/${total} ${what}`),
      onStep: (_step, _metrics, snapshot) =>
        void firstWeights.push(snapshot()['transformer.wte.weight']!.data[0]!),
    });
    expect(reports.map((line) => line.replace(/[\d.]+$/, '#'))).toEqual(
      [1, 2, 3].map((step) => `${step}/3 Training the tiny model, loss #`),
    );
    expect(new Set(firstWeights).size).toBe(3);
  });
});
