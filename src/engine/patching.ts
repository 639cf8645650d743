/** What the engine answers about patching, ablation and path patching: requests read, methods run, grids handed back. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { Progress, Provenance } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type {
  AblateSweepRequest,
  Ablation,
  KnownCells,
  PatchSweepRequest,
  PathPatchRequest,
  PathSender,
  PlannedSweep,
  PromptPairs,
  SweepGrid,
  SweepOutline,
  SweepRequest,
} from '../shared/patchingApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import { describeTaskProblem } from '../shared/taskProblem.ts';
import type { LoadedModel } from './loadedModel.ts';
import { type AblationKind, ablateEach, ablationPlan } from './method/ablation.ts';
import {
  type MetricTotals,
  metricTotals,
  normalizedValues,
  patchActivations,
  patchingPlan,
} from './method/activationPatching.ts';
import { featureGrid, featureSite } from './method/featureGrid.ts';
import { type CellGrid, sweepCells } from './method/patchCells.ts';
import type { SweepState } from './method/patchSweep.ts';
import { estimatePaths } from './method/pathEstimate.ts';
import { patchPaths } from './method/pathPatching.ts';
import type { FeatureSite } from './method/replacement.ts';
import { estimateSweep } from './method/sweepEstimate.ts';
import { seededRandom } from './random.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import { loadTask } from './task/loadTask.ts';
import { pairsHash } from './task/pairsHash.ts';
import type { TokenTask } from './task/task.ts';
import { tokenizePair } from './task/tokenizeTask.ts';

/** What a request is read with. */
export interface PatchingContext {
  readonly model: LoadedModel;
  openSae(id: string): Promise<SparseAutoencoder>;
  provenance(saes: readonly string[]): Promise<Provenance>;
}

interface Prepared {
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly grid: CellGrid;
  readonly sites: readonly FeatureSite[];
  /** Ids of the SAEs at the sites. */
  readonly saes: readonly string[];
  /** See `SweepOutline.pairsHash`. */
  readonly hash: string;
}

/** See `PatchingApi.patchSweep`. */
export async function patchSweep(
  context: PatchingContext,
  request: PatchSweepRequest,
  call: CallOptions,
): Promise<SweepGrid> {
  const prepared = await prepare(context, request, call);
  const { clean, corrupted, state, values } = await patchActivations(
    {
      ...prepared,
      model: context.model.transformer,
      direction: request.direction ?? 'denoising',
      resumeFrom: stateOf(request.known, prepared),
      update: (cells, now, totals) =>
        tell(call, cells, now, (state) => normalizedValues(state, totals), prepared),
    },
    { signal: call.signal },
  );
  return gridOf(context, prepared, { clean, corrupted, state, values });
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
  const prepared = await prepare(context, request, call);
  const inputs = { ...prepared, model };
  const plan =
    'ablation' in request
      ? await ablationPlan({ ...inputs, kind: kindOf(request.ablation) }, call)
      : patchingPlan({ ...inputs, direction: request.direction ?? 'denoising' });
  return { ...(await estimateSweep(plan, call)), outline: await outlineOf(context, prepared, call) };
}

/** See `PatchingApi.ablateSweep`. */
export async function ablateSweep(
  context: PatchingContext,
  request: AblateSweepRequest,
  call: CallOptions,
): Promise<SweepGrid> {
  const prepared = await prepare(context, request, call);
  const { clean, corrupted, state } = await ablateEach(
    {
      ...prepared,
      model: context.model.transformer,
      kind: kindOf(request.ablation),
      resumeFrom: stateOf(request.known, prepared),
      update: (cells, now, totals) =>
        tell(call, cells, now, (state) => changes(state, totals.clean), prepared),
    },
    { signal: call.signal },
  );
  return gridOf(context, prepared, { clean, corrupted, state, values: changes(state, clean) });
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
  const { clean, corrupted } = await metricTotals(model, task, metric, call);
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
      update: (cells, now) =>
        tell(call, cells, now, (state) => changes(state, clean), {
          ...prepared,
          size: senders.length,
        }),
    },
    { signal: call.signal },
  );
  return gridOf(context, prepared, { clean, corrupted, state, values: effects });
}

/** Senders, and where paths begin and end, as the request means them. */
async function preparePaths(
  { model }: PatchingContext,
  request: PathPatchRequest,
  call: CallOptions,
): Promise<
  Prepared & { readonly senders: readonly PathSender[]; readonly positions: PathPatchRequest['positions'] }
> {
  const { nLayers, nHeads } = model.transformer.config;
  const { task, metric } = await readPairs(model, request.pairs, request.metric, call.signal);
  const heads = Array.from({ length: nLayers * nHeads }, (_, i) => ({
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
  }));
  const mlps = request.mlps ? Array.from({ length: nLayers }, (_, layer) => ({ layer })) : [];
  const senders = request.senders ?? [...heads, ...mlps];
  const labels = senders.map(({ layer, head }: PathSender) =>
    head === undefined ? `mlp ${layer}` : `${layer}.${head}`,
  );
  const last =
    request.receivers.length === 0 && request.positions === undefined ? lastPositions(task) : undefined;
  const grid = { axes: [{ name: 'sender', labels }], cells: [] };
  const hash = pairsHash(task, metric);
  return { task, metric, hash, grid, sites: [], saes: [], senders, positions: request.positions ?? last };
}

