/** What the engine answers about patching, ablation and path patching: methods run, grids handed back. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { Progress } from '../shared/domain.ts';
import type {
  AblateSweepRequest,
  PatchSweepRequest,
  PathPatchRequest,
  PlannedSweep,
  SweepGrid,
  SweepOutline,
  SweepRequest,
} from '../shared/patchingApi.ts';
import { type AblationKind, ablateEach, ablationPlan } from './method/ablation.ts';
import {
  type MetricTotals,
  metricTotals,
  normalizedValues,
  patchActivations,
  patchingPlan,
} from './method/activationPatching.ts';
import type { InterventionCount, SweepState } from './method/patchSweep.ts';
import { estimatePaths } from './method/pathEstimate.ts';
import { patchPaths } from './method/pathPatching.ts';
import { fewestPrompts } from './method/referenceMeans.ts';
import { estimateSweep } from './method/sweepEstimate.ts';
import {
  kindOf,
  type PatchingContext,
  type PreparedSweep,
  preparePaths,
  prepareSweep,
  stateOf,
} from './patchingRequest.ts';
import type { TokenTask } from './task/task.ts';

/** See `PatchingApi.patchSweep`. */
export async function patchSweep(
  context: PatchingContext,
  request: PatchSweepRequest,
  call: CallOptions,
): Promise<SweepGrid> {
  const prepared = await prepareSweep(context, request, call);
  const describe = await describer(context, prepared);
  const tell = teller(call, 'Patching', prepared.hash, describe);
  const { clean, corrupted, state, values } = await patchActivations(
    {
      ...prepared,
      model: context.model.transformer,
      direction: request.direction ?? 'denoising',
      resumeFrom: stateOf(request.known, prepared),
      update: (cells, now, totals, runs) =>
        tell(cells, now, totals, runs, (state) => normalizedValues(state, totals)),
    },
    { signal: call.signal },
  );
  return gridOf(describe({ clean, corrupted }), state, values);
}

/** See `PatchingApi.estimateSweep`. */
export async function estimatePatching(
  context: PatchingContext,
  request: SweepRequest,
  call: CallOptions,
): Promise<PlannedSweep> {
  const { transformer: model } = context.model;
  if ('receivers' in request) {
    const paths = await preparePaths(context, request, call);
    const estimate = await estimatePaths({ ...request, ...paths, model }, call);
    return { ...estimate, outline: await outlineOf(context, paths, call) };
  }
  const prepared = await prepareSweep(context, request, call);
  const inputs = { ...prepared, model };
  const kind = 'ablation' in request ? kindOf(request.ablation) : undefined;
  const direction = 'direction' in request ? request.direction : undefined;
  const plan = kind
    ? await ablationPlan({ ...inputs, kind }, call)
    : patchingPlan({ ...inputs, direction: direction ?? 'denoising' });
  return { ...(await estimateSweep(plan, call)), outline: await outlineOf(context, prepared, call, kind) };
}

/** See `PatchingApi.ablateSweep`. */
export async function ablateSweep(
  context: PatchingContext,
  request: AblateSweepRequest,
  call: CallOptions,
): Promise<SweepGrid> {
  const prepared = await prepareSweep(context, request, call);
  const kind = kindOf(request.ablation);
  const describe = await describer(context, prepared, kind);
  const tell = teller(call, 'Ablating', prepared.hash, describe);
  const { clean, corrupted, state } = await ablateEach(
    {
      ...prepared,
      model: context.model.transformer,
      kind,
      resumeFrom: stateOf(request.known, prepared),
      update: (cells, now, totals, runs) =>
        tell(cells, now, totals, runs, (state) => changes(state, totals.clean)),
    },
    { signal: call.signal },
  );
  return gridOf(describe({ clean, corrupted }), state, changes(state, clean));
}

/** See `PatchingApi.pathPatch`. */
export async function pathPatch(
  context: PatchingContext,
  request: PathPatchRequest,
  call: CallOptions,
): Promise<SweepGrid> {
  const { transformer: model } = context.model;
  const prepared = await preparePaths(context, request, call);
  const { task, metric, senders, positions } = prepared;
  const totals = await metricTotals(model, task, metric, call);
  const outline = (await describer(context, prepared))(totals);
  const tell = teller(call, 'Patching paths', prepared.hash, () => outline);
  const { state, effects } = await patchPaths(
    {
      model,
      task,
      metric,
      senders,
      receivers: request.receivers,
      positions,
      freezeMlps: request.freezeMlps,
      resumeFrom: stateOf(request.known, prepared),
      update: (cells, now, runs) => tell(cells, now, totals, runs, (state) => changes(state, totals.clean)),
    },
    { signal: call.signal },
  );
  return gridOf(outline, state, effects);
}

