// Influence, scores and pruning on small random graphs, against matrix powers and masks written out in full.
import { describe, expect, it } from 'vitest';
import {
  type EdgeRows,
  graphScores,
  influenceOf,
  type NodeRanges,
} from '../../../../../src/engine/method/attributionGraph/influence.ts';
import { pruneGraph } from '../../../../../src/engine/method/attributionGraph/pruneGraph.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';

const ranges: NodeRanges = { features: 6, errors: 4, tokens: 3, logits: 2 };
const size = ranges.features + ranges.errors + ranges.tokens + ranges.logits;

/** A square matrix, targets by rows: features get inputs from features before them, errors and tokens; logits from all. */
function randomMatrix(seed: number): number[][] {
  const random = seededRandom(seed);
  return Array.from({ length: size }, (_, target) =>
    Array.from({ length: size }, (_, source) => {
      const isFeature = target < ranges.features;
      const isLogit = target >= size - ranges.logits;
      const isBefore = source < target || (source >= ranges.features && source < size - ranges.logits);
      if (!(isFeature || isLogit) || !isBefore || source >= size - ranges.logits) return 0;
      return random.next() < 0.3 ? 0 : Math.fround(random.normal());
    }),
  );
}

const start = Float64Array.from({ length: size }, (_, node) => [0.6, 0.25][node - (size - 2)] ?? 0);

/** The matrix as rows in a jumbled order, with the order that is needed beside it. */
function rowsOf(matrix: readonly (readonly number[])[]): EdgeRows {
  const targets = [2, 13, 0, 5, 1, 14, 4, 3];
  const weights = Float32Array.from(targets.flatMap((target) => matrix[target]!));
  const depth = (row: number) => (targets[row]! >= size - 2 ? size : targets[row]!);
  const order = [...targets.keys()].sort((a, b) => depth(b) - depth(a));
  return { targets, nodes: size, weights, order };
}

function shares(matrix: readonly (readonly number[])[]): number[][] {
  return matrix.map((row) => {
    const total = Math.max(
      row.reduce((sum, x) => sum + Math.abs(x), 0),
      1e-10,
    );
    return row.map((x) => Math.abs(x) / total);
  });
}

/** p·(N + N² + …), power by power. */
function plainInfluence(matrix: readonly (readonly number[])[]): number[] {
  const inputs = shares(matrix);
  const times = (row: readonly number[]) =>
    row.map((_, source) => row.reduce((sum, x, target) => sum + x * inputs[target]![source]!, 0));
  let power = times([...start]);
  const sum = power.slice();
  while (power.some((x) => x !== 0)) {
    power = times(power);
    power.forEach((x, i) => {
      sum[i]! += x;
    });
  }
  return sum;
}

/** The lowest of the largest scores that add up to the share. */
function plainThreshold(scores: readonly number[], share: number): number {
  const sorted = [...scores].sort((a, b) => b - a);
  const total = sorted.reduce((sum, x) => sum + x, 0);
  let sum = 0;
  for (const score of sorted) {
    sum += score;
    if (sum / total >= share) return score;
  }
  return sorted.at(-1)!;
}

/** Masks over all nodes and all pairs of them, as circuit-tracer's text describes the procedure. */
function plainPruning(matrix: number[][], nodeShare: number, edgeShare: number) {
  const influence = plainInfluence(matrix);
  const prunable = ranges.features + ranges.errors;
  const least = plainThreshold(influence, nodeShare);
  const nodes = influence.map((score, node) => node >= prunable || score >= least);
  const inner = matrix.map((row, target) => row.map((x, source) => (nodes[target] && nodes[source] ? x : 0)));
  const reaching = plainInfluence(inner).map((x, node) => x + start[node]!);
  const scores = shares(inner).map((row, target) => row.map((x) => x * reaching[target]!));
  const leastEdge = plainThreshold(scores.flat(), edgeShare);
  const edges = scores.map((row) => row.map((score) => score >= leastEdge));
  for (let round = 0; round <= size; round++) {
    for (let node = 0; node < prunable; node++) {
      const hasOut = edges.some((row) => row[node]);
      const hasIn = edges[node]!.some((kept) => kept);
      if (hasOut && (hasIn || node >= ranges.features)) continue;
      nodes[node] = false;
      edges[node] = edges[node]!.map(() => false);
      for (const row of edges) row[node] = false;
    }
  }
  return { nodes, edges };
}

describe.each([1, 2, 3, 4, 5])('a random graph (%i)', (seed) => {
  const matrix = randomMatrix(seed);

  it('has the influence of all powers of its shares', () => {
    const influence = influenceOf(rowsOf(matrix), start);
    plainInfluence(matrix).forEach((expected, node) => {
      expect(influence[node]).toBeCloseTo(expected, 6);
    });
  });

  it('has the scores that follow from them', () => {
    const influence = plainInfluence(matrix);
    const sum = (from: number, to: number) => influence.slice(from, to).reduce((all, x) => all + x, 0);
    const [errors, tokens] = [sum(6, 10), sum(10, 13)];
    const explained = shares(matrix).map((row) => 1 - row.slice(6, 10).reduce((all, x) => all + x, 0));
    const weights = influence.map((x, node) => x + start[node]!);
    const completeness =
      weights.reduce((all, weight, node) => all + weight * explained[node]!, 0) /
      weights.reduce((all, weight) => all + weight, 0);
    const scores = graphScores(rowsOf(matrix), ranges, start);
    expect(scores.replacement).toBeCloseTo(tokens / (tokens + errors), 6);
    expect(scores.completeness).toBeCloseTo(completeness, 6);
  });

  it.each([
    [0.8, 0.98],
    [0.5, 0.6],
    [0.95, 0.4],
  ])('keeps nodes of %d and edges of %d of the influence', (node, edge) => {
    const pruned = pruneGraph(rowsOf(matrix), ranges, start, { node, edge });
    const expected = plainPruning(matrix, node, edge);
    expect(pruned.nodes).toEqual([...expected.nodes.keys()].filter((at) => expected.nodes[at]));
    const kept = pruned.edges.map(({ target, source }) => `${target}<${source}`).sort();
    const wanted = expected.edges.flatMap((row, target) =>
      row.flatMap((isKept, source) => (isKept ? [`${target}<${source}`] : [])),
    );
    expect(kept).toEqual(wanted.sort());
    for (const { target, source, weight } of pruned.edges) expect(weight).toBe(matrix[target]![source]);
  });
});

describe('pruneGraph', () => {
  it('gives every node the share that it and all stronger ones have', () => {
    const { influence, cumulative } = pruneGraph(rowsOf(randomMatrix(7)), ranges, start, {
      node: 0.8,
      edge: 0.9,
    });
    const total = influence.reduce((sum, x) => sum + x, 0);
    influence.forEach((own, node) => {
      if (own === 0) return;
      const above = influence.filter((x) => x >= own).reduce((sum, x) => sum + x, 0);
      expect(cumulative[node]).toBeCloseTo(above / total, 9);
    });
  });

  it('keeps all edges between kept nodes when asked for all', () => {
    const matrix = randomMatrix(8);
    const { edges } = pruneGraph(rowsOf(matrix), ranges, start, { node: 1, edge: 1 });
    const reaching = plainInfluence(matrix).map((x, node) => x + start[node]!);
    const all = matrix.flatMap((row, target) => row.filter((x) => x !== 0 && reaching[target]! > 0));
    expect(edges).toHaveLength(all.length);
  });
});
