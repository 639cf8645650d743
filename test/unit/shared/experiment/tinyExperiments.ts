/** What tests of experiments run on: the tiny model, a folder with a task file beside it, and one pair of prompts. */
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { Engine } from '../../../../src/engine/engine.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import type { Experiment } from '../../../../src/shared/experiment/experiment.ts';
import type { ExperimentPlaces } from '../../../../src/shared/experiment/runExperiment.ts';
import { type TinyModel, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { wordPair } from '../../../fixtures/wordExperiments.ts';

/** An experiment on that pair. */
export function experimentOf(method: Experiment['method'], more: Partial<Experiment> = {}): Experiment {
  return { pairs: wordPair, method, ...more };
}

export interface TinyExperiments {
  readonly engine: Engine;
  readonly tiny: TinyModel;
  readonly folder: string;
  readonly places: ExperimentPlaces;
}

/** Made before the tests of the file that calls this, and removed after them. */
export function tinyExperiments(): TinyExperiments {
  const made = {} as { -readonly [K in keyof TinyExperiments]: TinyExperiments[K] };
  beforeAll(async () => {
    made.engine = new Engine({ threads: 1 });
    made.tiny = await writeTinyModel(7);
    made.folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-experiment-')));
    made.places = {
      engine: made.engine,
      embedded: made.tiny.folder,
      path: (relative) =>
        realpath(resolve(made.folder, relative)).catch(() => {
          throw new EngineError('file.missing', { path: relative });
        }),
      readText: (path) => readFile(path, 'utf8'),
    };
    await writeFile(join(made.folder, 'a.task.jsonl'), taskLines());
  });
  afterAll(async () => {
    await made.tiny?.remove();
    await rm(made.folder, { recursive: true, force: true });
  });
  return made;
}

/** The pair, the pair turned round, and a line that is no pair. */
function taskLines(): string {
  const { kind: _, ...pair } = wordPair;
  const turned = { ...pair, clean: pair.corrupted, corrupted: pair.clean, template: 'turned' };
  return [pair, turned, { clean: 1 }].map((line) => JSON.stringify(line)).join('\n');
}
