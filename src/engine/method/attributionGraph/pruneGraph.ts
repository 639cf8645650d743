/** Keeps the nodes and edges of an attribution graph that carry most of the influence (circuit-tracer's `prune_graph`). */
import { amongNodes, type EdgeRows, influenceOf, type NodeRanges, rowTotals } from './influence.ts';

export interface PruneThresholds {
  /** Shares of influence that the kept nodes, and the kept edges among them, have together: 0 to 1. */
  readonly node: number;
  readonly edge: number;
}

export interface KeptEdge {
  readonly source: number;
  readonly target: number;
  /** The direct effect itself, not its share. */
  readonly weight: number;
}

export interface PrunedGraph {
  /** Nodes that stay. Tokens and logits always do. */
  readonly nodes: readonly number[];
  readonly edges: readonly KeptEdge[];
  /** Influence on the logits, `[node]`. */
  readonly influence: Float64Array;
  /** Share of all influence that a node and those above it have together, `[node]`, 0 to 1. */
  readonly cumulative: Float64Array;
}

interface ScoredEdge extends KeptEdge {
  readonly score: number;
}

/**
 * Prunes a graph: nodes by influence; edges among those that stay by their share of the target's input times the
 * target's influence, both computed anew; then what lost its last way in or out.
 */
export function pruneGraph(
  rows: EdgeRows,
  ranges: NodeRanges,
  start: Float64Array,
  thresholds: PruneThresholds,
): PrunedGraph {
  const influence = influenceOf(rows, start);
  const { least, cumulative } = rankScores(influence, thresholds.node);
  const prunable = ranges.features + ranges.errors;
  const isKept = Uint8Array.from(influence, (score, node) => (node >= prunable || score >= least ? 1 : 0));
  const scored = scoreEdges(rows, isKept, start);
  const scores = Float64Array.from(scored, ({ score }) => score);
  const leastEdge = rankScores(scores, thresholds.edge).least;
  const strong = scored.filter(({ score }) => score >= leastEdge);
  const connected = dropLoose(strong, isKept, ranges);
  return {
    nodes: [...isKept.keys()].filter((node) => isKept[node]),
    edges: connected.map(({ source, target, weight }) => ({ source, target, weight })),
    influence,
    cumulative,
  };
}

/** The lowest of the highest scores that have `share` of the sum together, and each score's share with all above it. */
function rankScores(scores: Float64Array, share: number): { least: number; cumulative: Float64Array } {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
  const total = scores.reduce((sum, score) => sum + score, 0);
  const cumulative = new Float64Array(scores.length);
  let [sum, least] = [0, Number.POSITIVE_INFINITY];
  let isReached = false;
  for (const index of order) {
    sum += scores[index]!;
    cumulative[index] = total === 0 ? 1 : sum / total;
    if (!isReached) least = scores[index]!;
    isReached ||= cumulative[index]! >= share;
  }
  return { least, cumulative };
}

/** Edges among the nodes that are kept, with their share of what reaches the logits. */
function scoreEdges(rows: EdgeRows, isKept: Uint8Array, start: Float64Array): ScoredEdge[] {
  const nodes = [...isKept.keys()].filter((node) => isKept[node]);
  const inner = amongNodes(rows, nodes);
  const totals = rowTotals(inner);
  const innerStart = Float64Array.from(nodes, (node) => start[node]!);
  const influence = influenceOf(inner, innerStart, totals);
  const edges: ScoredEdge[] = [];
  for (let row = 0; row < inner.targets.length; row++) {
    const target = inner.targets[row]!;
    const reaching = (influence[target]! + innerStart[target]!) / totals[row]!;
    for (let source = 0; source < nodes.length; source++) {
      const weight = inner.weights[row * nodes.length + source]!;
      const score = Math.abs(weight) * reaching;
      if (score > 0) edges.push({ source: nodes[source]!, target: nodes[target]!, weight, score });
    }
  }
  return edges;
}

/** Takes features without a way in or out, and errors without a way out, from `isKept` until none is left. */
function dropLoose(
  edges: readonly ScoredEdge[],
  isKept: Uint8Array,
  { features, errors }: NodeRanges,
): readonly ScoredEdge[] {
  const hasOut = new Uint8Array(isKept.length);
  const hasIn = new Uint8Array(isKept.length);
  for (const { source, target } of edges) {
    hasOut[source] = 1;
    hasIn[target] = 1;
  }
  let dropped = false;
  for (let node = 0; node < features + errors; node++) {
    if (!isKept[node] || (hasOut[node] && (node >= features || hasIn[node]))) continue;
    isKept[node] = 0;
    dropped = true;
  }
  if (!dropped) return edges;
  const left = edges.filter(({ source, target }) => isKept[source] && isKept[target]);
  return dropLoose(left, isKept, { features, errors, tokens: 0, logits: 0 });
}
