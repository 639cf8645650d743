/** What fits into a viewport: names as long as they can be, marks alone, upright tokens; and two pictures at one height. */

import { describe, expect, it } from 'vitest';
import type { CircuitGraph, CircuitNode } from '../../../../src/shared/circuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import { drawMarks } from '../../../../webview-ui/circuit/circuitMarks.ts';
import {
  fitDrawing,
  layoutDrawing,
  nameBeside,
  sharedHeights,
  wideDrawing,
} from '../../../../webview-ui/circuit/drawnCircuit.ts';
import { smallCircuit } from './smallCircuit.ts';

/** Features of one layer, all positions together, with labels of forty characters. */
function features(count: number, layer = 0): CircuitGraph {
  const nodes = Array.from(
    { length: count },
    (_, index): CircuitNode => ({
      id: `f${index}`,
      kind: 'feature',
      layer,
      position: 0,
      hook: `blocks.${layer}.hook_resid_post`,
      feature: { sae: 's', index },
      label: 'x'.repeat(40),
      effect: 1,
    }),
  );
  return { ...smallCircuit, isAggregated: true, nodes, edges: [] };
}

const drawn = (graph: CircuitGraph) =>
  drawMarks(graph, emptyAnnotations(), new Set(graph.nodes.map(({ id }) => id)), new Set());

describe('fitDrawing', () => {
  it('shortens names, then stacks them, before it leaves them out', () => {
    const graph = features(3);
    const drawing = drawn(graph);
    const shown = (width: number, height = 400) => fitDrawing(graph, drawing, { width, height });
    const lengths = [900, 600, 420, 260, 130].map((width) => shown(width).nameLength);
    expect(lengths[0]).toBe(32);
    expect([...lengths].sort((a, b) => b - a)).toEqual(lengths);
    expect(lengths.at(-1)).toBeGreaterThan(0);
    const rows = (width: number) => new Set(shown(width).nodes.map(({ y }) => y)).size;
    expect([rows(900), rows(130)]).toEqual([1, 3]);
    expect(shown(130, 60).nameLength).toBe(0);
  });

  it('never answers names that are wider than the viewport allows', () => {
    const graph = features(12);
    const drawing = drawn(graph);
    for (let width = 100; width < 1600; width += 50) {
      const layout = fitDrawing(graph, drawing, { width, height: 500 });
      if (layout.nameLength > 0) expect(layout.width * 0.85).toBeLessThanOrEqual(width);
    }
  });

  it('makes columns as narrow as marks when tokens are many', () => {
    const tokens = Array.from({ length: 60 }, (_, i) => ({ id: i, text: ' remember', start: i, end: i + 1 }));
    const nodes = tokens.map(
      (_, position): CircuitNode => ({
        id: `t${position}`,
        kind: 'token',
        layer: -1,
        position,
        label: '',
        effect: 1,
      }),
    );
    const graph: CircuitGraph = { ...smallCircuit, tokens, nodes, edges: [] };
    const size = { width: 800, height: 500 };
    const narrow = fitDrawing(graph, drawn(graph), size);
    expect(narrow.width).toBeLessThan(layoutDrawing(graph, drawn(graph), 0).width / 2);
  });
});

describe('names', () => {
  it('are cut to the room there is; that of an answer is not', () => {
    const [feature] = features(1).nodes;
    expect(nameBeside(feature!, 14)).toHaveLength(14);
    const answer: CircuitNode = {
      id: 'y',
      kind: 'logit',
      layer: 2,
      position: 0,
      label: '" Mary" − " John"',
      effect: 1,
    };
    expect(nameBeside(answer, 11)).toBe('" Mary" − " John"');
  });

  it('of a picture that goes into a file are the longest', () => {
    const graph = features(3);
    expect(wideDrawing(graph, drawn(graph)).nameLength).toBe(32);
    const many = features(70);
    expect(wideDrawing(many, drawn(many)).nameLength).toBe(0);
  });
});

describe('two pictures beside each other', () => {
  it('have their layers at one height', () => {
    const [one, other] = [features(40), features(2, 1)];
    const heights = sharedHeights(
      { graph: one, drawing: drawn(one) },
      { graph: other, drawing: drawn(other) },
    );
    const bands = [one, other].map(
      (graph) => layoutDrawing(graph, drawn(graph), 0, { leastHeights: heights }).bands,
    );
    const tops = bands.map((list) => list.map(({ layer, top, height }) => [layer, top, height]));
    expect(tops[0]).toEqual(tops[1]);
    expect(layoutDrawing(other, drawn(other), 0).bands.map(({ top }) => top)).not.toEqual(
      bands[0]?.map(({ top }) => top),
    );
  });
});
