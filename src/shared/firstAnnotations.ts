/** What a circuit that nobody has touched begins with. */

import type { CircuitAnnotations, CircuitDocument, CircuitNode } from './circuit.ts';

/** Nodes that are kept until the reader moves the slider: of more, the names do not fit into a panel beside the editor. */
const firstNodes = 16;

/** The document's own annotations, or none with the slider at the strongest nodes. */
export function firstAnnotations({ annotations, nodes }: CircuitDocument): CircuitAnnotations {
  return annotations ?? { keep: firstKeep(nodes), pinned: [], labels: {}, supernodes: [] };
}

/** The share of the nodes that is shown first, in hundredths like the slider. */
export function firstKeep(nodes: readonly Pick<CircuitNode, 'kind'>[]): number {
  const components = nodes.filter(({ kind }) => kind !== 'token' && kind !== 'logit').length;
  return components <= firstNodes ? 1 : Math.floor((100 * firstNodes) / components) / 100;
}
