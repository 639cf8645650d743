/** Pruning a circuit. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countComponents,
  hasInfluence,
  heldNodes,
  keepEdges,
  keepNodes,
  rankNodes,
} from '../../../src/shared/keepNodes.ts';
import { smallCircuit } from '../webview-ui/circuit/smallCircuit.ts';

function kept(fraction: number, pinned: readonly string[] = []): readonly string[] {
  return [...keepNodes(smallCircuit, fraction, pinned)].sort();
}

describe('keepNodes', () => {
  it('keeps everything at 1 and only the logits at 0', () => {
    expect(kept(1)).toEqual(smallCircuit.nodes.map((node) => node.id).sort());
    expect(kept(0)).toEqual(['y']);
  });

  it('keeps the strongest components by size of effect, whatever its sign', () => {
    expect(kept(0.2)).toEqual(['h1', 'y']);
    expect(kept(0.6)).toEqual(['h0', 'h1', 'm1', 't0', 'y']);
  });

  it('breaks a tie by id', () => {
    expect(kept(0.8)).toContain('f1');
    expect(kept(0.8)).not.toContain('h2');
  });

  it('keeps what is pinned, with its tokens', () => {
    expect(kept(0.2, ['h2'])).toEqual(['h1', 'h2', 't3', 'y']);
  });

  it('takes fractions out of range for their nearest end', () => {
    expect(kept(-3)).toEqual(kept(0));
    expect(kept(7)).toEqual(kept(1));
  });
});

describe('ordering by influence', () => {
  const influence: Readonly<Record<string, number>> = { h0: 0.2, f1: 0.5, m1: 0.7, h1: 0.9, h2: 1 };
  const graph = {
    ...smallCircuit,
    nodes: smallCircuit.nodes.map((node) => ({ ...node, influence: influence[node.id] })),
  };

  it('is there only when every component says how much it has', () => {
    expect(hasInfluence(graph)).toBe(true);
    expect(hasInfluence(smallCircuit)).toBe(false);
    expect(hasInfluence({ ...graph, nodes: graph.nodes.filter(({ kind }) => kind === 'token') })).toBe(false);
  });

  it('keeps those first whose share of influence is reached first', () => {
    expect(rankNodes(graph, 'influence').map(({ id }) => id)).toEqual(['h0', 'f1', 'm1', 'h1', 'h2']);
    expect(rankNodes(graph, 'effect').map(({ id }) => id)).toEqual(['h1', 'm1', 'h0', 'f1', 'h2']);
    const kept = keepNodes(graph, 0.4, [], rankNodes(graph, 'influence'));
    expect([...kept].sort()).toEqual(['f1', 'h0', 't0', 'y']);
  });
});

describe('heldNodes', () => {
  it('are the pinned and the grouped', () => {
    const supernodes = [{ id: 'group-1', label: 'a', nodes: ['h2', 'f1'] }];
    expect(heldNodes({ pinned: ['h0'], supernodes })).toEqual(['h0', 'h2', 'f1']);
  });
});

it('a step of the slider is one node, also where fractions are rounded', () => {
  const nodes = Array.from({ length: 150 }, (_, i) => ({
    ...smallCircuit.nodes[2]!,
    id: `h${i}`,
    effect: 1 + i,
  }));
  const graph = { ...smallCircuit, nodes, edges: [] };
  for (let step = 0; step <= 150; step++) expect(keepNodes(graph, step / 150, []).size).toBe(step);
});

it('a larger fraction never loses a node that a smaller one keeps', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, (a, b) => {
      const larger = keepNodes(smallCircuit, Math.max(a, b), []);
      for (const id of keepNodes(smallCircuit, Math.min(a, b), [])) expect(larger.has(id)).toBe(true);
    }),
    { seed: 5, numRuns: 50 },
  );
});

describe('countComponents', () => {
  it('leaves tokens and logits out', () => {
    expect(countComponents(smallCircuit, keepNodes(smallCircuit, 0.6, []))).toEqual({ total: 5, kept: 3 });
  });
});

describe('keepEdges', () => {
  it('drops edges that lost an end, and the lightest beyond the limit', () => {
    const weights = keepEdges(smallCircuit.edges, keepNodes(smallCircuit, 0.6, []), 3).map(
      (edge) => edge.weight,
    );
    expect(weights).toEqual([1.2, 0.9, 0.8]);
  });
});
