/** What the engine answers about sparse feature circuits: requests read, methods run, circuits handed back. */
import type { CallOptions } from '../shared/callOptions.ts';
import { EngineError } from '../shared/errors.ts';
import type { SearchEstimate } from '../shared/searchEstimate.ts';
import type {
  EffectComparison,
  NodeEffectMethod,
  SparseCircuit,
  SparseCircuitRequest,
  SparseCurveRequest,
  SparseEvaluation,
  SparseNodesRequest,
} from '../shared/sparseCircuitApi.ts';
import type { CircuitRuns } from './circuitRuns.ts';
import { type MetricTotals, metricTotals } from './method/activationPatching.ts';
import { compareEffects } from './method/sparse/compareEffects.ts';
import type { EffectTable, SparseNode } from './method/sparse/effectTable.ts';
import { KeptRuns } from './method/sparse/keptRuns.ts';
import { type EffectRequest, gradientRuns, nodeEffects } from './method/sparse/nodeEffects.ts';
import { allFeatures, maskOf } from './method/sparse/nodeMask.ts';
import { EdgeSums, type SparseEdge } from './method/sparse/sparseEdges.ts';
import { estimateSearch } from './method/sparse/sparseEstimate.ts';
import type { SparseEvaluator } from './method/sparse/sparseEvaluation.ts';
import { splitPairs } from './method/sparse/splitPairs.ts';
import type { Transformer } from './model/transformer.ts';
import type { SparseEvaluators } from './sparseEvaluators.ts';
import { describe, evaluationOf, parametersOf, type Tested } from './sparseReport.ts';
import {
  effectRequest,
  type Prepared,
  prepare,
  requireEdgeGradient,
  requireThreshold,
  type SparseReading,
  sparseDefaults,
} from './sparseRequest.ts';

/** What requests are answered with. */
export interface SparseContext extends SparseReading {
  readonly evaluators: SparseEvaluators;
  readonly circuitRuns: CircuitRuns;
}

/** More nodes than edges can be computed among, or anybody can look at. */
const mostNodes = 2000;

/** Thresholds of a curve as shares of what the metric changes: 10⁻⁴ to 10⁻¹, evenly on a logarithmic scale. */
const usualShares: readonly number[] = Array.from({ length: 15 }, (_, i) => 10 ** (-4 + (3 * i) / 14));

/** See `SparseCircuitApi.findSparseCircuit`. */
export async function findSparseCircuit(
  context: SparseContext,
  request: SparseCircuitRequest,
  call: CallOptions,
): Promise<SparseCircuit> {
  requireThreshold(request.nodeThreshold);
  requireThreshold(request.edgeThreshold);
  const prepared = await prepare(context, request, call);
  requireEdgeGradient(request, prepared.metric);
  const { train } = splitPairs(prepared.task.pairs);
  const { transformer } = context.model;
  const ends = await metricTotals(transformer, { ...prepared.task, pairs: train }, prepared.metric, call);
  const span = spanOf(ends);
  const nodeThreshold = request.nodeThreshold ?? sparseDefaults.nodeShare * span;
  const edgeThreshold = request.edgeThreshold ?? sparseDefaults.edgeShare * span;
  const effects = effectRequest(request, prepared, train);
  const runs = new KeptRuns();
  const table = await nodeEffects(transformer, effects, call, (run) => runs.keep(run));
  const nodes = table.nodes(nodeThreshold);
  requireFew(nodes);
  const edges =
    request.edges === false
      ? undefined
      : await findEdges(transformer, { effects, nodes, edgeThreshold, runs }, call);
  const evaluator = await openEvaluator(context, prepared, call);
  const tested = { prepared, table, evaluator, span, errors: request.errors ?? 'circuit' };
  const [evaluation] = await testCircuits(tested, [{ threshold: nodeThreshold, nodes }], call);
  const parameters = {
    ...parametersOf(request, prepared, train.length),
    nodeThreshold,
    ...(request.edges !== false && { edgeThreshold }),
    // Nodes that tests may ablate: those of the circuit, and all of them.
    testedNodes: evaluation!.nodes,
    activeNodes: evaluation!.active,
  };
  return {
    circuit: await describe(context, request, { prepared, ends, table, nodes, edges, parameters }),
    pairCount: train.length,
    evaluation: evaluation!,
  };
}

/** See `SparseCircuitApi.estimateSparseCircuit`. */
export async function estimateSparseCircuit(
  context: SparseContext,
  request: SparseCircuitRequest,
  call: CallOptions,
): Promise<SearchEstimate> {
  requireThreshold(request.nodeThreshold);
  const prepared = await prepare(context, request, call);
  requireEdgeGradient(request, prepared.metric);
  const { pairs } = prepared.task;
  const { train, test } = splitPairs(pairs);
  const counts = { all: pairs.length, tested: test.length };
  const { nodeThreshold, edges } = request;
  const share = sparseDefaults.nodeShare;
  const search = { effects: effectRequest(request, prepared, train), counts, nodeThreshold, share, edges };
  return estimateSearch(context.model.transformer, search, call);
}

/** See `SparseCircuitApi.sparseCircuitCurve`. */
export async function sparseCircuitCurve(
  context: SparseContext,
  request: SparseCurveRequest,
  call: CallOptions,
): Promise<readonly SparseEvaluation[]> {
  for (const threshold of request.thresholds ?? []) requireThreshold(threshold);
  const prepared = await prepare(context, request, call);
  const { train } = splitPairs(prepared.task.pairs);
  const { transformer } = context.model;
  const ends = await metricTotals(transformer, { ...prepared.task, pairs: train }, prepared.metric, call);
  const span = spanOf(ends);
  const thresholds = request.thresholds ?? usualShares.map((share) => share * span);
  const table = await nodeEffects(transformer, effectRequest(request, prepared, train), call);
  const evaluator = await openEvaluator(context, prepared, call);
  const circuits = thresholds.map((threshold) => ({ threshold, nodes: table.nodes(threshold) }));
  const tested = { prepared, table, evaluator, span, errors: request.errors ?? 'circuit' };
  return testCircuits(tested, circuits, call);
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

/** Tests circuits side by side; where errors are taken away, all features too. */
async function testCircuits(
  tested: Tested,
  circuits: readonly { readonly threshold: number; readonly nodes: readonly SparseNode[] }[],
  call: CallOptions,
): Promise<SparseEvaluation[]> {
  const { table, evaluator, errors } = tested;
  const { sites, places } = table;
  const masks = circuits.map(({ nodes }) => maskOf(sites, places, nodes, errors));
  const all = errors === 'remove' ? [allFeatures(sites)] : [];
  const found = await evaluator.evaluate([...masks, ...all], errors, call);
  const ceiling = found[masks.length]?.faithfulness;
  return circuits.map(({ threshold, nodes }, i) => ({
    ...evaluationOf(tested, threshold, nodes, found[i]!),
    ...(ceiling !== undefined && { ceiling }),
  }));
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

function requireFew(nodes: readonly SparseNode[]): void {
  if (nodes.length <= mostNodes) return;
  const reason = `a circuit has at most ${mostNodes}; raise the threshold`;
  throw new EngineError('request.invalid', { what: `A circuit of ${nodes.length} nodes`, reason });
}

function spanOf({ clean, corrupted }: MetricTotals): number {
  return Math.abs(clean - corrupted);
}
