/** What is drawn of a circuit: closed and open groups, their edges, the list's rows, and what a search finds. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitAnnotations } from '../../../../src/shared/circuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import { drawMarks, groupOfMark, markOfGroup } from '../../../../webview-ui/circuit/circuitMarks.ts';
import { layoutDrawing, siteColumn } from '../../../../webview-ui/circuit/drawnCircuit.ts';
import { listRows, rowId } from '../../../../webview-ui/circuit/listRows.ts';
import { searchNodes } from '../../../../webview-ui/circuit/searchNodes.ts';
import { smallCircuit } from './smallCircuit.ts';

const all = new Set(smallCircuit.nodes.map(({ id }) => id));
const none: ReadonlySet<string> = new Set();

function grouped(nodes: readonly string[], rest: Partial<CircuitAnnotations> = {}): CircuitAnnotations {
  return { ...emptyAnnotations(), supernodes: [{ id: 'group-1', label: 'movers', nodes }], ...rest };
}

describe('drawMarks', () => {
  it('puts one mark in the place of a closed group, with the sum of its effects', () => {
    const { marks } = drawMarks(smallCircuit, grouped(['h1', 'm1']), all, none);
    const group = marks.find(({ members }) => members);
    expect(group).toMatchObject({
      id: markOfGroup('group-1'),
      label: 'movers',
      effect: 3,
      layer: 1,
      position: 3,
    });
    expect(marks).toHaveLength(smallCircuit.nodes.length - 1);
    expect(groupOfMark(group?.id)).toBe('group-1');
    expect(groupOfMark('h1')).toBeUndefined();
  });

  it('adds up the edges of its members and leaves out those between them', () => {
    const { edges } = drawMarks(smallCircuit, grouped(['h1', 'm1']), all, none);
    const group = markOfGroup('group-1');
    expect(edges.find(({ source, target }) => source === group && target === 'y')?.weight).toBeCloseTo(1.7);
    expect(edges.some(({ source, target }) => source === group && target === group)).toBe(false);
    expect(edges).toHaveLength(smallCircuit.edges.length - 2);
  });

  it('shows the members of an open group, and says in which group they are', () => {
    const { marks, edges } = drawMarks(smallCircuit, grouped(['h1', 'm1']), all, new Set(['group-1']));
    expect(marks.find(({ id }) => id === 'h1')?.groupLabel).toBe('movers');
    expect(edges).toHaveLength(smallCircuit.edges.length);
  });

  it('leaves out what is not shown, also of a group', () => {
    const { marks } = drawMarks(smallCircuit, grouped(['h1', 'm1']), new Set(['h1', 'y']), none);
    expect(marks.map(({ id }) => id).sort()).toEqual([markOfGroup('group-1'), 'y'].sort());
    expect(marks.find(({ members }) => members)?.members?.map(({ id }) => id)).toEqual(['h1']);
  });

  it('gives nodes the names that were given to them', () => {
    const annotations = { ...emptyAnnotations(), labels: { h1: 'name mover' } };
    const { marks } = drawMarks(smallCircuit, annotations, all, none);
    expect(marks.find(({ id }) => id === 'h1')?.given).toBe('name mover');
    expect(marks.find(({ id }) => id === 'h2')?.given).toBeUndefined();
  });

  it('loses no weight, however nodes are grouped', () => {
    const ids = smallCircuit.nodes.map(({ id }) => id);
    fc.assert(
      fc.property(fc.subarray(ids, { minLength: 1 }), (nodes) => {
        const inside = smallCircuit.edges.filter(
          ({ source, target }) => nodes.includes(source) && nodes.includes(target),
        );
        const sum = (edges: readonly { readonly weight: number }[]): number =>
          edges.reduce((total, { weight }) => total + weight, 0);
        const { marks, edges } = drawMarks(smallCircuit, grouped(nodes), all, none);
        expect(sum(edges)).toBeCloseTo(sum(smallCircuit.edges) - sum(inside));
        const drawn = new Set(marks.map(({ id }) => id));
        expect(edges.every(({ source, target }) => drawn.has(source) && drawn.has(target))).toBe(true);
        expect(marks.reduce((total, { effect }) => total + effect, 0)).toBeCloseTo(
          smallCircuit.nodes.reduce((total, { effect }) => total + effect, 0),
        );
      }),
      { seed: 9 },
    );
  });
});

describe('an aggregated circuit', () => {
  const base = smallCircuit.nodes.find((node) => node.kind === 'feature')!;
  const at = (id: string, hook: string, layer = 1): typeof base => ({ ...base, id, hook, layer });
  const graph = {
    ...smallCircuit,
    isAggregated: true as const,
    nodes: [
      at('a', 'blocks.1.hook_attn_out'),
      at('m', 'blocks.1.hook_mlp_out'),
      at('r', 'blocks.1.hook_resid_post'),
      at('r0', 'blocks.0.hook_resid_post', 0),
      smallCircuit.nodes.find((node) => node.kind === 'logit')!,
    ],
    edges: [
      { source: 'r0', target: 'a', weight: 1 },
      { source: 'a', target: 'r', weight: 1 },
      { source: 'm', target: 'r', weight: 1 },
      { source: 'r', target: 'y', weight: 1 },
    ],
  };
  const ids = new Set(graph.nodes.map(({ id }) => id));
  const layout = layoutDrawing(graph, drawMarks(graph, emptyAnnotations(), ids, none));

  it('has sites for columns: attention, the stream with the logits, MLP', () => {
    expect(graph.nodes.map(siteColumn)).toEqual([0, 2, 1, 1, 1]);
    expect(layout.columns.map(({ position, skipped }) => [position, skipped])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
  });

  it('lets every edge go up', () => {
    const y = new Map(layout.nodes.map((place) => [place.node.id, place.y]));
    for (const { source, target } of graph.edges) {
      expect(y.get(target), `${source} → ${target}`).toBeLessThan(y.get(source)!);
    }
  });
});

describe('the list', () => {
  const { marks } = drawMarks(smallCircuit, grouped(['h1', 'm1']), all, none);
  const rowsOf = (closed: readonly number[], open: readonly string[]): readonly string[] =>
    listRows(marks, new Set(closed), new Set(open)).map(rowId);

  it('has the layers from the top, and the strongest mark of a layer first', () => {
    expect(rowsOf([], [])).toEqual([
      ...['layer:2', 'y'],
      ...['layer:1', markOfGroup('group-1'), 'h2', 'f1'],
      ...['layer:0', 'h0'],
      ...['layer:-1', 't0', 't3'],
    ]);
  });

  it('shows the members of an open group, and nothing of a closed layer', () => {
    expect(rowsOf([-1, 0, 2], ['group-1'])).toEqual([
      'layer:2',
      'layer:1',
      markOfGroup('group-1'),
      'h1',
      'm1',
      'h2',
      'f1',
      'layer:0',
      'layer:-1',
    ]);
  });
});

describe('search', () => {
  const annotations = { ...emptyAnnotations(), labels: { h2: 'Name Mover' } };
  const { marks } = drawMarks(smallCircuit, annotations, all, none);
  const find = (query: string, kept: ReadonlySet<string> = all): readonly string[] =>
    searchNodes(query, marks, smallCircuit, kept).map(({ id }) => id);

  it('finds by given name, own name, kind, id, feature and token, in any case', () => {
    expect(find('mover')).toEqual(['h2']);
    expect(find('HEAD 1.0')).toEqual(['h1']);
    expect(find('head')).toEqual(['h1', 'h0', 'h2']);
    expect(find('m1')).toEqual(['m1']);
    expect(find('#7')).toEqual(['f1']);
    expect(find('gave')).toEqual(['y', 'h1', 'm1', 'f1', 'h2', 't3']);
  });

  it('wants every word, and finds nothing for none', () => {
    expect(find('head gave')).toEqual(['h1', 'h2']);
    expect(find('head nothing')).toEqual([]);
    expect(find('   ')).toEqual([]);
  });

  it('puts what is kept before what is pruned', () => {
    expect(find('head', new Set(['h2']))).toEqual(['h2', 'h1', 'h0']);
  });

  it('takes a query for text and not for a pattern, however long', () => {
    expect(find('(head|.*')).toEqual([]);
    expect(find('x'.repeat(100_000))).toEqual([]);
  });
});
