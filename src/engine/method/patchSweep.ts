/**
 * Runs the cells of a sweep over a task: in waves of many cells at once, each wave's outcome handed over as it comes, what
 * is known already left out.
 */

import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf } from '../graph/value.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import { metricValue } from '../task/metric.ts';
import type { TokenPair, TokenTask } from '../task/task.ts';
import { BaseRun } from './baseRun.ts';
import { enterRows, type PatchBatch } from './cellRows.ts';
import { type PatchCell, positionIn } from './patchCells.ts';
import { carryRows, readRows } from './patchWave.ts';
import type { FeatureSite, Replacement } from './replacement.ts';
import { concatRows } from './rowValues.ts';

/** What is known of a sweep's cells: the mean metric over the first pairs that a cell has run on, in the task's order. */
export interface SweepState {
  /** The metric's mean by cell; NaN where nothing is known. */
  readonly values: Float64Array;
  /** Pairs behind each cell's value; a cell is done when these are all. */
  readonly pairs: Int32Array;
}

/** Interventions that were run, of those that are to be: cells that cannot change anything need none. */
export interface InterventionCount {
  readonly done: number;
  readonly total: number;
}

/** A change of the state: cells whose values are new. */
export type SweepUpdate = (cells: readonly number[], state: SweepState, runs: InterventionCount) => void;

export interface SweepPlan {
  readonly model: Transformer;
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly cells: readonly PatchCell[];
  /** Number of cells of the whole grid. */
  readonly size: number;
  readonly sites: readonly FeatureSite[];
  /** The prompt of a pair that is changed. */
  readonly base: 'clean' | 'corrupted';
  /** What takes places in the run of one batch. */
  replacement(batch: readonly TokenPair[], base: BaseRun, signal?: AbortSignal): Promise<Replacement>;
  /** Cells that are known from before; see `SweepState`. */
  readonly resumeFrom?: SweepState;
  readonly update?: SweepUpdate;
  /** Positions of all rows of a wave together, at most. */
  readonly waveTokens?: number;
}

/** Pairs whose base runs are kept at once. */
export const pairsPerBatch = 32;

/** Wide enough that weights are read once for hundreds of rows, narrow enough that results come every second or so. */
export const defaultWaveTokens = 2048;

/** A wave ends early, so that later positions need not run earlier ones, once it has this many positions to run. */
const fullWaveTokens = 384;

/** The metric of every cell, as mean over the task's pairs. @throws cancelled; request.invalid. */
export async function runSweep(plan: SweepPlan, call: CallOptions = {}): Promise<SweepState> {
  const { task, model, base: side, size } = plan;
  const state = copyState(plan.resumeFrom, size);
  const batches = batchesByLength(
    task.pairs.map((pair) => pair[side]),
    pairsPerBatch,
  );
  let before = 0;
  for (const { places, tokens } of batches) {
    const open = plan.cells.filter(({ index }) => state.pairs[index]! <= before);
    if (open.length > 0) {
      const pairs = places.map((place) => task.pairs[place]!);
      const base = await BaseRun.of(model, tokens, call.signal);
      const replacement = await plan.replacement(pairs, base, call.signal);
      const batch = { pairs, base, replacement, sites: plan.sites };
      const references = await cleanLogits(plan, pairs, base, call.signal);
      const moving = plan.cells.filter((cell) => firstPosition(batch, cell) < base.positions);
      const left = new Set(open);
      // Other batches are taken to have as many cells that change something.
      const total = moving.length * task.pairs.length;
      let done = moving.length * before + moving.filter((cell) => !left.has(cell)).length * pairs.length;
      for (const wave of idleFirst(planWaves(batch, open, plan.waveTokens ?? defaultWaveTokens), base)) {
        const values = await runWave(batch, wave, plan.metric, references, call.signal);
        for (const [i, cell] of wave.cells.entries()) addPairs(state, cell.index, values[i]!, pairs.length);
        if (wave.first < base.positions) done += wave.cells.length * pairs.length;
        const cells = wave.cells.map(({ index }) => index);
        plan.update?.(cells, state, { done, total });
        call.report?.({ done, total, what: 'Patching' });
      }
    }
    before += places.length;
  }
  return state;
}

/**
 * The state to go on from: a copy of what is known, or nothing.
 * @throws request.invalid when what is known is of a grid of another size.
 */
export function copyState(known: SweepState | undefined, size: number): SweepState {
  if (!known) return { values: new Float64Array(size).fill(Number.NaN), pairs: new Int32Array(size) };
  const { values, pairs } = known;
  if (values.length !== size || pairs.length !== size) {
    throw new EngineError('request.invalid', {
      what: 'What is known of the sweep',
      reason: `it has ${values.length} cells, and the sweep ${size}; start the sweep anew`,
    });
  }
  return { values: values.slice(), pairs: pairs.slice() };
}

