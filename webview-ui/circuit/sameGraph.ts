/** Whether two graphs are drawn the same. Each answer of the host is a new copy; drawing follows content, not identity. Pure. */

import type { CircuitGraph, CircuitNode } from '../../src/shared/circuit.ts';
import type { NamedCircuit } from '../../src/shared/circuitViewApi.ts';

/** True when nothing that is drawn or said differs. */
export function sameGraph(a: CircuitGraph | undefined, b: CircuitGraph | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  return (
    a.nodes.length === b.nodes.length &&
    a.edges.length === b.edges.length &&
    a.tokens.length === b.tokens.length &&
    a.prompt === b.prompt &&
    a.nLayers === b.nLayers &&
    a.isAggregated === b.isAggregated &&
    a.method.name === b.method.name &&
    a.metric.name === b.metric.name &&
    a.metric.clean === b.metric.clean &&
    a.nodes.every((node, i) => sameNode(node, b.nodes[i]!)) &&
    a.edges.every((edge, i) => {
      const other = b.edges[i]!;
      return edge.source === other.source && edge.target === other.target && edge.weight === other.weight;
    })
  );
}

function sameNode(a: CircuitNode, b: CircuitNode): boolean {
  return (
    a.id === b.id &&
    a.effect === b.effect &&
    a.label === b.label &&
    a.layer === b.layer &&
    a.position === b.position &&
    a.kind === b.kind &&
    a.activation === b.activation &&
    a.influence === b.influence
  );
}

/** True when two circuits beside this one are shown the same. */
export function sameOther(a: NamedCircuit | undefined, b: NamedCircuit | undefined): boolean {
  return (
    a?.title === b?.title && sameContent(a?.annotations, b?.annotations) && sameGraph(a?.graph, b?.graph)
  );
}

/** True when two plain values say the same. */
export function sameContent(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
