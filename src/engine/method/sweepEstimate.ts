/** Tells beforehand what a sweep will take: interventions, memory, and seconds from a few cells that are run and timed. */
import type { CallOptions } from '../../shared/engineApi.ts';
import type { SweepEstimate } from '../../shared/patchingApi.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import { BaseRun } from './baseRun.ts';
import type { PatchBatch } from './cellRows.ts';
import {
  defaultWaveTokens,
  pairsPerBatch,
  planWaves,
  runWave,
  type SweepPlan,
  type Wave,
} from './patchSweep.ts';
import { type TimedSample, timeWork, type WorkTime } from './timedWork.ts';

/** Cells that are run for the clock, in a small and in a wide wave. */
const timedCells = { few: 4, many: 48 } as const;

/** Runs a few cells of the plan's first batch: once to compile what they need, then for the clock. */
export async function estimateSweep(plan: SweepPlan, { signal }: CallOptions = {}): Promise<SweepEstimate> {
  const { task, model, base: side, cells } = plan;
  const batches = batchesByLength(
    task.pairs.map((pair) => pair[side]),
    pairsPerBatch,
  );
  const [first] = batches;
  if (!first) return { cells: cells.length, runs: 0, memory: 0, seconds: 0 };
  const pairs = first.places.map((place) => task.pairs[place]!);
  const started = performance.now();
  const base = await BaseRun.of(model, first.tokens, signal);
  const batch: PatchBatch = {
    pairs,
    base,
    replacement: await plan.replacement(pairs, base, signal),
    sites: plan.sites,
  };
  const baseTime = performance.now() - started;
  const waves = planWaves(batch, cells, plan.waveTokens ?? defaultWaveTokens).filter(
    ({ first: at }) => at < base.positions,
  );
  const units = waves.reduce((sum, wave) => sum + unitsOf(batch, wave), 0);
  const { perCall, perUnit } = await timeOf(batch, waves, signal);
  const share = task.pairs.length / pairs.length;
  return {
    cells: cells.length,
    runs: waves.reduce((sum, wave) => sum + wave.cells.length, 0) * task.pairs.length,
    memory: memoryOf(batch, waves),
    seconds: ((units * perUnit + waves.length * perCall + baseTime) * share) / 1000,
  };
}

/** Positions times blocks that a wave runs: what its time goes by. */
function unitsOf({ pairs, base }: PatchBatch, { first, cells }: Wave): number {
  const { nLayers } = base.model.config;
  const blocks = cells.reduce((sum, { layer }) => sum + nLayers - layer, 0);
  return blocks * pairs.length * (base.positions - first);
}

/** What a wave takes by itself, and each unit in it, from the largest one. */
async function timeOf(
  batch: PatchBatch,
  waves: readonly Wave[],
  signal: AbortSignal | undefined,
): Promise<WorkTime> {
  const largest = waves.reduce<Wave | undefined>(
    (best, wave) => (best && best.cells.length >= wave.cells.length ? best : wave),
    undefined,
  );
  if (!largest) return { perCall: 0, perUnit: 0 };
  const sample = (count: number): TimedSample => {
    const wave = sampleOf(largest, count);
    // Metrics take no time worth counting; this one needs no other run.
    const run = () => runWave(batch, wave, 'logitDifference', undefined, signal);
    return { units: unitsOf(batch, wave), run };
  };
  return timeWork(sample(timedCells.few), sample(timedCells.many));
}

/** Some cells of a wave, from all of its layers. */
function sampleOf({ first, cells }: Wave, count: number): Wave {
  const step = Math.max(1, Math.floor(cells.length / count));
  return { first, cells: cells.filter((_, i) => i % step === 0).slice(0, count) };
}

/** Streams, keys and values of both runs, the widest wave with the MLPs it runs, and the logits that are read at once. */
function memoryOf({ pairs, base }: PatchBatch, waves: readonly Wave[]): number {
  const { nLayers, nHeads, nKeyValueHeads, dHead, dModel, dMlp, dVocab } = base.model.config;
  const rows = pairs.length * base.positions;
  const kept = 2 * rows * ((nLayers + 1) * dModel + 2 * nLayers * nKeyValueHeads * dHead + nLayers * dModel);
  const widest = Math.max(
    0,
    ...waves.map(({ first, cells }) => cells.length * pairs.length * (base.positions - first)),
  );
  const perPosition =
    6 * dModel + 2 * dMlp + 2 * nHeads * base.positions + 2 * nKeyValueHeads * dHead * base.positions;
  return 4 * (kept + widest * perPosition + 128 * dVocab);
}
