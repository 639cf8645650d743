/** Reads what is asked about sparse feature circuits: pairs in tokens, SAEs open, thresholds and layers checked. */
import type { CallOptions } from '../shared/callOptions.ts';
import { EngineError } from '../shared/errors.ts';
import type { SparseCircuitRequest, SparseNodesRequest } from '../shared/sparseCircuitApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import type { EffectRequest } from './method/sparse/nodeEffects.ts';
import {
  featureSites,
  neuronSites,
  type SparseSite,
  streamHook,
  usualStartLayer,
} from './method/sparse/sparseSites.ts';
import type { PatchingContext } from './patchingRequest.ts';
import { readPairs } from './readPairs.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import { isDifferentiable } from './task/metric.ts';
import type { TokenTask } from './task/task.ts';

/** What a request is read with. */
export interface SparseReading extends PatchingContext {
  readonly saes: LoadedSaes;
}

/**
 * What is taken where a request leaves it out. Thresholds are shares of what the metric changes from clean to corrupted
 * prompts, so that one serves all metrics; circuits of the embedded model come out faithful with less than a quarter of the active nodes.
 */
export const sparseDefaults = { nodeShare: 0.0025, edgeShare: 0.0025, steps: 10 } as const;

/** A request in tokens, with its SAEs open. */
export interface Prepared {
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly sites: readonly SparseSite[];
  readonly saes: readonly SparseAutoencoder[];
  /** Where tests of circuits begin. */
  readonly startLayer: number;
}

/** The request's pairs, metric, SAEs and sites. @throws as `readPairs` and `LoadedSaes.forCircuit`; request.invalid */
export async function prepare(
  context: SparseReading,
  request: Pick<SparseCircuitRequest, 'pairs' | 'metric' | 'saes' | 'basis' | 'startLayer'>,
  call: CallOptions,
): Promise<Prepared> {
  const { model, saes } = context;
  const { task, metric } = await readPairs(model, request.pairs, request.metric, call.signal);
  const open = await saes.forCircuit(request.saes, model.info);
  if (request.basis === 'features' && open.length === 0) {
    const reason =
      'there is no SAE to take them from; name SAEs (--sae), or take neurons as nodes (--basis neurons)';
    throw new EngineError('request.invalid', { what: 'A circuit of features', reason });
  }
  const { config } = model.transformer;
  const { startLayer = usualStartLayer(config) } = request;
  requireLayer(startLayer, config.nLayers);
  return {
    task,
    metric,
    sites:
      request.basis === 'features' ? featureSites(config, open) : neuronSites(config, open.map(streamHook)),
    saes: open.map(({ sae }) => sae),
    startLayer,
  };
}

/** What effects of nodes are asked for, on some of the pairs. */
export function effectRequest(
  {
    method,
    steps = sparseDefaults.steps,
    aggregation,
  }: Pick<SparseNodesRequest, 'method' | 'steps' | 'aggregation'>,
  { sites, metric }: Prepared,
  pairs: TokenTask['pairs'],
): EffectRequest {
  return { sites, pairs, metric, method, steps, aggregation };
}

/**
 * Edges are read along the metric's gradient on the clean prompts, also those between nodes of exact effects.
 * @throws request.invalid where there is none
 */
export function requireEdgeGradient({ method, edges }: SparseCircuitRequest, metric: TaskMetric): void {
  if (method !== 'exact' || edges === false) return;
  if (isDifferentiable(metric) && metric !== 'kl') return;
  const why = metric === 'kl' ? 'its gradient is zero on the clean prompt' : 'it has no gradient';
  throw new EngineError('request.invalid', {
    what: `Edges under the metric ${metric}`,
    reason: `${why}; leave edges out (--no-edges), or use the logit difference`,
  });
}

function requireLayer(startLayer: number, nLayers: number): void {
  if (Number.isInteger(startLayer) && startLayer >= 0 && startLayer < nLayers) return;
  const reason = `tests of circuits begin at a layer from 0 to ${nLayers - 1}`;
  throw new EngineError('request.invalid', { what: `The start layer ${startLayer}`, reason });
}

/** @throws request.invalid for what is no number of at least 0 */
export function requireThreshold(threshold: number | undefined): void {
  if (threshold === undefined || (Number.isFinite(threshold) && threshold >= 0)) return;
  const reason = 'a threshold is a number of at least 0, in units of the metric';
  throw new EngineError('request.invalid', { what: `The threshold ${threshold}`, reason });
}