/** Adds the mean `value` over `count` more pairs to a cell. */
export function addPairs({ values, pairs }: SweepState, cell: number, value: number, count: number): void {
  const before = pairs[cell]!;
  const sum = before === 0 ? 0 : values[cell]! * before;
  pairs[cell] = before + count;
  values[cell] = (sum + value * count) / (before + count);
}

/** Logits of the clean run, for metrics that compare with them. */
async function cleanLogits(
  { model, metric, base: side }: SweepPlan,
  pairs: readonly TokenPair[],
  base: BaseRun,
  signal?: AbortSignal,
): Promise<Float32Array | undefined> {
  if (metric !== 'kl') return undefined;
  if (side === 'clean') return floatsOf(base.logits);
  const { logits } = await model.run({ tokens: pairs.map(({ clean }) => clean), logits: 'last', signal });
  return floatsOf(logits!);
}

/** Cells that run together, and the first position that they need. */
export interface Wave {
  readonly first: number;
  readonly cells: readonly PatchCell[];
}

/**
 * Cuts cells into waves. Cells of nearby first positions stay together, since a wave runs all positions from its first
 * one on; cells that change nothing come in a wave that starts behind the last position.
 */
export function planWaves(batch: PatchBatch, cells: readonly PatchCell[], waveTokens: number): Wave[] {
  const { positions } = batch.base;
  const placed = cells
    .map((cell) => ({ cell, first: firstPosition(batch, cell) }))
    .sort((a, b) => a.first - b.first || a.cell.index - b.cell.index);
  const waves: { first: number; cells: PatchCell[] }[] = [];
  let wave: { first: number; cells: PatchCell[] } | undefined;
  for (const { cell, first } of placed) {
    const width = wave ? (positions - wave.first) * batch.pairs.length : 0;
    const tokens = wave ? wave.cells.length * width : 0;
    const isIdle = first >= positions;
    const isFull =
      !wave ||
      (!isIdle && tokens + width > waveTokens) ||
      (first > wave.first && (isIdle || tokens >= fullWaveTokens));
    if (isFull) {
      wave = { first, cells: [] };
      waves.push(wave);
    }
    wave!.cells.push(cell);
  }
  return waves;
}

/** Cells that change nothing come before those that need a run: what they are is known at once. */
function idleFirst(waves: readonly Wave[], { positions }: BaseRun): readonly Wave[] {
  const isIdle = ({ first }: Wave): boolean => first >= positions;
  return [...waves.filter(isIdle), ...waves.filter((wave) => !isIdle(wave))];
}

/** The first position that a cell changes in any pair; behind the last one when it changes none. */
function firstPosition({ pairs, base, replacement: { firstChange } }: PatchBatch, cell: PatchCell): number {
  const own = pairs.map((pair) => positionIn(cell, pair) ?? firstChange);
  const isChanging = own.some((position) => position >= firstChange);
  const isBlind = cell.source !== undefined && own.every((position) => cell.source! > position);
  return !isChanging || isBlind ? base.positions : Math.min(...own);
}

/** The mean metric over the batch's pairs, for each cell of the wave. */
export async function runWave(
  batch: PatchBatch,
  { first, cells }: Wave,
  metric: TaskMetric,
  references: Float32Array | undefined,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { base, pairs } = batch;
  const result = new Float64Array(cells.length);
  const dVocab = base.model.config.dVocab;
  const metricOf = (logits: Float32Array, i: number) =>
    metricValue(metric, logits, pairs[i]!, references?.subarray(i * dVocab, (i + 1) * dVocab));
  if (first >= base.positions) {
    const logits = floatsOf(base.logits);
    const values = pairs.map((_, i) => metricOf(logits.subarray(i * dVocab, (i + 1) * dVocab), i));
    return result.fill(values.reduce((sum, value) => sum + value, 0) / pairs.length);
  }
  const groups = byHook(cells);
  const streams = await carryRows(
    base,
    groups.map(({ members }) => ({
      layer: members[0]!.cell.layer,
      enter: () =>
        enterRows(
          batch,
          members.map(({ cell }) => cell),
          first,
        ),
    })),
    { first, signal },
  );
  // One member for each cell, in the order in which their rows come out.
  const members = groups.flatMap((group) => group.members);
  const see = (logits: Float32Array, row: number): void => {
    const member = members[Math.floor(row / pairs.length)]!;
    result[member.at]! += metricOf(logits, row % pairs.length) / pairs.length;
  };
  await readRows(base, concatRows(streams), see, signal);
  return result;
}

/** Cells of one hook of one layer together. */
function byHook(
  cells: readonly PatchCell[],
): { readonly members: { readonly cell: PatchCell; readonly at: number }[] }[] {
  const groups = new Map<string, { members: { cell: PatchCell; at: number }[] }>();
  cells.forEach((cell, at) => {
    const key = `${cell.layer}.${cell.hook}`;
    const group = groups.get(key) ?? { members: [] };
    groups.set(key, group);
    group.members.push({ cell, at });
  });
  return [...groups.values()];
}