/** (value − clean) / clean: −1 when nothing of the metric is left. */
function changes({ values }: SweepState, clean: number): Float32Array {
  return Float32Array.from(values, (value) => (value - clean) / clean);
}

type Describe = (totals: MetricTotals) => SweepOutline;

/** Hands over the cells that are new, the first ones with the grid that they belong to. */
function teller({ report }: CallOptions, what: string, hash: string, describe: Describe) {
  let isFirst = true;
  return (
    cells: readonly number[],
    state: SweepState,
    totals: MetricTotals,
    runs: InterventionCount,
    valuesOf: (state: SweepState) => Float32Array,
  ): void => {
    if (!report) return;
    const raw = cells.map((cell) => state.values[cell]!);
    const pairs = cells.map((cell) => state.pairs[cell]!);
    const values = [...valuesOf({ values: Float64Array.from(raw), pairs: Int32Array.from(pairs) })];
    const outline = isFirst ? { outline: describe(totals) } : {};
    isFirst = false;
    const partial = { cells, values, raw, pairs, pairsHash: hash, ...outline };
    const progress: Progress = { ...runs, what, partial };
    report(progress);
  };
}

function gridOf(outline: SweepOutline, { values: raw, pairs }: SweepState, values: Float32Array): SweepGrid {
  return { ...outline, values, raw, pairs };
}

/** The grid before any cell is known. */
async function outlineOf(
  context: PatchingContext,
  prepared: PreparedSweep,
  call: CallOptions,
  kind?: AblationKind,
): Promise<SweepOutline> {
  const { task, metric } = prepared;
  const totals = await metricTotals(context.model.transformer, task, metric, call);
  return (await describer(context, prepared, kind))(totals);
}

/** What describes the grid once the metric at both ends is known. */
async function describer(
  { model, provenance }: PatchingContext,
  { task, metric, grid, saes, hash }: PreparedSweep,
  kind?: AblationKind,
): Promise<Describe> {
  const [only, another] = task.pairs;
  const texts = (ids: Int32Array) => Array.from(ids, (id) => model.tokenizer.tokenText(id));
  const common = another && commonPlaces(task, (id) => model.tokenizer.tokenText(id));
  const referencePrompts = kind && promptsOf(task, kind);
  const from = await provenance(saes);
  return (totals) => ({
    axes: grid.axes,
    pairCount: task.pairs.length,
    metric,
    pairsHash: hash,
    clean: totals.clean,
    corrupted: totals.corrupted,
    ...(only && !another && { tokens: { clean: texts(only.clean), corrupted: texts(only.corrupted) } }),
    ...(common && { common }),
    ...(referencePrompts !== undefined && { referencePrompts }),
    provenance: from,
  });
}

/** See `SweepOutline.referencePrompts`. */
function promptsOf({ pairs }: TokenTask, kind: AblationKind): number | undefined {
  if (kind.kind === 'zero') return undefined;
  return fewestPrompts(pairs, kind.kind === 'mean' ? kind.over : 'position');
}

/** What all clean prompts of one length have at each position; undefined when they differ in length. */
function commonPlaces(
  { pairs }: TokenTask,
  textOf: (id: number) => string,
): SweepOutline['common'] | undefined {
  const [first] = pairs;
  const length = first?.clean.length ?? 0;
  if (!first || pairs.some(({ clean }) => clean.length !== length)) return undefined;
  const positions = Array.from({ length }, (_, position) => position);
  const roleAt = (position: number): string | undefined =>
    Object.keys(first.roles).find((role) => pairs.every(({ roles }) => roles[role] === position));
  const tokenAt = (position: number): string =>
    pairs.every(({ clean }) => clean[position] === first.clean[position])
      ? textOf(first.clean[position]!)
      : '';
  return { tokens: positions.map(tokenAt), roles: positions.map((position) => roleAt(position) ?? '') };
}
