/** Opens a model: config, weights, and what is told about it. */
import type { CallOptions } from '../../shared/callOptions.ts';
import type { ModelInfo } from '../../shared/domain.ts';
import { familyOf, type ModelConfig } from './config.ts';
import type { ModelStages } from './families/family.ts';
import { programsPerStage } from './memory.ts';
import { type ModelFiles, type ModelFilesOptions, openModelFiles } from './modelFiles.ts';
import { stageHooks } from './modelHooks.ts';
import { modelStages } from './modelStages.ts';
import { familyParity } from './parity.ts';
import { StageRunner } from './stageRunner.ts';
import type { TokenizerFiles } from './tokenizerFile.ts';

export interface OpenOptions extends CallOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
  /** Where converted weights are kept; the user's cache folder when left out. */
  readonly storage?: string;
  /** Bytes of memory that the model may take; what the system has to give when left out. */
  readonly memory?: number;
}

export interface OpenedModel {
  readonly info: ModelInfo;
  readonly config: ModelConfig;
  /** The model as graphs, for methods that build programs of their own over its weights. */
  readonly graph: ModelStages;
  readonly stages: StageRunner;
  /** See `ModelFiles`. */
  readTokenizer(): Promise<TokenizerFiles>;
}

function readConfig({ path, content }: ModelFiles['config']) {
  const family = familyOf(path, content);
  return { family, config: family.readConfig(path, content as Readonly<Record<string, unknown>>) };
}

/** Errors as `Transformer.open`. */
export async function openModelFolder(folder: string, options: OpenOptions): Promise<OpenedModel> {
  const { signal, report, storage } = options;
  const check: ModelFilesOptions['check'] = (stored, places) => {
    const { family, config } = readConfig(stored);
    family.readWeights(config, places);
  };
  const { memory } = options;
  const files = await openModelFiles(folder, { signal, report, storage, memory, check });
  const { id, path, weights } = files;
  const { family, config } = readConfig(files.config);
  const graph = modelStages(config, family.readWeights(config, weights));
  const stages = new StageRunner(graph, config, {
    threads: options.threads,
    programs: programsPerStage(weights) * (config.nLayers + 2),
  });
  const info: ModelInfo = {
    id,
    name: files.name,
    path,
    family: config.family,
    nLayers: config.nLayers,
    nHeads: config.nHeads,
    nKeyValueHeads: config.nKeyValueHeads,
    dModel: config.dModel,
    dHead: config.dHead,
    dMlp: config.dMlp,
    dVocab: config.dVocab,
    nContext: config.nContext,
    blockHooks: stageHooks(config, 0),
    parameters: weights.parameters,
    hash: files.hash,
    bos: 'none',
    precision: weights.precision,
    parity: familyParity(config.family),
  };
  return { info, config, graph, stages, readTokenizer: files.readTokenizer };
}
