/** Two circuits in one picture: common columns, common ids, and what stands where only one has it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CircuitGraph } from '../../../../src/shared/circuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import type { Token } from '../../../../src/shared/domain.ts';
import { mergePositions } from '../../../../webview-ui/circuit/alignTokens.ts';
import { differencePicture, linkCircuit } from '../../../../webview-ui/circuit/comparison.ts';
import { countChanges, differenceLines } from '../../../../webview-ui/circuit/differenceList.tsx';
import { smallCircuit } from './smallCircuit.ts';

function tokensOf(text: string): readonly Token[] {
  return text.split('|').map((word, id) => ({ id, text: word, start: 0, end: 0 }));
}

describe('mergePositions', () => {
  it('matches prompts of one length place by place, and shows both tokens where they differ', () => {
    const merged = mergePositions(tokensOf('A| gave| to'), tokensOf('B| gave| to'));
    expect(merged.here).toEqual([0, 1, 2]);
    expect(merged.there).toEqual([0, 1, 2]);
    expect(merged.columns.map(({ text }) => text)).toEqual(['A⁄B', ' gave', ' to']);
  });

  it('gives words that only one prompt has a column of their own', () => {
    const merged = mergePositions(
      tokensOf(' gave|,| to'),
      tokensOf('Then| gave| to'.replace(' gave', ' gave|,|!')),
    );
    expect(merged.columns.map(({ text }) => text)).toEqual(['Then', ' gave', ',', '!', ' to']);
    expect(merged.here).toEqual([1, 2, 4]);
    expect(merged.there).toEqual([0, 1, 2, 3, 4]);
  });

  it('matches what stands between two matches when it is as long in both', () => {
    const merged = mergePositions(tokensOf('x|When| Mary| gave'), tokensOf('When| John| gave'));
    expect(merged.columns.map(({ text }) => text)).toEqual(['x', 'When', ' Mary⁄John', ' gave']);
  });

  it('keeps the order of both prompts, whatever they are', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });
    fc.assert(
      fc.property(words, words, (first, second) => {
        const here = first.map((text, id) => ({ id, text, start: 0, end: 0 }));
        const there = second.map((text, id) => ({ id, text, start: 0, end: 0 }));
        const merged = mergePositions(here, there);
        for (const side of [merged.here, merged.there]) {
          expect([...side]).toEqual([...new Set(side)].sort((a, b) => a - b));
        }
        expect(merged.here).toHaveLength(here.length);
        expect(merged.there).toHaveLength(there.length);
        expect(new Set([...merged.here, ...merged.there]).size).toBe(merged.columns.length);
      }),
      { seed: 31, numRuns: 200 },
    );
  });
});

describe('a comparison', () => {
  const other: CircuitGraph = {
    ...smallCircuit,
    nodes: smallCircuit.nodes
      .filter(({ id }) => id !== 'h2')
      .map((node) => ({ ...node, id: `b-${node.id}`, effect: node.id === 'm1' ? -1 : node.effect }))
      .concat({ ...smallCircuit.nodes[3]!, id: 'b-new', head: 9, effect: 0.7 }),
    edges: smallCircuit.edges
      .filter(({ target }) => target !== 'h2')
      .map((edge) => ({ ...edge, source: `b-${edge.source}`, target: `b-${edge.target}` })),
  };
  const annotations = {
    ...emptyAnnotations(),
    labels: { 'b-h1': 'there' },
    supernodes: [{ id: 'group-1', label: 'x', nodes: ['b-h0', 'b-new'] }],
  };
  const linked = linkCircuit(smallCircuit, { title: 'other', graph: other, annotations });
  const kept = new Set(smallCircuit.nodes.map(({ id }) => id));
  const here = { graph: smallCircuit, annotations: { ...emptyAnnotations(), labels: { h1: 'here' } }, kept };
  const picture = differencePicture(here, linked);

  it('knows the other circuit’s nodes by the ids that they have here', () => {
    expect(linked.graph.nodes.map(({ id }) => id)).toEqual([
      ...smallCircuit.nodes.map(({ id }) => id).filter((id) => id !== 'h2'),
      'there:b-new',
    ]);
    expect(linked.annotations.labels).toEqual({ h1: 'there' });
    expect(linked.annotations.supernodes[0]?.nodes).toEqual(['h0', 'there:b-new']);
  });

  it('draws every node of both once, under its name here', () => {
    expect(picture.drawing.marks).toHaveLength(smallCircuit.nodes.length + 1);
    expect(picture.drawing.marks.find(({ id }) => id === 'h1')?.given).toBe('here');
    expect(picture.drawing.marks.find(({ id }) => id === 'm1')).toMatchObject({
      change: 'changed',
      effect: -1,
      otherEffect: 1,
    });
    const ids = new Set(picture.drawing.marks.map(({ id }) => id));
    expect(picture.drawing.edges.every(({ source, target }) => ids.has(source) && ids.has(target))).toBe(
      true,
    );
  });

  it('counts and lists what differs, the largest first', () => {
    expect(countChanges(picture.difference)).toEqual({ added: 1, removed: 2, changed: 1, same: 5 });
    expect(differenceLines(picture).nodes.map(({ mark, change }) => [mark.id, change])).toEqual([
      ['m1', 'changed'],
      ['there:b-new', 'added'],
      ['h2', 'removed'],
      // Without the head that it feeds, its own slider does not keep it.
      ['t3', 'removed'],
    ]);
  });
});

describe('circuits of which one is by position', () => {
  const whole: CircuitGraph = {
    ...smallCircuit,
    isAggregated: true,
    metric: { ...smallCircuit.metric, name: 'logitDifference' },
    nodes: [
      { id: 'head', kind: 'head', layer: 1, position: 3, head: 0, label: '1.0', effect: 2 },
      { id: 'end', kind: 'logit', layer: 2, position: 3, label: 'logitDifference', effect: 2.5 },
    ],
    edges: [{ source: 'head', target: 'end', weight: 0.8 }],
  };
  const { edges, nodes } = smallCircuit;
  const twice: CircuitGraph = {
    ...smallCircuit,
    contrast: { answer: ' Mary', wrong: ' John' },
    nodes: [...nodes, { ...nodes[3]!, id: 'h1 there', position: 2, effect: 0.05 }],
    edges,
  };

  it('are matched by component, whichever side it is, and the metric with the answers', () => {
    for (const [here, there] of [
      [twice, whole],
      [whole, twice],
    ] as const) {
      const other = { title: 'b', graph: there, annotations: { ...emptyAnnotations(), keep: 1 } };
      const linked = linkCircuit(here, other);
      expect(linked.isSummed).toBe(true);
      const compared = {
        graph: here,
        annotations: emptyAnnotations(),
        kept: new Set(here.nodes.map(({ id }) => id)),
      };
      const { difference, graph } = differencePicture(compared, linked);
      expect(graph.isAggregated).toBe(true);
      const alike = difference.nodes.filter(({ before, after }) => before && after);
      expect(alike.map(({ after }) => after!.kind).sort()).toEqual(['head', 'logit']);
      expect(alike.every(({ change }) => change === 'same')).toBe(true);
    }
  });
});
