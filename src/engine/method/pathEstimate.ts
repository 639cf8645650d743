/** Tells beforehand what path patching will take: senders, memory, and seconds from a few senders that are run and timed. */
import type { CallOptions } from '../../shared/callOptions.ts';
import type { SweepEstimate } from '../../shared/patchingApi.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import { BaseRun } from './baseRun.ts';
import { pairsPerBatch } from './patchSweep.ts';
import {
  checkPlaces,
  chunks,
  lastLayer,
  type PathPatchingInputs,
  patchChunk,
  pathBatch,
} from './pathPatching.ts';
import type { PathBatch } from './pathSenders.ts';
import { type TimedSample, timeWork, type WorkTime } from './timedWork.ts';

/** Senders that are run for the clock, in a small and in a wide chunk. */
const timedSenders = { few: 2, many: 16 } as const;

/** Runs a few senders on the first batch: once to compile what they need, then for the clock. */
export async function estimatePaths(
  inputs: PathPatchingInputs,
  { signal }: CallOptions = {},
): Promise<SweepEstimate> {
  const { model, task, senders } = inputs;
  checkPlaces(inputs);
  const [first] = batchesByLength(
    task.pairs.map(({ clean }) => clean),
    pairsPerBatch,
  );
  if (!first) return { cells: senders.length, runs: 0, memory: 0, seconds: 0 };
  const pairs = first.places.map((place) => task.pairs[place]!);
  const started = performance.now();
  const orig = await BaseRun.of(model, first.tokens, signal);
  const batch = await pathBatch(inputs, pairs, orig, signal);
  const baseTime = performance.now() - started;
  const blocks = senders.map(({ layer }) => Math.max(0, lastLayer(inputs) - layer));
  const reaching = senders.flatMap((_, i) => (blocks[i]! > 0 ? [i] : []));
  const { perCall, perUnit } = await timeOfBlocks(batch, inputs, reaching, blocks, signal);
  const calls = chunks(batch, inputs, reaching).length;
  const share = task.pairs.length / pairs.length;
  return {
    cells: senders.length,
    runs: reaching.length * task.pairs.length,
    memory: memoryOf(batch, inputs),
    seconds: ((sum(blocks) * perUnit + calls * perCall + baseTime) * share) / 1000,
  };
}

/** What a chunk of senders takes by itself, and each block that one sender's path goes through. */
function timeOfBlocks(
  batch: PathBatch,
  inputs: PathPatchingInputs,
  reaching: readonly number[],
  blocks: readonly number[],
  signal: AbortSignal | undefined,
): Promise<WorkTime> {
  const widest = chunks(batch, inputs, reaching)[0]?.length ?? 0;
  const sample = (most: number): TimedSample => {
    const count = Math.min(most, widest);
    const step = Math.max(1, Math.floor(reaching.length / Math.max(1, count)));
    const senders = reaching.filter((_, i) => i % step === 0).slice(0, count);
    return {
      units: sum(senders.map((sender) => blocks[sender]!)),
      // Metrics take no time worth counting.
      run: () => patchChunk(batch, inputs, senders, () => 0, signal),
    };
  };
  return timeWork(sample(timedSenders.few), sample(timedSenders.many));
}

/** Streams, keys, values and head outputs of both runs, and the widest chunk with the MLPs it runs. */
function memoryOf(batch: PathBatch, inputs: PathPatchingInputs): number {
  const { orig, pairs, positions } = batch;
  const { nLayers, nHeads, nKeyValueHeads, dHead, dModel, dMlp, dVocab } = orig.model.config;
  const rows = pairs.length * orig.positions;
  const kept =
    2 * rows * (2 * nLayers * dModel + 2 * nLayers * nKeyValueHeads * dHead + nLayers * nHeads * dHead);
  const widest = Math.max(
    0,
    ...chunks(batch, inputs, [...inputs.senders.keys()]).map(({ length }) => length),
  );
  const width = inputs.receivers.length === 0 ? (positions[0]?.length ?? 1) : orig.positions;
  return 4 * (kept + widest * pairs.length * width * (6 * dModel + 2 * dMlp) + 128 * dVocab);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
