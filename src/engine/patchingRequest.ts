/** Requests about patching, ablation and path patching, read: pairs in tokens, the cells of the grid, what is known. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { Provenance } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type {
  Ablation,
  KnownCells,
  PatchSweepRequest,
  PathPatchRequest,
  PathSender,
} from '../shared/patchingApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { AblationKind } from './method/ablation.ts';
import { featureGrid, featureSite } from './method/featureGrid.ts';
import { type CellGrid, sweepCells } from './method/patchCells.ts';
import type { SweepState } from './method/patchSweep.ts';
import type { FeatureSite } from './method/replacement.ts';
import { seededRandom } from './random.ts';
import { readPairs } from './readPairs.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import { pairsHash } from './task/pairsHash.ts';
import type { TokenTask } from './task/task.ts';

/** What a request is read with. */
export interface PatchingContext {
  readonly model: LoadedModel;
  openSae(id: string): Promise<SparseAutoencoder>;
  provenance(saes: readonly string[]): Promise<Provenance>;
}

/** A sweep whose request has been read. */
export interface PreparedSweep {
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly grid: CellGrid;
  readonly sites: readonly FeatureSite[];
  /** Ids of the SAEs at the sites. */
  readonly saes: readonly string[];
  /** See `SweepOutline.pairsHash`. */
  readonly hash: string;
}

/** Path patching whose request has been read. */
export interface PreparedPaths extends PreparedSweep {
  readonly senders: readonly PathSender[];
  readonly positions: PathPatchRequest['positions'];
}

/** Senders, and where paths begin and end, as the request means them. */
export async function preparePaths(
  { model }: PatchingContext,
  request: PathPatchRequest,
  call: CallOptions,
): Promise<PreparedPaths> {
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

/** Pairs, metric and cells as the request means them. @throws request.invalid; cancelled */
export async function prepareSweep(
  { model, openSae }: PatchingContext,
  { pairs, target, metric: asked }: Pick<PatchSweepRequest, 'pairs' | 'target' | 'metric'>,
  { signal }: CallOptions,
): Promise<PreparedSweep> {
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

/** The last position, when all pairs have the same; the role END where they do not. */
function lastPositions({ pairs }: TokenTask): readonly (number | string)[] {
  const [first] = pairs;
  const last = (first?.clean.length ?? 1) - 1;
  return pairs.every(({ clean }) => clean.length === last + 1) ? [last] : ['END'];
}

/** The kind of ablation, with its random numbers where it draws some. */
export function kindOf(ablation: Ablation): AblationKind {
  return ablation.kind === 'resample' ? { ...ablation, random: seededRandom(ablation.seed) } : ablation;
}

/** What to go on from. @throws request.invalid when it is known of other pairs. */
export function stateOf(known: KnownCells | undefined, { hash }: PreparedSweep): SweepState | undefined {
  if (!known) return undefined;
  if (known.pairsHash !== undefined && known.pairsHash !== hash) {
    throw new EngineError('request.invalid', {
      what: 'What is known of the sweep',
      reason: 'its prompts or answers have changed since; start the sweep anew',
    });
  }
  return { values: known.raw, pairs: known.pairs };
}
