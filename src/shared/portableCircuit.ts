/** A circuit as it is written to files: without paths of the machine it was made on. */

import type { CircuitGraph, SaeId } from './domain.ts';

/**
 * The graph with every SAE named by its hook instead of its folder; provenance tells hooks' hashes. SAEs that
 * `hookOf` does not know keep the last part of their path.
 */
export function portableCircuit(
  graph: CircuitGraph,
  hookOf: (sae: SaeId) => string | undefined,
): CircuitGraph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.feature
        ? {
            ...node,
            feature: { ...node.feature, sae: hookOf(node.feature.sae) ?? lastPart(node.feature.sae) },
          }
        : node,
    ),
  };
}

function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
