/**
 * Activation patching (Meng et al. 2022, causal tracing; Wang et al. 2022; Heimersheim & Nanda 2024).
 *
 * Of a pair of prompts with runs M(clean) and M(corrupted), an activation a of one run takes its place in the other:
 *
 * - denoising: M(corrupted) with a := a(clean); what restores the answer is sufficient,
 * - noising: M(clean) with a := a(corrupted); what breaks it is necessary.
 *
 * The metric of the patched run is told on the scale (metric − corrupted) / (clean − corrupted): 0 as corrupted, 1 as clean,
 * both taken as means over the task's pairs. Sweeps and their axes are TransformerLens's (`patching.py`,
 * `get_act_patch_…`); features and errors of SAEs are patched as a change of the hook's value, Δf · W_dec or Δε
 * (Marks et al. 2024, §3.1).
 */
import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf } from '../graph/value.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import { metricValue, normalized } from '../task/metric.ts';
import type { TokenPair, TokenTask } from '../task/task.ts';
import { BaseRun, firstDifference } from './baseRun.ts';
import type { CellGrid } from './patchCells.ts';
import {
  type InterventionCount,
  pairsPerBatch,
  runSweep,
  type SweepPlan,
  type SweepState,
  type SweepUpdate,
} from './patchSweep.ts';
import { type FeatureSite, fromRun } from './replacement.ts';

export interface PatchingInputs {
  readonly model: Transformer;
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly direction: 'denoising' | 'noising';
  readonly grid: CellGrid;
  /** SAEs that cells with a `part` speak of. */
  readonly sites?: readonly FeatureSite[];
  /** Raw means known from an earlier run of the same sweep. */
  readonly resumeFrom?: SweepState;
  /** Told after every wave: the cells that are new, and all that is known. Values are raw means of the metric. */
  readonly update?: (
    cells: readonly number[],
    state: SweepState,
    totals: MetricTotals,
    runs: InterventionCount,
  ) => void;
  readonly waveTokens?: number;
}

/** The metric's means over the task without any patch. */
export interface MetricTotals {
  readonly clean: number;
  readonly corrupted: number;
}

export interface PatchingResult extends MetricTotals {
  /** Raw means, and how many pairs are behind each. */
  readonly state: SweepState;
  /** 0 corrupted … 1 clean, by cell in the grid's order. */
  readonly values: Float32Array;
}

/**
 * Patches every cell of the grid.
 * @throws request.invalid when the model answers clean and corrupted prompts alike, or pairs do not fit the grid; cancelled.
 */
export async function patchActivations(
  inputs: PatchingInputs,
  call: CallOptions = {},
): Promise<PatchingResult> {
  const { task, model, metric, resumeFrom, waveTokens } = inputs;
  const totals = await metricTotals(model, task, metric, call);
  requireRange(totals);
  const update: SweepUpdate = (cells, state, runs) => inputs.update?.(cells, state, totals, runs);
  const state = await runSweep({ ...patchingPlan(inputs), resumeFrom, waveTokens, update }, call);
  return { ...totals, state, values: normalizedValues(state, totals) };
}

/** What a sweep runs: the prompts of one side, changed by the runs of the other. */
export function patchingPlan({
  model,
  task,
  metric,
  direction,
  grid,
  sites = [],
}: PatchingInputs): SweepPlan {
  const [base, source] =
    direction === 'denoising' ? (['corrupted', 'clean'] as const) : (['clean', 'corrupted'] as const);
  return {
    model,
    task,
    metric,
    cells: grid.cells,
    size: gridSize(grid),
    sites,
    base,
    replacement: async (pairs, run, signal) => {
      const tokens = pairs.map((pair) => pair[source]);
      const other = await BaseRun.of(model, tokens, signal);
      return fromRun(other, firstDifference(run.tokens, tokens));
    },
  };
}

/** Number of values of a grid. */
export function gridSize({ axes }: CellGrid): number {
  return axes.reduce((size, { labels }) => size * labels.length, 1);
}

/** The metric on both prompts of every pair, as means. */
export async function metricTotals(
  model: Transformer,
  task: TokenTask,
  metric: TaskMetric,
  { signal }: CallOptions = {},
): Promise<MetricTotals> {
  const cleanLogits = new Map<TokenPair, Float32Array>();
  const sums = { clean: 0, corrupted: 0 };
  for (const side of ['clean', 'corrupted'] as const) {
    for (const { tokens, places } of batchesByLength(
      task.pairs.map((pair) => pair[side]),
      pairsPerBatch,
    )) {
      const { logits } = await model.run({ tokens, logits: 'last', signal });
      const { dVocab } = model.config;
      places.forEach((place, i) => {
        const pair = task.pairs[place]!;
        const row = floatsOf(logits!).subarray(i * dVocab, (i + 1) * dVocab);
        if (metric === 'kl' && side === 'clean') cleanLogits.set(pair, row.slice());
        sums[side] += metricValue(metric, row, pair, cleanLogits.get(pair));
      });
    }
  }
  const count = task.pairs.length;
  return { clean: sums.clean / count, corrupted: sums.corrupted / count };
}

/** Raw means on the scale of the totals. NaN stays NaN. */
export function normalizedValues({ values }: SweepState, totals: MetricTotals): Float32Array {
  return Float32Array.from(values, (value) => normalized(value, totals) ?? Number.NaN);
}

function requireRange(totals: MetricTotals): void {
  if (normalized(totals.clean, totals) !== undefined) return;
  throw new EngineError('request.invalid', {
    what: 'The pair of prompts',
    reason: `the metric is ${totals.clean.toFixed(4)} on both, so no patch can make a difference; choose another counterfactual`,
  });
}
