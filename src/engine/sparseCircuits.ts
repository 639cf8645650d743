/** What the engine answers about sparse feature circuits: requests read, methods run, circuits handed back. */
import type { CallOptions } from '../shared/callOptions.ts';
import type { CircuitGraph } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type {
  EffectComparison,
  NodeEffectMethod,
  SparseCircuit,
  SparseCircuitRequest,
  SparseCurveRequest,
  SparseEvaluation,
  SparseNodesRequest,
} from '../shared/sparseCircuitApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import { tokensOf } from './attribution.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import { type MetricTotals, metricTotals } from './method/activationPatching.ts';
import { compareEffects } from './method/sparse/compareEffects.ts';
import type { EffectTable, SparseNode } from './method/sparse/effectTable.ts';
import { KeptRuns } from './method/sparse/keptRuns.ts';
import { type EffectRequest, gradientRuns, nodeEffects } from './method/sparse/nodeEffects.ts';
import { type ErrorTreatment, maskOf } from './method/sparse/nodeMask.ts';
import { EdgeSums, type SparseEdge } from './method/sparse/sparseEdges.ts';
import type { MaskEvaluation, SparseEvaluator } from './method/sparse/sparseEvaluation.ts';
import { graphOf } from './method/sparse/sparseGraph.ts';
import { featureSites, neuronSites, type SparseSite, streamHook } from './method/sparse/sparseSites.ts';
import { splitPairs } from './method/sparse/splitPairs.ts';
import type { Transformer } from './model/transformer.ts';
import { type PatchingContext, readPairs } from './patching.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';
import type { SparseEvaluators } from './sparseEvaluators.ts';
import type { TokenTask } from './task/task.ts';

/** What a request is read with. */
export interface SparseContext extends PatchingContext {
  readonly saes: LoadedSaes;
  readonly evaluators: SparseEvaluators;
}

/**
 * What is taken where a request leaves it out. Thresholds are shares of what the metric changes from clean to corrupted
 * prompts, so that one serves all metrics; on the embedded model circuits of a fifth of the active nodes come out faithful.
 */
export const sparseDefaults = { nodeShare: 0.002, edgeShare: 0.002, steps: 10 } as const;

/** More nodes than edges can be computed among, or anybody can look at. */
const mostNodes = 2000;

/** Thresholds of a curve: 10⁻⁴ to 1, evenly on a logarithmic scale (Marks et al. 2024). */
const usualThresholds: readonly number[] = Array.from({ length: 15 }, (_, i) => 10 ** (-4 + (4 * i) / 14));

/** A request in tokens, with its SAEs open. */
interface Prepared {
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly sites: readonly SparseSite[];
  readonly saes: readonly SparseAutoencoder[];
}

/** See `SparseCircuitApi.findSparseCircuit`. */
export async function findSparseCircuit(
  context: SparseContext,
  request: SparseCircuitRequest,
  call: CallOptions,
): Promise<SparseCircuit> {
  requireThreshold(request.nodeThreshold);
  requireThreshold(request.edgeThreshold);
  const prepared = await prepare(context, request, call);
  const { train } = splitPairs(prepared.task.pairs);
  const { transformer } = context.model;
  const ends = await metricTotals(transformer, { ...prepared.task, pairs: train }, prepared.metric, call);
  const span = Math.abs(ends.clean - ends.corrupted);
  const nodeThreshold = request.nodeThreshold ?? sparseDefaults.nodeShare * span;
  const edgeThreshold = request.edgeThreshold ?? sparseDefaults.edgeShare * span;
  const effects = effectRequest(request, prepared, train);
  const runs = new KeptRuns();
  const table = await nodeEffects(transformer, effects, call, (run) => runs.keep(run));
  const nodes = table.nodes(nodeThreshold);
  requireFew(nodes);
  const edges =
    request.edges === false
      ? []
      : await findEdges(transformer, { effects, nodes, edgeThreshold, runs }, call);
  const evaluator = await openEvaluator(context, prepared, call);
  const [found] = await evaluator.evaluate([maskOf(table.sites, table.places, nodes)], 'circuit', call);
  const parameters = {
    ...parametersOf(request, prepared, train.length),
    nodeThreshold,
    ...(request.edges !== false && { edgeThreshold }),
  };
  return {
    circuit: await describe(context, request, { prepared, ends, table, nodes, edges, parameters }),
    pairCount: train.length,
    evaluation: evaluationOf(nodeThreshold, nodes.length, table, found!),
  };
}

/** See `SparseCircuitApi.sparseCircuitCurve`. */
export async function sparseCircuitCurve(
  context: SparseContext,
  request: SparseCurveRequest,
  call: CallOptions,
): Promise<readonly SparseEvaluation[]> {
  const thresholds = request.thresholds ?? usualThresholds;
  for (const threshold of thresholds) requireThreshold(threshold);
  const prepared = await prepare(context, request, call);
  const { train } = splitPairs(prepared.task.pairs);
  const table = await nodeEffects(context.model.transformer, effectRequest(request, prepared, train), call);
  const evaluator = await openEvaluator(context, prepared, call);
  const circuits = thresholds.map((threshold) => table.nodes(threshold));
  const found = await testCircuits(evaluator, table, circuits, request.errors ?? 'circuit', call);
  return thresholds.map((threshold, i) => evaluationOf(threshold, circuits[i]!.length, table, found[i]!));
}

