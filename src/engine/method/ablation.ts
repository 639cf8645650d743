/**
 * Ablation: components of the clean run lose what they say about the prompt.
 *
 * - `zero`: the value becomes 0,
 * - `mean`: its mean over a reference distribution, over all positions, per position, or per template and position
 *   (Wang et al. 2022, §2; over p_ABC when `reference` is the corrupted side),
 * - `resample`: its value on another prompt of the same length, drawn by a seeded generator (Chan et al. 2022,
 *   causal scrubbing).
 *
 * Components are heads, MLPs, whole sites, SAE features (f := 0, its mean, or another prompt's, the SAE's error kept;
 * Marks et al. 2024) and SAE errors: as a sweep, one at a time, or as a set, all at once.
 */
import type { CallOptions } from '../../shared/engineApi.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf } from '../graph/value.ts';
import { batchesByLength } from '../model/tokenBatches.ts';
import type { Transformer } from '../model/transformer.ts';
import type { Random } from '../random.ts';
import { metricValue } from '../task/metric.ts';
import type { TokenPair, TokenTask } from '../task/task.ts';
import { ablationEdits } from './ablationEdits.ts';
import { gridSize, type MetricTotals, metricTotals, type PatchingInputs } from './activationPatching.ts';
import { BaseRun, firstDifference } from './baseRun.ts';
import type { CellGrid, PatchCell } from './patchCells.ts';
import { pairsPerBatch, runSweep, type SweepPlan, type SweepState, type SweepUpdate } from './patchSweep.ts';
import { type MeanOver, type MeanTargets, ReferenceMeans } from './referenceMeans.ts';
import { type FeatureSite, fromRun, type Replacement, zeroReplacement } from './replacement.ts';

export type AblationKind =
  | { readonly kind: 'zero' }
  | { readonly kind: 'mean'; readonly over: MeanOver; readonly reference: 'clean' | 'corrupted' }
  | { readonly kind: 'resample'; readonly random: Random; readonly reference: 'clean' | 'corrupted' };

export interface AblationInputs {
  readonly model: Transformer;
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly kind: AblationKind;
  /** SAEs that cells with a `part` speak of. */
  readonly sites?: readonly FeatureSite[];
}

export interface AblationSweepInputs extends AblationInputs {
  readonly grid: CellGrid;
  readonly resumeFrom?: SweepState;
  readonly update?: PatchingInputs['update'];
}

export interface AblationResult extends MetricTotals {
  /** Mean metric without each component, and how many pairs are behind it. */
  readonly state: SweepState;
}

/** What stands in for the components of one batch of pairs. */
export type Replacer = (
  pairs: readonly TokenPair[],
  base: BaseRun,
  signal?: AbortSignal,
) => Promise<Replacement>;

/** Ablates every cell of the grid by itself, in the clean prompts. @throws request.invalid; cancelled. */
export async function ablateEach(
  inputs: AblationSweepInputs,
  call: CallOptions = {},
): Promise<AblationResult> {
  const { model, task, metric, resumeFrom } = inputs;
  const totals = await metricTotals(model, task, metric, call);
  const update: SweepUpdate = (cells, state, runs) => inputs.update?.(cells, state, totals, runs);
  const plan = await ablationPlan(inputs, call);
  return { ...totals, state: await runSweep({ ...plan, resumeFrom, update }, call) };
}

/** What a sweep of ablations runs: the clean prompts, a component at a time replaced. */
export async function ablationPlan(inputs: AblationSweepInputs, call: CallOptions = {}): Promise<SweepPlan> {
  const { model, task, metric, grid, sites = [] } = inputs;
  const replacement = await replacerFor(inputs, grid.cells, call);
  return { model, task, metric, cells: grid.cells, size: gridSize(grid), sites, base: 'clean', replacement };
}

/**
 * The metric of every pair, in the task's order, when all `cells` are ablated at once: the base of a circuit's
 * faithfulness. Pass a `replacer` to use its means again.
 * @throws request.invalid; cancelled.
 */
export async function ablateTogether(
  inputs: AblationInputs & { readonly replacer?: Replacer },
  cells: readonly PatchCell[],
  call: CallOptions = {},
): Promise<Float64Array> {
  const { model, task, metric, sites = [] } = inputs;
  const replacer = inputs.replacer ?? (await replacerFor(inputs, cells, call));
  const result = new Float64Array(task.pairs.length);
  const { dVocab } = model.config;
  let done = 0;
  for (const { tokens, places } of batchesByLength(
    task.pairs.map(({ clean }) => clean),
    pairsPerBatch,
  )) {
    throwIfCancelled(call.signal);
    const pairs = places.map((place) => task.pairs[place]!);
    const base = await BaseRun.of(model, tokens, call.signal);
    const batch = { pairs, base, replacement: await replacer(pairs, base, call.signal), sites };
    const edits = await ablationEdits(batch, cells);
    const { logits } = await model.run({ tokens, edits, logits: 'last', signal: call.signal });
    const row = (values: Float32Array, i: number) => values.subarray(i * dVocab, (i + 1) * dVocab);
    places.forEach((place, i) => {
      result[place] = metricValue(
        metric,
        row(floatsOf(logits!), i),
        pairs[i]!,
        row(floatsOf(base.logits), i),
      );
    });
    done += places.length;
    call.report?.({ done, total: task.pairs.length, what: 'Ablating' });
  }
  return result;
}

/** Prepares what stands in for `cells`: means are taken here, once. */
export async function replacerFor(
  { model, task, kind, sites = [] }: AblationInputs,
  cells: readonly PatchCell[],
  call: CallOptions = {},
): Promise<Replacer> {
  switch (kind.kind) {
    case 'zero':
      return async () => zeroReplacement;
    case 'mean': {
      const options = { over: kind.over, side: kind.reference };
      const means = await ReferenceMeans.of(model, task, targetsOf(cells, sites), options, call);
      return async (pairs) => means.replacement(pairs);
    }
    case 'resample': {
      const partners = drawPartners(task.pairs, kind.random);
      const others = new Map(task.pairs.map((pair, i) => [pair, partners[i]!]));
      return async (pairs, base, signal) => {
        const tokens = pairs.map((pair) => others.get(pair)![kind.reference]);
        return fromRun(await BaseRun.of(model, tokens, signal), firstDifference(base.tokens, tokens));
      };
    }
  }
}

/** For every pair another one of the same length, whose prompt it is resampled from; itself where there is no other. */
export function drawPartners(pairs: readonly TokenPair[], random: Random): readonly TokenPair[] {
  const draws = random.fork('resample');
  return pairs.map((pair) => {
    const others = pairs.filter((other) => other !== pair && other.clean.length === pair.clean.length);
    return others.length > 0 ? draws.pick(others) : pair;
  });
}

function targetsOf(cells: readonly PatchCell[], sites: readonly FeatureSite[]): MeanTargets {
  const hooks = new Map<string, MeanTargets['hooks'][number]>();
  const features = new Map<number, Set<number>>();
  const errors = new Set<number>();
  for (const { layer, hook, part } of cells) {
    if (!part) hooks.set(`${layer}.${hook}`, { layer, hook });
    else if (part.feature === 'error') errors.add(part.site);
    else features.set(part.site, (features.get(part.site) ?? new Set()).add(part.feature));
  }
  return {
    hooks: [...hooks.values()],
    features: [...features].map(([site, chosen]) => ({ site: sites[site]!, features: [...chosen] })),
    errors: [...errors].map((site) => sites[site]!),
  };
}
