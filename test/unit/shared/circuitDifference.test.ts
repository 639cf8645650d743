/** Two circuits held against each other. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitGraph, CircuitNode } from '../../../src/shared/circuit.ts';
import {
  type Change,
  changeThreshold,
  compareCircuits,
  componentKeys,
  isChanged,
} from '../../../src/shared/circuitDifference.ts';
import { smallCircuit } from '../webview-ui/circuit/smallCircuit.ts';

/** The same circuit with other ids, and what `change` makes of its nodes. */
function other(change: (node: CircuitNode) => CircuitNode | undefined = (node) => node): CircuitGraph {
  const nodes = smallCircuit.nodes.map(change).filter((node) => node !== undefined);
  const ids = new Set(nodes.map(({ id }) => id));
  return {
    ...smallCircuit,
    nodes: nodes.map((node) => ({ ...node, id: `other-${node.id}` })),
    edges: smallCircuit.edges
      .filter(({ source, target }) => ids.has(source) && ids.has(target))
      .map((edge) => ({ ...edge, source: `other-${edge.source}`, target: `other-${edge.target}` })),
  };
}

function changesOf(before: CircuitGraph, after: CircuitGraph): Readonly<Record<string, Change>> {
  const { nodes } = compareCircuits({ graph: before }, { graph: after });
  return Object.fromEntries(nodes.map((node) => [(node.before ?? node.after)!.id, node.change]));
}

describe('compareCircuits', () => {
  it('finds nothing between a circuit and itself under other ids', () => {
    const { nodes, edges } = compareCircuits({ graph: smallCircuit }, { graph: other() });
    expect(nodes.every(({ change }) => change === 'same')).toBe(true);
    expect(edges.every(({ change }) => change === 'same')).toBe(true);
    expect([nodes.length, edges.length]).toEqual([smallCircuit.nodes.length, smallCircuit.edges.length]);
  });

  it('tells what was removed, added and changed', () => {
    const after = other((node) => {
      if (node.id === 'h2') return undefined;
      return node.id === 'm1' ? { ...node, effect: -1 } : node;
    });
    expect(changesOf(smallCircuit, after)).toMatchObject({ h2: 'removed', m1: 'changed', h1: 'same' });
    expect(changesOf(after, smallCircuit)).toMatchObject({ h2: 'added', 'other-m1': 'changed' });
  });

  it('tells the same of edges, with their weights', () => {
    const after = other((node) => (node.id === 'h0' ? undefined : node));
    const edges = compareCircuits({ graph: smallCircuit }, { graph: after }).edges;
    const removed = edges.filter(({ change }) => change === 'removed');
    expect(removed.map(({ before }) => before).sort()).toEqual([-0.6, 0.4]);
    const halved = { ...other(), edges: other().edges.map((edge) => ({ ...edge, weight: edge.weight / 2 })) };
    const changed = compareCircuits({ graph: smallCircuit }, { graph: halved }).edges;
    expect(
      changed.every(({ change, before, after: now }) => change === 'changed' && now === before! / 2),
    ).toBe(true);
  });

  it('takes only the nodes that are kept', () => {
    const kept = new Set(['h1', 'y']);
    const { nodes, edges } = compareCircuits({ graph: smallCircuit, kept }, { graph: other() });
    expect(
      nodes
        .filter(({ before }) => before)
        .map(({ before }) => before?.id)
        .sort(),
    ).toEqual(['h1', 'y']);
    expect(nodes.filter(({ change }) => change === 'added')).toHaveLength(smallCircuit.nodes.length - 2);
    expect(edges.filter(({ before }) => before !== undefined)).toHaveLength(1);
  });

  it('matches by role where positions have one', () => {
    const shifted = other((node) => ({ ...node, position: node.position + 2 }));
    expect(Object.values(changesOf(smallCircuit, shifted))).toContain('removed');
    const roles = (from: number): ReadonlyMap<number, string> =>
      new Map([
        [from, 'IO'],
        [from + 3, 'END'],
      ]);
    const { nodes } = compareCircuits(
      { graph: smallCircuit, roles: roles(0) },
      { graph: shifted, roles: roles(2) },
    );
    expect(nodes.every(({ change }) => change === 'same')).toBe(true);
  });

  it('does not look at positions where nodes stand for all of them', () => {
    const aggregated = { ...smallCircuit, isAggregated: true as const };
    const moved = { ...other((node) => ({ ...node, position: 1 })), isAggregated: true as const };
    expect(new Set(Object.values(changesOf(aggregated, moved)))).toEqual(new Set(['same']));
  });
});

describe('componentKeys', () => {
  it('tell every node of a circuit apart, also those that are described alike', () => {
    const twice = {
      ...smallCircuit,
      nodes: [...smallCircuit.nodes, { ...smallCircuit.nodes[2]!, id: 'again' }],
    };
    const keys = [...componentKeys(twice).values()];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('tell features of one layer apart by hook', () => {
    const at = (id: string, hook: string): CircuitNode => ({
      ...smallCircuit.nodes.find((node) => node.kind === 'feature')!,
      id,
      hook,
    });
    const graph = {
      ...smallCircuit,
      nodes: [at('a', 'blocks.1.hook_attn_out'), at('b', 'blocks.1.hook_mlp_out')],
    };
    const keys = componentKeys(graph);
    expect(keys.get('a')).not.toBe(keys.get('b'));
    expect([...keys.values()].some((key) => key.includes('#'))).toBe(false);
  });
});

describe('isChanged', () => {
  it('asks for a move that is large against the value and against the circuit', () => {
    expect(isChanged(1, 1.3, 1)).toBe(true);
    expect(isChanged(1, 1.2, 1)).toBe(false);
    expect(isChanged(0.001, 0.01, 1)).toBe(false);
    expect(isChanged(0.5, -0.5, 1)).toBe(true);
  });

  it('does not depend on units or direction', () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(value, value, fc.constantFrom(0.25, 2, 1024), (a, b, unit) => {
        expect(isChanged(a, b, 10)).toBe(isChanged(b, a, 10));
        expect(isChanged(a, b, 10)).toBe(isChanged(unit * a, unit * b, unit * 10));
      }),
      { seed: 4 },
    );
    expect(changeThreshold.relative).toBeGreaterThan(changeThreshold.absolute);
  });
});

it('whatever two circuits have in common, every node and edge of either is told of once', () => {
  const some = fc.subarray(smallCircuit.nodes.map(({ id }) => id));
  fc.assert(
    fc.property(some, some, (first, second) => {
      const before = new Set(first);
      const after = new Set(second.map((id) => `other-${id}`));
      const { nodes, edges } = compareCircuits(
        { graph: smallCircuit, kept: before },
        { graph: other(), kept: after },
      );
      const union = new Set([...first, ...second]);
      const both = first.filter((id) => second.includes(id));
      expect(nodes).toHaveLength(union.size);
      expect(nodes.filter(({ change }) => change === 'same')).toHaveLength(both.length);
      expect(nodes.filter(({ change }) => change === 'removed')).toHaveLength(first.length - both.length);
      expect(nodes.filter(({ change }) => change === 'added')).toHaveLength(second.length - both.length);
      const inside = (ids: readonly string[]): number =>
        smallCircuit.edges.filter(({ source, target }) => ids.includes(source) && ids.includes(target))
          .length;
      expect(edges.filter((edge) => edge.before !== undefined)).toHaveLength(inside(first));
      expect(edges.filter((edge) => edge.after !== undefined)).toHaveLength(inside(second));
    }),
    { seed: 23, numRuns: 100 },
  );
});
