/** Hands back sparse feature circuits: as the panel and files have them, and what their test found. */
import type { CircuitGraph } from '../shared/circuit.ts';
import type { ErrorTreatment, SparseCircuitRequest, SparseEvaluation } from '../shared/sparseCircuitApi.ts';
import { tokensOf } from './attribution.ts';
import type { MetricTotals } from './method/activationPatching.ts';
import type { EffectTable, SparseNode } from './method/sparse/effectTable.ts';
import { isError } from './method/sparse/nodeMask.ts';
import type { SparseEdge } from './method/sparse/sparseEdges.ts';
import type { MaskEvaluation, SparseEvaluator } from './method/sparse/sparseEvaluation.ts';
import { graphOf } from './method/sparse/sparseGraph.ts';
import { isFree } from './method/sparse/sparseSites.ts';
import { type Prepared, type SparseReading, sparseDefaults } from './sparseRequest.ts';
import { pairsHash } from './task/pairsHash.ts';

/** How circuits of features call their method. */
export const sparseMethod = 'sparse feature circuit';

export interface Described {
  readonly prepared: Prepared;
  readonly ends: MetricTotals;
  readonly table: EffectTable;
  readonly nodes: readonly SparseNode[];
  /** Absent when only nodes were asked for. */
  readonly edges: readonly SparseEdge[] | undefined;
  readonly parameters: CircuitGraph['method']['parameters'];
}

/** The circuit with its labels and where it comes from. */
export async function describe(
  context: SparseReading,
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

/**
 * What the circuit was made with; `sites` are the hooks that have features or neurons, nodes below `startLayer` and embeddings
 * are never ablated when it is tested, `errors` is what becomes of SAEs' errors there, and `pairsHash` tells whether the task is still the one that it was found on.
 */
export function parametersOf(
  { basis, method, steps = sparseDefaults.steps, aggregation, errors = 'circuit' }: SparseCircuitRequest,
  { sites, task, metric, startLayer }: Prepared,
  train: number,
): Record<string, string | number | boolean> {
  return {
    basis,
    effects: method,
    ...(method === 'ig' && { steps }),
    aggregation,
    sites: sites.flatMap(({ hook, dictionary }) => (dictionary.width > 0 ? [hook] : [])).join(','),
    pairs: train,
    heldOut: task.pairs.length - train,
    startLayer,
    errors,
    pairsHash: pairsHash(task, metric),
  };
}

export interface Tested {
  readonly prepared: Prepared;
  readonly table: EffectTable;
  readonly evaluator: SparseEvaluator;
  /** What the metric changes between the prompts that nodes were found on. */
  readonly span: number;
  readonly errors: ErrorTreatment;
}

/** Nodes that are never ablated say nothing about a circuit, and are not counted. */
export function evaluationOf(
  { prepared: { sites, startLayer }, table, evaluator, span, errors }: Tested,
  threshold: number,
  nodes: readonly SparseNode[],
  { faithfulness, completeness }: MaskEvaluation,
): SparseEvaluation {
  const count = (some: readonly SparseNode[]): number =>
    some.filter(
      (node) => !isFree(sites[node.site]!, startLayer) && !(errors === 'remove' && isError(sites, node)),
    ).length;
  return {
    threshold,
    ...(span > 0 && { share: threshold / span }),
    nodes: count(nodes),
    active: count(table.nodes()),
    faithfulness,
    completeness,
    startLayer,
    pairs: evaluator.pairs,
    reference: evaluator.leastReference,
  };
}
