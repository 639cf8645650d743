/**
 * Influence over the edges that an attribution graph has (Ameisen et al. 2025; circuit-tracer's `compute_influence`): every
 * node's inputs are made shares, and what reaches the logits over all paths is summed.
 */

import type { CircuitGraph } from './circuit.ts';

type Graph = Pick<CircuitGraph, 'nodes' | 'edges'>;

/** What enters a node, as absolute values. */
export interface NodeInputs {
  /** Of all edges, and of what is missing. */
  total: number;
  /** Dropped by pruning; undefined where nothing tells. */
  readonly missing: number | undefined;
  readonly edges: { readonly source: string; readonly weight: number }[];
}

/** The inputs of every node, by its id; edges from or to nodes that the graph does not have are left out. */
export function inputsByTarget({ nodes, edges }: Graph): ReadonlyMap<string, NodeInputs> {
  const inputs = new Map<string, NodeInputs>(
    nodes.map(({ id, missing }) => [id, { total: missing ?? 0, missing, edges: [] }]),
  );
  for (const { source, target, weight } of edges) {
    const into = inputs.get(target);
    if (!into || !inputs.has(source)) continue;
    into.total += Math.abs(weight);
    into.edges.push({ source, weight: Math.abs(weight) });
  }
  return inputs;
}

/** Ids in an order in which every target comes before what it has inputs from; undefined when edges run in a circle. */
export function targetsFirst(inputs: ReadonlyMap<string, NodeInputs>): readonly string[] | undefined {
  const waiting = new Map([...inputs.keys()].map((id) => [id, 0]));
  for (const { edges } of inputs.values())
    for (const { source } of edges) waiting.set(source, waiting.get(source)! + 1);
  const order = [...waiting].filter(([, targets]) => targets === 0).map(([id]) => id);
  for (let at = 0; at < order.length; at++) {
    for (const { source } of inputs.get(order[at]!)!.edges) {
      const left = waiting.get(source)! - 1;
      waiting.set(source, left);
      if (left === 0) order.push(source);
    }
  }
  return order.length === waiting.size ? order : undefined;
}

/** Each source's share of what enters a node. */
export function inputShares({ total, edges }: NodeInputs): (readonly [source: string, share: number])[] {
  return total === 0 ? [] : edges.map(({ source, weight }) => [source, weight / total] as const);
}

/** The logits' probabilities by their ids; equal weights where a file does not tell them. */
export function logitWeights({ nodes }: Pick<Graph, 'nodes'>): ReadonlyMap<string, number> {
  const logits = nodes.filter(({ kind }) => kind === 'logit');
  const isTold = logits.some(({ probability = 0 }) => probability > 0);
  return new Map(logits.map(({ id, probability = 0 }) => [id, isTold ? probability : 1 / logits.length]));
}

/** Influence of every node on the logits, by id; undefined when edges run in a circle. */
export function influenceOnLogits(graph: Graph): ReadonlyMap<string, number> | undefined {
  const inputs = inputsByTarget(graph);
  const order = targetsFirst(inputs);
  if (!order) return undefined;
  const start = logitWeights(graph);
  const influence = new Map<string, number>(order.map((id) => [id, 0]));
  for (const id of order) {
    const reaching = influence.get(id)! + (start.get(id) ?? 0);
    for (const [source, share] of inputShares(inputs.get(id)!))
      influence.set(source, influence.get(source)! + reaching * share);
  }
  return influence;
}
