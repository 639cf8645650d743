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
  PromptPairs,
  SweepEstimate,
  SweepGrid,
} from '../shared/patchingApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import { describeTaskProblem } from '../shared/taskProblem.ts';
import type { LoadedModel } from './loadedModel.ts';
import { type AblationKind, ablateEach } from './method/ablation.ts';
import {
  metricTotals,
  normalizedValues,
  patchActivations,
  patchingPlan,
} from './method/activationPatching.ts';
import { featureGrid, featureSite } from './method/featureGrid.ts';
import { type CellGrid, sweepCells } from './method/patchCells.ts';
import type { SweepState } from './method/patchSweep.ts';
import { patchPaths } from './method/pathPatching.ts';
import type { FeatureSite } from './method/replacement.ts';
import { estimateSweep } from './method/sweepEstimate.ts';
import { seededRandom } from './random.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import { loadTask } from './task/loadTask.ts';
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
      resumeFrom: stateOf(request.known),
      update: (cells, now, totals) =>
        tell(call, cells, now, (state) => normalizedValues(state, totals), sizeOf(prepared)),
    },
    { signal: call.signal },
  );
  return gridOf(context, prepared, { clean, corrupted, state, values });
}

/** See `PatchingApi.estimateSweep`. */
export async function estimatePatching(
  context: PatchingContext,
  request: PatchSweepRequest,
  call: CallOptions,
): Promise<SweepEstimate> {
  const prepared = await prepare(context, request, call);
  const direction = request.direction ?? 'denoising';
  return estimateSweep(patchingPlan({ ...prepared, model: context.model.transformer, direction }), call);
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
      resumeFrom: stateOf(request.known),
      update: (cells, now, totals) =>
        tell(call, cells, now, (state) => changes(state, totals.clean), sizeOf(prepared)),
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
  const { nLayers, nHeads } = model.config;
  const { task, metric } = await readPairs(context.model, request.pairs, request.metric, call.signal);
  const heads = Array.from({ length: nLayers * nHeads }, (_, i) => ({
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
  }));
  const mlps = request.mlps ? Array.from({ length: nLayers }, (_, layer) => ({ layer })) : [];
  const senders = request.senders ?? [...heads, ...mlps];
  const labels = senders.map(({ layer, head }: { layer: number; head?: number }) =>
    head === undefined ? `mlp ${layer}` : `${layer}.${head}`,
  );
  const last =
    request.receivers.length === 0 && request.positions === undefined ? lastPositions(task) : undefined;
  const { clean, corrupted } = await metricTotals(model, task, metric, call);
  const { state, effects } = await patchPaths(
    {
      model,
      task,
      metric,
      senders,
      receivers: request.receivers,
      positions: request.positions ?? last,
      freezeMlps: request.freezeMlps,
      resumeFrom: stateOf(request.known),
      update: (cells, now) =>
        tell(call, cells, now, (state) => changes(state, clean), senders.length * task.pairs.length),
    },
    { signal: call.signal },
  );
  const grid = { axes: [{ name: 'sender', labels }], cells: [] };
  return gridOf(
    context,
    { task, metric, grid, sites: [], saes: [] },
    { clean, corrupted, state, values: effects },
  );
}

async function prepare(
  { model, openSae }: PatchingContext,
  { pairs, target, metric: asked }: Pick<PatchSweepRequest, 'pairs' | 'target' | 'metric'>,
  { signal }: CallOptions,
): Promise<Prepared> {
  const { task, metric } = await readPairs(model, pairs, asked, signal);
  if (target.kind === 'sweep') {
    return {
      task,
      metric,
      grid: sweepCells(target.name, model.transformer.config, task.pairs, target),
      sites: [],
      saes: [],
    };
  }
  const site = featureSite(model.transformer.config, await openSae(target.sae));
  const grid = await featureGrid(model.transformer, task, site, target, signal);
  return { task, metric, grid, sites: [site], saes: [target.sae] };
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

function stateOf(known: KnownCells | undefined): SweepState | undefined {
  return known && { values: known.raw, pairs: known.pairs };
}

/** (value − clean) / clean: −1 when nothing of the metric is left. */
function changes({ values }: SweepState, clean: number): Float32Array {
  return Float32Array.from(values, (value) => (value - clean) / clean);
}

function sizeOf({ grid, task }: Prepared): number {
  return grid.cells.length * task.pairs.length;
}

/** Hands over the cells that are new. */
function tell(
  { report }: CallOptions,
  cells: readonly number[],
  state: SweepState,
  valuesOf: (state: SweepState) => Float32Array,
  total: number,
): void {
  if (!report) return;
  const raw = cells.map((cell) => state.values[cell]!);
  const pairs = cells.map((cell) => state.pairs[cell]!);
  const values = [...valuesOf({ values: Float64Array.from(raw), pairs: Int32Array.from(pairs) })];
  const done = state.pairs.reduce((sum, count) => sum + count, 0);
  const progress: Progress = { done, total, what: 'Patching', partial: { cells, values, raw, pairs } };
  report(progress);
}

async function gridOf(
  { model, provenance }: PatchingContext,
  { task, metric, grid, saes }: Prepared,
  {
    clean,
    corrupted,
    state,
    values,
  }: { clean: number; corrupted: number; state: SweepState; values: Float32Array },
): Promise<SweepGrid> {
  const [only, another] = task.pairs;
  const texts = (ids: Int32Array) => Array.from(ids, (id) => model.tokenizer.tokenText(id));
  return {
    axes: grid.axes,
    values,
    raw: state.values,
    pairs: state.pairs,
    pairCount: task.pairs.length,
    metric,
    clean,
    corrupted,
    ...(only && !another && { tokens: { clean: texts(only.clean), corrupted: texts(only.corrupted) } }),
    provenance: await provenance(saes),
  };
}
