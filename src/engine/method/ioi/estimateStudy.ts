/** What the study of indirect objects takes before it starts: its runs counted, and one of them timed. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiStudyRequest, StudyEstimate } from '../../../shared/studyApi.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import { logitBudget } from './copyScores.ts';
import { allHeads, requireIoiTask } from './ioiTask.ts';
import { heldOutPairs } from './studyCircuit.ts';
import { type StudyContext, studyDefaults } from './studyContext.ts';
import { countTemplates } from './templateMeans.ts';

/** Settings that every node is tried in. */
const settings = 5;

/** Rows of one wave of path patching. */
const waveTokens = 2048;

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

/** Means by template, and the streams and edits of knock-outs: what is held at the same time, all in float32. */
function studyBytes({ model, task }: StudyContext, request: IoiStudyRequest): number {
  const { nLayers, nHeads, dHead, dModel, dMlp, dVocab } = model.config;
  const { circuitPairs, pathPairs } = { ...studyDefaults, ...request };
  const longest = Math.max(...task.pairs.map(({ clean }) => clean.length));
  const z = nLayers * longest * nHeads * dHead;
  const means = countTemplates(task.pairs) * z;
  const rows = Math.min(circuitPairs, task.pairs.length);
  const knockOuts = rows * (settings * nLayers * longest * dModel + z) + 64 * dVocab;
  const more = Math.max(request.circuit === false ? 0 : knockOuts, logitBudget);
  // Each block's program keeps what it needed for its largest wave of rows.
  const blocks =
    nLayers *
    Math.min(waveTokens, longest * Math.min(pathPairs, task.pairs.length)) *
    (6 * dModel + 3 * dMlp);
  return 4 * (means + more + blocks);
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
