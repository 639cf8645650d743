/** The layout of circuits: order, room, determinism, and the view over it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitNode, CircuitNodeKind } from '../../../../src/shared/circuit.ts';
import { type LayoutOptions, layoutCircuit } from '../../../../webview-ui/marks/circuitLayout.ts';
import { fitView, revealPoint, stretchLayout, zoomView } from '../../../../webview-ui/marks/planeView.ts';
import { smallCircuit } from '../circuit/smallCircuit.ts';

const options: LayoutOptions = {
  nLayers: 2,
  slotOf: () => 22,
  align: 'middle',
  row: 26,
  perRow: 4,
  labelWidth: () => 40,
};

function place(nodes: readonly CircuitNode[] = smallCircuit.nodes): ReturnType<typeof layoutCircuit> {
  return layoutCircuit(nodes, smallCircuit.edges, options);
}

function at(id: string): { readonly x: number; readonly y: number } {
  const found = place().nodes.find(({ node }) => node.id === id);
  if (!found) throw new Error(`${id} is not placed`);
  return found;
}

describe('layoutCircuit', () => {
  it('places every node once, later layers higher', () => {
    expect(place().nodes).toHaveLength(smallCircuit.nodes.length);
    expect(at('y').y).toBeLessThan(at('m1').y);
    expect(at('h1').y).toBeLessThan(at('h0').y);
    expect(at('h0').y).toBeLessThan(at('t0').y);
  });

  it('lets every edge go up, also within a layer', () => {
    for (const { source, target } of smallCircuit.edges) {
      expect(at(target).y, `${source} → ${target}`).toBeLessThan(at(source).y);
    }
  });

  it('makes columns only for positions with nodes and counts the ones between', () => {
    expect(place().columns.map(({ position, skipped }) => [position, skipped])).toEqual([
      [0, 0],
      [3, 2],
    ]);
  });

  it('makes a band for every layer, and marks the empty ones', () => {
    const bands = place(smallCircuit.nodes.filter((node) => node.layer !== 0)).bands;
    expect(bands.map(({ layer, empty }) => [layer, empty])).toEqual([
      [2, false],
      [1, false],
      [0, true],
      [-1, false],
    ]);
  });

  it('breaks a full cell into lines of about one length', () => {
    const heads = Array.from({ length: 9 }, (_, head): CircuitNode => {
      return { id: `h${head}`, kind: 'head', layer: 0, position: 0, head, label: '', effect: 1 };
    });
    const layout = layoutCircuit(heads, [], options);
    const heights = [...new Set(layout.nodes.map(({ y }) => y))].sort((a, b) => b - a);
    const inLine = (height: number): number => layout.nodes.filter(({ y }) => y === height).length;
    expect(heights.map(inLine)).toEqual([3, 3, 3]);
  });

  it('lines marks up at the left of their column when they have names', () => {
    const layout = layoutCircuit(smallCircuit.nodes, smallCircuit.edges, {
      ...options,
      align: 'start',
      perRow: 1,
    });
    for (const column of layout.columns) {
      const inColumn = layout.nodes.filter(({ node }) => node.position === column.position);
      expect(new Set(inColumn.map(({ x }) => x)).size).toBe(1);
    }
  });

  it('is empty for no nodes, and ends on a cycle', () => {
    expect(layoutCircuit([], [], options).nodes).toEqual([]);
    const cycle = [
      { source: 'h1', target: 'h2', weight: 1 },
      { source: 'h2', target: 'h1', weight: 1 },
    ];
    expect(layoutCircuit(smallCircuit.nodes, cycle, options).nodes).toHaveLength(smallCircuit.nodes.length);
  });

  it('never lets two marks overlap, stays inside its size, and does not depend on the order of nodes', () => {
    const kinds: readonly CircuitNodeKind[] = ['head', 'mlp', 'feature', 'error', 'token', 'logit'];
    const anyNode = fc.record({
      kind: fc.constantFrom(...kinds),
      layer: fc.integer({ min: -1, max: 2 }),
      position: fc.integer({ min: 0, max: 30 }),
      head: fc.integer({ min: 0, max: 7 }),
      effect: fc.double({ min: -3, max: 3, noNaN: true }),
    });
    const anyNodes = fc.array(anyNode, { maxLength: 60 });
    fc.assert(
      fc.property(anyNodes, (drafts) => {
        const nodes = drafts.map((draft, i): CircuitNode => ({ ...draft, id: `n${i}`, label: '' }));
        const layout = layoutCircuit(nodes, [], options);
        layout.nodes.forEach((a, i) => {
          expect(a.x).toBeGreaterThanOrEqual(11);
          expect(a.x).toBeLessThanOrEqual(layout.width - 11);
          expect(a.y).toBeGreaterThanOrEqual(0);
          expect(a.y).toBeLessThanOrEqual(layout.height);
          for (const b of layout.nodes.slice(i + 1)) {
            expect(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y))).toBeGreaterThan(15.9);
          }
        });
        const reversed = layoutCircuit([...nodes].reverse(), [], options);
        const places = (l: typeof layout): unknown =>
          Object.fromEntries(l.nodes.map(({ node, x, y }) => [node.id, [x, y]]));
        expect(places(reversed)).toEqual(places(layout));
      }),
      { seed: 11, numRuns: 60 },
    );
  });
});

describe('the view', () => {
  it('shows all of a small graph in the middle, on the bottom', () => {
    const view = fitView({ width: 100, height: 100 }, { width: 400, height: 300 });
    expect(view.scale).toBeCloseTo(1.2);
    expect(view.x).toBeCloseTo((400 - 120) / 2);
    expect(view.y).toBeCloseTo(300 - 120);
  });

  it('shows the right end of a graph that is too wide', () => {
    const view = fitView({ width: 2000, height: 100 }, { width: 400, height: 300 });
    expect(view.x + 2000 * view.scale).toBeCloseTo(400);
  });

  it('keeps the point under the pointer in place while zooming', () => {
    const view = { x: 10, y: 20, scale: 1 };
    const zoomed = zoomView(view, 1.5, 110, 70);
    expect((110 - zoomed.x) / zoomed.scale).toBeCloseTo(100);
    expect((70 - zoomed.y) / zoomed.scale).toBeCloseTo(50);
    expect(zoomView(view, 1e9, 0, 0).scale).toBeLessThan(10);
    expect(zoomView(view, 1e-9, 0, 0).scale).toBeGreaterThan(0.1);
  });

  it('moves only as far as needed to show a point', () => {
    const view = { x: 0, y: 0, scale: 2 };
    const size = { width: 400, height: 300 };
    expect(revealPoint(view, { x: 100, y: 50 }, size, 20)).toEqual(view);
    expect(revealPoint(view, { x: 250, y: 5 }, size, 20)).toEqual({ x: -120, y: 10, scale: 2 });
  });

  it('spreads the bands of a low graph to fill a tall view, with the order kept', () => {
    const layout = place();
    const tall = stretchLayout(layout, { width: layout.width, height: layout.height * 1.5 });
    expect(tall.height).toBeCloseTo(layout.height * 1.5);
    const order = (l: typeof layout): unknown =>
      [...l.nodes].sort((a, b) => a.y - b.y).map(({ node }) => node.id);
    expect(order(tall)).toEqual(order(layout));
    expect(stretchLayout(layout, { width: 0, height: 0 })).toBe(layout);
  });
});
