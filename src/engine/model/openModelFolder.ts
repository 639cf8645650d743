/** Opens a model folder: config, weights, and what is told about the model. */
import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { freemem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ModelInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { fileError } from '../files/fileErrors.ts';
import { readWeightsSample } from '../files/weightsSample.ts';
import { type ModelConfig, readModelConfig } from './config.ts';
import type { ModelFamily, ModelStages } from './families/family.ts';
import { gpt2 } from './families/gpt2.ts';
import { StageRunner } from './stageRunner.ts';
import { openWeights } from './weights.ts';

export interface OpenOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
}

export interface OpenedModel {
  readonly info: ModelInfo;
  readonly config: ModelConfig;
  /** The model as graphs, for methods that build programs of their own over its weights. */
  readonly graph: ModelStages;
  readonly stages: StageRunner;
}

const families: { readonly [F in ModelConfig['family']]: ModelFamily } = { gpt2 };

/** Variants of a block's program that stay compiled side by side: plain, hooked, a few edited ones, backward. */
const programsPerStage = 8;

/** Errors as `Transformer.open`. */
export async function openModelFolder(folder: string, options: OpenOptions): Promise<OpenedModel> {
  const path = await realpath(folder).catch((error) => {
    throw fileError(folder, error);
  });
  const config = await readModelConfig(path);
  const weights = await openWeights(path);
  await checkMemory(weights.path);
  const stages = families[config.family](config, weights);
  const runner = new StageRunner(stages, config, {
    threads: options.threads,
    programs: programsPerStage * (config.nLayers + 2),
  });
  const info: ModelInfo = {
    id: path,
    name: modelName(path),
    path,
    family: config.family,
    nLayers: config.nLayers,
    nHeads: config.nHeads,
    dModel: config.dModel,
    dHead: config.dHead,
    dMlp: config.dMlp,
    dVocab: config.dVocab,
    nContext: config.nContext,
    parameters: weights.parameters,
    hash: await modelHash(path, weights.path),
    bos: 'none',
    precision: weights.precision,
  };
  return { info, config, graph: stages, stages: runner };
}

/** The folder's name; for a folder of the Hugging Face cache (`models--owner--name/snapshots/…`) the repository's. */
function modelName(path: string): string {
  const repository = basename(dirname(dirname(path)));
  const isCached = basename(dirname(path)) === 'snapshots' && repository.startsWith('models--');
  return isCached ? repository.slice('models--'.length).replace('--', '/') : basename(path);
}

/** SHA-256 over config, the weights' header and a sample of their data: cheap, and another one after retraining. */
async function modelHash(folder: string, weightsPath: string): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(join(folder, 'config.json')));
  hash.update(await readWeightsSample(weightsPath));
  return hash.digest('hex').slice(0, 16);
}

/**
 * A rough check that spares a machine obvious trouble: twice the file's size has to be free, for the weights and a
 * laid-out copy of them. Weights stored in 16 bits need twice as much again, further programs and SAEs are not counted,
 * and the system could free more than it reports. @throws model.tooLarge.
 */
async function checkMemory(path: string): Promise<void> {
  const { size } = await stat(path);
  const needed = 2 * size;
  const available = freemem();
  if (needed <= available) return;
  throw new EngineError('model.tooLarge', {
    path,
    needed: gigabytes(needed),
    available: gigabytes(available),
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