/** See `SparseCircuitApi.compareNodeEffects`. */
export async function compareNodeEffects(
  context: SparseContext,
  request: Omit<SparseNodesRequest, 'method'> & { readonly methods: readonly NodeEffectMethod[] },
  call: CallOptions,
): Promise<readonly EffectComparison[]> {
  const prepared = await prepare(context, request, call);
  const { transformer: model } = context.model;
  const effectsBy = (method: NodeEffectMethod): Promise<EffectTable> =>
    nodeEffects(model, effectRequest({ ...request, method }, prepared, prepared.task.pairs), call);
  const exact = await effectsBy('exact');
  const comparisons: EffectComparison[] = [];
  for (const method of request.methods) {
    const estimated = method === 'exact' ? exact : await effectsBy(method);
    comparisons.push(compareEffects(method, estimated, exact));
  }
  return comparisons;
}

function openEvaluator(
  { evaluators, model }: SparseContext,
  prepared: Prepared,
  call: CallOptions,
): Promise<SparseEvaluator> {
  return evaluators.of(model, { ...prepared, pairs: prepared.task.pairs }, call);
}

async function testCircuits(
  evaluator: SparseEvaluator,
  table: EffectTable,
  circuits: readonly (readonly SparseNode[])[],
  errors: ErrorTreatment,
  call: CallOptions,
): Promise<MaskEvaluation[]> {
  const masks = circuits.map((nodes) => maskOf(table.sites, table.places, nodes, errors));
  return evaluator.evaluate(masks, errors, call);
}

interface EdgeSearch {
  readonly effects: EffectRequest;
  readonly nodes: readonly SparseNode[];
  readonly edgeThreshold: number;
  readonly runs: KeptRuns;
}

/** Edges among the nodes, by the gradients that the nodes' effects come from. */
async function findEdges(
  model: Transformer,
  { effects, nodes, edgeThreshold, runs }: EdgeSearch,
  call: CallOptions,
): Promise<SparseEdge[]> {
  const { sites, pairs, aggregation } = effects;
  const byPosition = aggregation === 'position';
  const sums = new EdgeSums(model, { sites, nodes, pairs: pairs.length, byPosition });
  for await (const run of runs.all(() => gradientRuns(model, effects, call))) await sums.add(run, call);
  return sums.edges(edgeThreshold);
}

/** The request's pairs, metric, SAEs and sites. @throws as `readPairs` and `LoadedSaes.forCircuit`; request.invalid */
async function prepare(
  context: SparseContext,
  request: Pick<SparseNodesRequest, 'pairs' | 'metric' | 'saes' | 'basis'>,
  call: CallOptions,
): Promise<Prepared> {
  const { model, saes } = context;
  const { task, metric } = await readPairs(model, request.pairs, request.metric, call.signal);
  const open = await saes.forCircuit(request.saes, model.info);
  const { config } = model.transformer;
  return {
    task,
    metric,
    sites:
      request.basis === 'features' ? featureSites(config, open) : neuronSites(config, open.map(streamHook)),
    saes: open.map(({ sae }) => sae),
  };
}

function effectRequest(
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

interface Described {
  readonly prepared: Prepared;
  readonly ends: MetricTotals;
  readonly table: EffectTable;
  readonly nodes: readonly SparseNode[];
  readonly edges: readonly SparseEdge[];
  readonly parameters: CircuitGraph['method']['parameters'];
}

async function describe(
  context: SparseContext,
  { pairs, saes, aggregation }: SparseCircuitRequest,
  { prepared, ends, table, nodes, edges, parameters }: Described,
): Promise<CircuitGraph> {
  const { model } = context;
  const { task, metric } = prepared;
  const tokens = tokensOf(model, task);
  const { clean, corrupted } = ends;
  const { nLayers } = model.info;
  return {
    version: 1,
    prompt: tokens.map(({ text }) => text).join(''),
    ...(pairs.kind === 'pair' && { counterfactual: pairs.corrupted }),
    tokens,
    nLayers,
    method: { name: sparseMethod, parameters },
    metric: { name: metric, clean, baseline: corrupted },
    pairs,
    taskMetric: metric,
    ...(aggregation === 'sum' && { isAggregated: true as const }),
    ...graphOf(table, nodes, edges, {
      tokens,
      nLayers,
      metric: { name: metric, clean },
      labelOf: (feature) => context.saes.labelOf(feature),
    }),
    provenance: await context.provenance(saes),
  };
}

/** How circuits of this file call their method. */
export const sparseMethod = 'sparse feature circuit';

/** What the circuit was made with; `sites` are the hooks that have features or neurons. */
function parametersOf(
  { basis, method, steps = sparseDefaults.steps, aggregation }: SparseCircuitRequest,
  { sites, task }: Prepared,
  train: number,
): Record<string, string | number | boolean> {
  return {
    basis,
    effects: method,
    ...(method === 'ig' && { steps }),
    aggregation,
    sites: sites.flatMap(({ hook, dictionary }) => (dictionary.width > 0 ? [hook] : [])).join(','),
    pairs: train,
    heldOut: train === task.pairs.length ? 0 : task.pairs.length - train,
  };
}

function evaluationOf(
  threshold: number,
  nodes: number,
  table: EffectTable,
  { faithfulness, completeness }: MaskEvaluation,
): SparseEvaluation {
  return { threshold, nodes, active: table.nodes().length, faithfulness, completeness };
}

function requireThreshold(threshold: number | undefined): void {
  if (threshold === undefined || (Number.isFinite(threshold) && threshold >= 0)) return;
  const reason = 'a threshold is a number of at least 0, in units of the metric';
  throw new EngineError('request.invalid', { what: `The threshold ${threshold}`, reason });
}

function requireFew(nodes: readonly SparseNode[]): void {
  if (nodes.length <= mostNodes) return;
  const reason = `a circuit has at most ${mostNodes}; raise the threshold`;
  throw new EngineError('request.invalid', { what: `A circuit of ${nodes.length} nodes`, reason });
}
