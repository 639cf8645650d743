/** What a circuit that nobody has touched begins with. */

import type { CircuitAnnotations, CircuitDocument, CircuitNode } from './circuit.ts';
import { isComponent } from './keepNodes.ts';

/** Nodes that can be read in a panel beside the editor; of a circuit with more, the strongest are kept first. */
export const mostReadable = 60;

/** The document's own annotations, or none with the slider at the strongest nodes. */
export function firstAnnotations({ annotations, nodes }: CircuitDocument): CircuitAnnotations {
  return annotations ?? { keep: firstKeep(nodes), pinned: [], labels: {}, supernodes: [] };
}

/** The share of the nodes that is shown first: all of them when they can be read. */
export function firstKeep(nodes: readonly Pick<CircuitNode, 'kind'>[]): number {
  const components = nodes.filter(isComponent).length;
  return components <= mostReadable ? 1 : mostReadable / components;
}
