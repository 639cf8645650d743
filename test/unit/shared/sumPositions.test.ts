/** Circuits by position as circuits over all positions. */

import { describe, expect, it } from 'vitest';
import type { CircuitGraph, CircuitNode } from '../../../src/shared/circuit.ts';
import { sumPositions } from '../../../src/shared/sumPositions.ts';
import { smallCircuit } from '../webview-ui/circuit/smallCircuit.ts';

function head(id: string, position: number, effect: number): CircuitNode {
  return { id, kind: 'head', layer: 0, head: 4, position, label: id, effect };
}

const graph: CircuitGraph = {
  ...smallCircuit,
  nodes: [
    head('a', 1, 2),
    head('b', 3, -0.5),
    { id: 'm', kind: 'mlp', layer: 1, position: 3, label: 'm', effect: 1 },
  ],
  edges: [
    { source: 'a', target: 'm', weight: 0.5 },
    { source: 'b', target: 'm', weight: 0.25 },
    { source: 'a', target: 'b', weight: 9 },
  ],
};

describe('a circuit summed over positions', () => {
  it('has each component once, under the id of its strongest node, with the sum of effects', () => {
    const { graph: summed, owners } = sumPositions(graph);
    expect(summed.isAggregated).toBe(true);
    expect(summed.nodes.map(({ id, effect }) => [id, effect])).toEqual([
      ['a', 1.5],
      ['m', 1],
    ]);
    expect(owners.get('b')).toBe('a');
  });

  it('has the sum of weights between two components, and none from one to itself', () => {
    expect(sumPositions(graph).graph.edges).toEqual([{ source: 'a', target: 'm', weight: 0.75 }]);
  });
});
