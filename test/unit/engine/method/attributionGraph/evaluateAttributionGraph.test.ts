// Scores of subgraphs, against small cases whose shares can be worked out by hand.
import { describe, expect, it } from 'vitest';
import { evaluateAttributionGraph } from '../../../../../src/engine/method/attributionGraph/evaluateAttributionGraph.ts';
import type { CircuitGraph, CircuitNode } from '../../../../../src/shared/circuit.ts';

const node = (id: string, kind: CircuitNode['kind'], more: Partial<CircuitNode> = {}): CircuitNode => ({
  id,
  kind,
  layer: 0,
  position: 0,
  label: id,
  effect: 0,
  ...more,
});

/** token → f1 → f2 → logit, with an error at f1 and at the logit. */
const graph: CircuitGraph = {
  version: 1,
  prompt: 'made up',
  tokens: [{ id: 1, text: 'made up', start: 0, end: 7 }],
  nLayers: 2,
  method: { name: 'attribution graph', parameters: {} },
  metric: { name: 'probability', clean: 0.5, baseline: 0 },
  nodes: [
    node('logit', 'logit', { probability: 0.5, missing: 0 }),
    node('f2', 'feature', { missing: 0 }),
    node('f1', 'feature', { missing: 0 }),
    node('token', 'token'),
    node('error', 'error'),
  ],
  edges: [
    { source: 'f2', target: 'logit', weight: -3 },
    { source: 'error', target: 'logit', weight: 1 },
    { source: 'f1', target: 'f2', weight: 2 },
    { source: 'token', target: 'f1', weight: 0.6 },
    { source: 'error', target: 'f1', weight: -0.4 },
    { source: 'elsewhere', target: 'f1', weight: 100 },
  ],
  provenance: { version: '0', model: { name: 'x', hash: 'x' }, saes: [], bos: 'none', precision: 'float32' },
};

describe('evaluateAttributionGraph', () => {
  it('gives the scores of the whole graph when all its nodes are kept', () => {
    const found = evaluateAttributionGraph(graph, ['f1', 'f2', 'error']);
    // Of the logit's input a quarter is error; of the rest f1 takes all, of which 0.6 is the token's.
    expect(found.faithfulness).toBeCloseTo((0.75 * 0.6) / (0.75 * 0.6 + 0.75 * 0.4 + 0.25), 12);
    // Weights: logit 0.5 (0.75 explained), f2 0.375 (1), f1 0.375 (0.6), token 0.225 (1), error 0.275 (1).
    const [weights, shares] = [
      [0.5, 0.375, 0.375, 0.225, 0.275],
      [0.75, 1, 0.6, 1, 1],
    ];
    const explained = weights.reduce((sum, weight, i) => sum + weight * shares[i]!, 0);
    expect(found.completeness).toBeCloseTo(explained / weights.reduce((sum, weight) => sum + weight, 0), 12);
    expect(found.circuit).toBe(found.full);
  });

  it('counts features that are not kept as errors, with nothing behind them', () => {
    const found = evaluateAttributionGraph(graph, ['f2']);
    // f1 is an error now: everything that reaches the logit starts in errors.
    expect(found.faithfulness).toBe(0);
    expect(found.complement).toBe(0);
    const [weights, shares] = [
      [0.5, 0.375, 0.375, 0.125],
      [0.75, 0, 1, 1],
    ];
    const explained = weights.reduce((sum, weight, i) => sum + weight * shares[i]!, 0);
    expect(found.completeness).toBeCloseTo(explained / weights.reduce((sum, weight) => sum + weight, 0), 12);
  });

  it('counts what pruning dropped of an input as error', () => {
    // Half of what enters f2, a fifth of what enters the logit.
    const missing: Record<string, number> = { f2: 2, logit: 1 };
    const nodes = graph.nodes.map((one) => (missing[one.id] ? { ...one, missing: missing[one.id]! } : one));
    const found = evaluateAttributionGraph({ ...graph, nodes }, ['f1', 'f2']);
    expect(found.kind).toBe('graphScores');
    // 3 of the logit's 5 come from f2, 2 of its 4 from f1, 0.6 of that from the token; all the rest is error.
    expect(found.faithfulness).toBeCloseTo(0.6 * 0.5 * 0.6, 12);
    // Weights: logit 0.5, f2 0.3, f1 0.15, token 0.09, errors 0.5 × 0.4 + 0.3 × 0.5 + 0.15 × 0.4.
    const errors = 0.2 + 0.15 + 0.06;
    expect(found.completeness).toBeCloseTo(1 - errors / (0.5 + 0.3 + 0.15 + 0.09 + errors), 12);
  });

  it('refuses a graph that does not tell what pruning dropped', () => {
    const nodes = graph.nodes.map(({ missing: _, ...rest }) => rest);
    expect(() => evaluateAttributionGraph({ ...graph, nodes }, ['f1'])).toThrow(/input was pruned/);
  });

  it('takes logits of files without probabilities as equal', () => {
    const nodes = graph.nodes.map(({ probability: _, ...rest }) => rest);
    const found = evaluateAttributionGraph({ ...graph, nodes }, ['f1', 'f2']);
    expect(found.faithfulness).toBeCloseTo(evaluateAttributionGraph(graph, ['f1', 'f2']).faithfulness, 12);
  });

  it.each([
    ['edges that run in a circle', { edges: [...graph.edges, { source: 'f2', target: 'f1', weight: 1 }] }],
    ['no logits', { nodes: graph.nodes.filter(({ kind }) => kind !== 'logit') }],
  ])('refuses a graph with %s', (_, change) => {
    const attempt = () => evaluateAttributionGraph({ ...graph, ...change }, []);
    expect(attempt).toThrowError(expect.objectContaining({ code: 'request.invalid' }));
  });
});
