/** The order of nodes side by side: fewer crossings than before, every node still there, the same every time. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitEdge } from '../../../../src/shared/circuit.ts';
import type { Mark } from '../../../../webview-ui/marks/circuitMark.ts';
import { orderGroups } from '../../../../webview-ui/marks/circuitOrder.ts';

const mark = (id: string): Mark => ({ id, kind: 'feature', layer: 0, position: 0, label: '', effect: 1 });
const row = (layer: number, count: number): Mark[] =>
  Array.from({ length: count }, (_, i) => mark(`${layer}.${i}`));

/** Crossings of edges between two rows, each weighted by the lighter of the two: counted pair by pair. */
function crossings(below: readonly Mark[], above: readonly Mark[], edges: readonly CircuitEdge[]): number {
  const from = new Map(below.map(({ id }, i) => [id, i]));
  const to = new Map(above.map(({ id }, i) => [id, i]));
  let count = 0;
  for (const one of edges) {
    for (const other of edges) {
      const left = from.get(one.source)! - from.get(other.source)!;
      const right = to.get(one.target)! - to.get(other.target)!;
      if (left < 0 && right > 0) count += Math.min(Math.abs(one.weight), Math.abs(other.weight));
    }
  }
  return count;
}

describe('orderGroups', () => {
  it('unties edges that need not cross', () => {
    const below = row(0, 5);
    const above = row(1, 5);
    const edges = [3, 0, 4, 1, 2].map((target, source) => ({
      source: `0.${source}`,
      target: `1.${target}`,
      weight: source % 2 ? 1 : -2,
    }));
    expect(crossings(below, above, edges)).toBeGreaterThan(0);
    const groups = [below, above].map((nodes) => ({ column: 0, nodes }));
    orderGroups(groups, edges);
    expect(crossings(below, above, edges)).toBe(0);
  });

  it('puts a node on the side of the column that it is joined to', () => {
    const middle = row(1, 3);
    const left = row(0, 1);
    const right = row(2, 1);
    const edges = [
      { source: '0.0', target: '1.2', weight: 1 },
      { source: '1.0', target: '2.0', weight: 1 },
    ];
    const groups = [
      { column: 0, nodes: left },
      { column: 1, nodes: middle },
      { column: 2, nodes: right },
    ];
    orderGroups(groups, edges);
    expect(middle.map(({ id }) => id)).toEqual(['1.2', '1.1', '1.0']);
  });

  it('keeps all nodes, leaves those without edges in order, and answers the same again', () => {
    const edge = fc.record({
      from: fc.nat(6),
      to: fc.nat(6),
      weight: fc.double({ min: -2, max: 2, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 20 }), (list) => {
        const run = (): readonly string[][] => {
          const groups = [0, 1].map((layer) => ({ column: layer, nodes: row(layer, 7) }));
          const edges = list.map(({ from, to, weight }) => ({
            source: `0.${from}`,
            target: `1.${to}`,
            weight,
          }));
          orderGroups(groups, edges);
          return groups.map(({ nodes }) => nodes.map(({ id }) => id));
        };
        const order = run();
        expect(order.map((ids) => [...ids].sort())).toEqual([0, 1].map((l) => row(l, 7).map(({ id }) => id)));
        expect(run()).toEqual(order);
      }),
      { numRuns: 60 },
    );
    const alone = row(0, 4);
    orderGroups([{ column: 0, nodes: alone }], []);
    expect(alone.map(({ id }) => id)).toEqual(['0.0', '0.1', '0.2', '0.3']);
  });
});
