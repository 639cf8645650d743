/** What the study of indirect objects takes before it starts: its runs counted, and one of them timed. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { IoiStudyRequest, StudyEstimate } from '../../../shared/studyApi.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import { allHeads, requireIoiTask } from './ioiTask.ts';
import { type StudyContext, studyDefaults } from './studyContext.ts';

/** Settings that every node is tried in, how often, and the share of the layers that is behind the average node. */
const trials = 4 * 1.5 * 0.5;

/** @throws request.invalid as the study; cancelled */
export async function estimateStudy(
  context: StudyContext,
  request: IoiStudyRequest = {},
  call: CallOptions = {},
): Promise<StudyEstimate> {
  requireIoiTask(context.task);
  const tokens = studyTokens(context, request);
  return { tokens, seconds: tokens * (await secondsPerToken(context, call.signal)) };
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
  const once = 3 * all + 6 * ofPaths + heads * 3 * Math.min(copyPairs, pairs.length) * 0.2;
  if (request.circuit === false) return once + sweeps;
  const nodes = 6 * heads;
  const searches = 2 * greedy.runs * greedy.steps * greedy.candidates;
  return once + sweeps + ofCircuit * (nodes * (0.5 + trials) + 2 * randomSets + searches + nodes * 0.2);
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