async function prepare(
  { model, openSae }: PatchingContext,
  { pairs, target, metric: asked }: Pick<PatchSweepRequest, 'pairs' | 'target' | 'metric'>,
  { signal }: CallOptions,
): Promise<Prepared> {
  const { task, metric } = await readPairs(model, pairs, asked, signal);
  const hash = pairsHash(task, metric);
  if (target.kind === 'sweep') {
    return {
      task,
      metric,
      hash,
      grid: sweepCells(target.name, model.transformer.config, task.pairs, target),
      sites: [],
      saes: [],
    };
  }
  const site = featureSite(model.transformer.config, await openSae(target.sae));
  const grid = await featureGrid(model.transformer, task, site, target, signal);
  return { task, metric, hash, grid, sites: [site], saes: [target.sae] };
}

/** The pairs in the model's tokens. @throws request.invalid when the pair or the task cannot be run. */
export async function readPairs(
  model: LoadedModel,
  pairs: PromptPairs,
  metric: TaskMetric | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly task: TokenTask; readonly metric: TaskMetric }> {
  if (pairs.kind === 'task') {
    const loaded = await loadTask(pairs.task, model, signal);
    const task = { ...loaded.task, pairs: loaded.task.pairs.slice(0, pairs.limit) };
    return { task, metric: metric ?? loaded.metric };
  }
  const { clean, corrupted, answers, wrongAnswers } = pairs;
  const line = { line: 1, clean, corrupted, answers, wrongAnswers, roles: {}, template: '' };
  const { pair, problems } = tokenizePair(line, model);
  if (pair) return { task: { name: clean, pairs: [pair] }, metric: metric ?? 'logitDifference' };
  const problem = problems.find(({ severity }) => severity === 'error') ?? problems[0]!;
  const reason = describeTaskProblem(problem).replace(/\.$/, '');
  throw new EngineError('request.invalid', { what: 'The pair of prompts', reason });
}

/** The last position, when all pairs have the same; the role END where they do not. */
function lastPositions({ pairs }: TokenTask): readonly (number | string)[] {
  const [first] = pairs;
  const last = (first?.clean.length ?? 1) - 1;
  return pairs.every(({ clean }) => clean.length === last + 1) ? [last] : ['END'];
}

function kindOf(ablation: Ablation): AblationKind {
  return ablation.kind === 'resample' ? { ...ablation, random: seededRandom(ablation.seed) } : ablation;
}

/** What to go on from. @throws request.invalid when it is known of other pairs. */
function stateOf(known: KnownCells | undefined, { hash }: Prepared): SweepState | undefined {
  if (!known) return undefined;
  if (known.pairsHash !== undefined && known.pairsHash !== hash) {
    throw new EngineError('request.invalid', {
      what: 'What is known of the sweep',
      reason: 'its prompts or answers have changed since; start the sweep anew',
    });
  }
  return { values: known.raw, pairs: known.pairs };
}

/** (value − clean) / clean: −1 when nothing of the metric is left. */
function changes({ values }: SweepState, clean: number): Float32Array {
  return Float32Array.from(values, (value) => (value - clean) / clean);
}

/** Hands over the cells that are new. */
function tell(
  { report }: CallOptions,
  cells: readonly number[],
  state: SweepState,
  valuesOf: (state: SweepState) => Float32Array,
  { task, grid, hash, size = grid.cells.length }: Prepared & { readonly size?: number },
): void {
  if (!report) return;
  const total = size * task.pairs.length;
  const raw = cells.map((cell) => state.values[cell]!);
  const pairs = cells.map((cell) => state.pairs[cell]!);
  const values = [...valuesOf({ values: Float64Array.from(raw), pairs: Int32Array.from(pairs) })];
  const done = state.pairs.reduce((sum, count) => sum + count, 0);
  const progress: Progress = {
    done,
    total,
    what: 'Patching',
    partial: { cells, values, raw, pairs, pairsHash: hash },
  };
  report(progress);
}

async function gridOf(
  context: PatchingContext,
  prepared: Prepared,
  {
    clean,
    corrupted,
    state,
    values,
  }: { clean: number; corrupted: number; state: SweepState; values: Float32Array },
): Promise<SweepGrid> {
  const outline = await describeGrid(context, prepared, { clean, corrupted });
  return { ...outline, values, raw: state.values, pairs: state.pairs };
}

/** The grid before any cell is known. */
async function outlineOf(
  context: PatchingContext,
  prepared: Prepared,
  call: CallOptions,
): Promise<SweepOutline> {
  const { task, metric } = prepared;
  const totals = await metricTotals(context.model.transformer, task, metric, call);
  return describeGrid(context, prepared, totals);
}

async function describeGrid(
  { model, provenance }: PatchingContext,
  { task, metric, grid, saes, hash }: Prepared,
  totals: MetricTotals,
): Promise<SweepOutline> {
  const [only, another] = task.pairs;
  const texts = (ids: Int32Array) => Array.from(ids, (id) => model.tokenizer.tokenText(id));
  const common = another && commonPlaces(task, (id) => model.tokenizer.tokenText(id));
  return {
    axes: grid.axes,
    pairCount: task.pairs.length,
    metric,
    pairsHash: hash,
    clean: totals.clean,
    corrupted: totals.corrupted,
    ...(only && !another && { tokens: { clean: texts(only.clean), corrupted: texts(only.corrupted) } }),
    ...(common && { common }),
    provenance: await provenance(saes),
  };
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
