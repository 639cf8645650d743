/** What the study of indirect objects takes before it starts: its runs counted, and one of them timed. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiStudyRequest, StudyEstimate } from '../../../shared/studyApi.ts';
import type { ModelConfig } from '../../model/config.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { TokenTask } from '../../task/task.ts';
import { pairsPerBatch } from '../patchSweep.ts';
import { waveTokens } from '../pathPatching.ts';
import { logitBudget } from './copyScores.ts';
import { allHeads, requireIoiTask } from './ioiTask.ts';
import { heldOutPairs } from './studyCircuit.ts';
import { type StudyContext, studyDefaults } from './studyContext.ts';
import { countTemplates } from './templateMeans.ts';

/** Settings that every node is tried in. */
const settings = 4;

/** What a wave holds and what comes out of it, before the values of the wave before are collected. */
const waveCopies = 4;

/** Logits that are computed, those that are read, and those that are not collected yet. */
const logitCopies = 3;

/** Programs that a block is cut into by then: parts from what heads hold and from what attention writes on, and with edits. */
const programsPerLayer = 6;

/** Bytes that a compiled program takes beside its weights: measured on 30 layers of 576 dimensions. */
const programBytes = 2 * 2 ** 20;

/** Runs for every node: in the first of the settings that keeps it or in all, mostly in groups, half of the layers each. */
const trials = 0.5;

/** @throws request.invalid as the study; cancelled */
export async function estimateStudy(
  context: StudyContext,
  request: IoiStudyRequest = {},
  call: CallOptions = {},
): Promise<StudyEstimate> {
  requireIoiTask(context.task);
  const tokens = studyTokens(context, request);
  const seconds = tokens * (await secondsPerToken(context, call.signal));
  return { tokens, seconds, bytes: studyBytes(context, request) };
}

/** Tokens through the whole model, or as many as cost the same. */
export function studyTokens({ model, task }: StudyContext, request: IoiStudyRequest): number {
  const { pathPairs, circuitPairs, copyPairs, randomSets, greedy } = { ...studyDefaults, ...request };
  const { pairs } = task;
  const heads = allHeads(model.config).length;
  const lengthOf = (count: number) => pairs.slice(0, count).reduce((sum, { clean }) => sum + clean.length, 0);
  const [all, ofPaths, ofCircuit] = [lengthOf(pairs.length), lengthOf(pathPairs), lengthOf(circuitPairs)];
  // Of each sender the last position runs, in half of the layers; towards receivers, all positions behind them.
  const toLogits = heads * Math.min(pathPairs, pairs.length);
  const sweeps = 2 * toLogits * 0.5 + 4 * heads * ofPaths * 0.5;
  const once = 3 * all + 6 * ofPaths + heads * 6 * Math.min(copyPairs, pairs.length) * 0.25;
  if (request.circuit === false) return once + sweeps;
  const nodes = 6 * heads;
  const searches = 2 * greedy.runs * greedy.steps * greedy.candidates;
  const criteria = 2 * randomSets + searches + nodes * 0.2;
  const ofHeldOut = lengthOf(circuitPairs + heldOutPairs(pairs.length, circuitPairs)) - ofCircuit;
  return once + sweeps + ofCircuit * (nodes * (0.5 + trials) + criteria) + ofHeldOut * criteria;
}

/** What the memory depends on. */
interface StudySizes {
  readonly task: TokenTask;
  readonly model: {
    readonly config: Pick<
      ModelConfig,
      'nLayers' | 'nHeads' | 'nKeyValueHeads' | 'dHead' | 'dModel' | 'dMlp' | 'dVocab'
    >;
  };
}

/**
 * Means by template and compiled programs stay through the whole study; the rest is what the widest of its stages holds: copy scores all logits of
 * some names, path patching both runs of a batch of pairs and a wave of rows, knock-outs the streams of every setting. In float32.
 */
export function studyBytes({ model, task }: StudySizes, request: IoiStudyRequest): number {
  const { nLayers, nHeads, nKeyValueHeads, dHead, dModel, dMlp, dVocab } = model.config;
  const { circuitPairs, pathPairs, copyPairs } = { ...studyDefaults, ...request };
  const { pairs } = task;
  const longest = Math.max(...pairs.map(({ clean }) => clean.length));
  const z = nLayers * nHeads * dHead;
  const streams = (nLayers + 1) * dModel;
  const keysAndValues = 2 * nLayers * nKeyValueHeads * dHead;
  const logits = Math.min(logitBudget, 6 * nHeads * Math.min(copyPairs, pairs.length) * dVocab);
  const rows = Math.min(pairsPerBatch, pathPairs, pairs.length);
  // Streams, keys, values and what heads hold of both runs; what attention writes, of one.
  const runs = rows * longest * (2 * (streams + keysAndValues + z) + nLayers * dModel);
  const wave = waveCopies * waveTokens * (4 * dModel + 2 * nHeads * dHead + 2 * dMlp);
  const ofCircuit = request.circuit === false ? 0 : Math.min(circuitPairs, pairs.length);
  const knockOuts = ofCircuit * longest * (2 * settings * streams + z) + 64 * dVocab;
  const means = countTemplates(pairs) * longest * z;
  const programs = nLayers * programsPerLayer * programBytes;
  return programs + 4 * (means + Math.max(logitCopies * logits, runs + wave, knockOuts));
}

async function secondsPerToken({ model, task }: StudyContext, signal?: AbortSignal): Promise<number> {
  const prompts = task.pairs.slice(0, 64).map(({ clean }) => clean);
  const { tokens } = batchesByLength(prompts, 16)[0]!;
  // The first run compiles what it needs.
  await model.run({ tokens, logits: 'last', signal });
  const start = performance.now();
  await model.run({ tokens, logits: 'last', signal });
  return (performance.now() - start) / 1000 / (tokens.length * tokens[0]!.length);
}
