/** A circuit whose nodes stand at positions as one whose nodes stand for all of them, to be held against such a one. */

import type { CircuitEdge, CircuitGraph, CircuitNode } from './circuit.ts';
import { componentOf } from './circuitDifference.ts';

/** The summed circuit, and by each node's id that of the node which stands for it. */
export interface SummedCircuit {
  readonly graph: CircuitGraph;
  readonly owners: ReadonlyMap<string, string>;
}

/** One node for each component, known by the id of its strongest: effects and weights add up over positions. */
export function sumPositions(graph: CircuitGraph): SummedCircuit {
  const groups = new Map<string, CircuitNode[]>();
  for (const node of graph.nodes) {
    const key = componentOf(node, graph);
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  const owners = new Map<string, string>();
  const nodes = [...groups.values()].map((group) => {
    const strongest = group.reduce((most, node) =>
      Math.abs(node.effect) > Math.abs(most.effect) ? node : most,
    );
    for (const { id } of group) owners.set(id, strongest.id);
    return { ...strongest, effect: group.reduce((sum, { effect }) => sum + effect, 0) };
  });
  return {
    graph: { ...graph, isAggregated: true, nodes, edges: sumEdges(graph.edges, owners) },
    owners,
  };
}

function sumEdges(
  edges: readonly CircuitEdge[],
  owners: ReadonlyMap<string, string>,
): readonly CircuitEdge[] {
  const sums = new Map<string, CircuitEdge>();
  for (const edge of edges) {
    const source = owners.get(edge.source);
    const target = owners.get(edge.target);
    if (source === undefined || target === undefined || source === target) continue;
    const key = `${source}→${target}`;
    sums.set(key, { source, target, weight: (sums.get(key)?.weight ?? 0) + edge.weight });
  }
  return [...sums.values()];
}
