/** What of a circuit is drawn, and where: the layout of the kept nodes with sizes that suit their number. Pure. */

import type { CircuitEdge, CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';
import { formatToken } from '../../src/shared/format.ts';
import { type CircuitLayout, layoutCircuit, markSize } from '../marks/circuitLayout.ts';
import { keepEdges } from './keepNodes.ts';
import { shortName } from './nodeName.ts';

/** Up to this many nodes each mark has its name beside it. */
const mostNamed = 44;

/** Characters of a name beside a mark. */
const nameLength = 11;

/** Edges drawn when no node is looked at; a node under the pointer shows all of its own. */
const mostEdges = 220;

/** True when there is room for names beside the marks. */
export function showsNames(kept: { readonly size: number }): boolean {
  return kept.size <= mostNamed;
}

/** The kept nodes in their places; names take room of their own. */
export function layoutKept(
  graph: CircuitGraph,
  kept: ReadonlySet<string>,
  named = showsNames(kept),
): CircuitLayout {
  const nodes = graph.nodes.filter((node) => kept.has(node.id));
  const edges = graph.edges.filter(({ source, target }) => kept.has(source) && kept.has(target));
  return layoutCircuit(nodes, edges, {
    nLayers: graph.nLayers,
    slotOf: named ? namedSlot : () => markSize,
    align: named ? 'start' : 'middle',
    row: named ? 28 : 26,
    perRow: named ? 2 : 8,
    labelWidth: (position) => {
      const length = [...formatToken(graph.tokens[position]?.text ?? '')].length;
      return Math.min(84, Math.max(30, length * 8 + 8));
    },
  });
}

/** The name beside a mark; tokens are named by the axis under them. */
export function nameBeside(node: CircuitNode): string | undefined {
  return node.kind === 'token' ? undefined : shortName(node, nameLength);
}

/** A mark and its name, in a font whose characters are about 6 pixels wide. */
function namedSlot(node: CircuitNode): number {
  const name = nameBeside(node);
  return name === undefined ? markSize : markSize + 14 + [...name].length * 6;
}

/** The edges that are drawn, heaviest first. */
export function drawnEdges(graph: CircuitGraph, kept: ReadonlySet<string>): readonly CircuitEdge[] {
  return keepEdges(graph, kept, mostEdges);
}
