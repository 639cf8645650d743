/**
 * Influence in attribution graphs (Ameisen et al. 2025; circuit-tracer's `compute_influence`): every node's inputs are
 * made shares that add up to 1, and what reaches the logits over all paths is summed, `p · (N + N² + …)`.
 */

/** Direct effects on some nodes: row r holds those of every node on node `targets[r]`. Nodes without a row have no inputs. */
export interface EdgeRows {
  readonly targets: ArrayLike<number>;
  /** Number of nodes. */
  readonly nodes: number;
  /** `[row, node]`. */
  readonly weights: Float32Array;
  /** The rows in an order in which every target comes before the nodes that it has inputs from. */
  readonly order: readonly number[];
}

/** Inputs that add up to less count as none; circuit-tracer's bound. */
export const leastInput = 1e-10;

/** What each row's effects are divided by to be shares: `max(Σ|w|, 10⁻¹⁰)`, `[row]`. */
export function rowTotals({ targets, nodes, weights }: EdgeRows): Float64Array {
  return Float64Array.from({ length: targets.length }, (_, row) => {
    let sum = 0;
    for (let at = row * nodes, end = at + nodes; at < end; at++) sum += Math.abs(weights[at]!);
    return Math.max(sum, leastInput);
  });
}

/**
 * Influence of every node on the logits, whose own weights are `start` `[node]` (their probabilities; 0 for other
 * nodes): `p · (N + N² + …)`, `[node]`. Since no path comes back, one pass over the rows adds up all powers.
 */
export function influenceOf(rows: EdgeRows, start: Float64Array, totals = rowTotals(rows)): Float64Array {
  const { targets, nodes, weights, order } = rows;
  const influence = new Float64Array(nodes);
  for (const row of order) {
    const target = targets[row]!;
    const reaching = influence[target]! + start[target]!;
    if (reaching === 0) continue;
    const factor = reaching / totals[row]!;
    for (let node = 0, at = row * nodes; node < nodes; node++, at++)
      influence[node]! += factor * Math.abs(weights[at]!);
  }
  return influence;
}

/** The edges among chosen nodes, which are numbered by their place in `nodes` (ascending). */
export function amongNodes(rows: EdgeRows, nodes: readonly number[]): EdgeRows {
  const place = new Int32Array(rows.nodes).fill(-1);
  nodes.forEach((node, i) => {
    place[node] = i;
  });
  const chosen = rows.order.filter((row) => place[rows.targets[row]!]! >= 0);
  const weights = new Float32Array(chosen.length * nodes.length);
  chosen.forEach((row, at) => {
    for (let i = 0; i < nodes.length; i++)
      weights[at * nodes.length + i] = rows.weights[row * rows.nodes + nodes[i]!]!;
  });
  const targets = chosen.map((row) => place[rows.targets[row]!]!);
  return { targets, nodes: nodes.length, weights, order: [...chosen.keys()] };
}

/** Where the nodes of each kind stand: features first, then errors, tokens and logits, as in circuit-tracer. */
export interface NodeRanges {
  readonly features: number;
  readonly errors: number;
  readonly tokens: number;
  readonly logits: number;
}

export interface GraphScores {
  /** Share of the influence of tokens and errors that is the tokens'. */
  readonly replacement: number;
  /** Share of the nodes' input that comes from features and tokens, weighted by the nodes' influence. */
  readonly completeness: number;
}

/** Both scores of a graph (circuit-tracer's `compute_graph_scores`). */
export function graphScores(rows: EdgeRows, ranges: NodeRanges, start: Float64Array): GraphScores {
  const totals = rowTotals(rows);
  const influence = influenceOf(rows, start, totals);
  const errorStart = ranges.features;
  const tokenStart = errorStart + ranges.errors;
  const sum = (from: number, to: number) => influence.subarray(from, to).reduce((all, x) => all + x, 0);
  const fromErrors = sum(errorStart, tokenStart);
  const fromTokens = sum(tokenStart, tokenStart + ranges.tokens);
  // Nodes without inputs count as wholly explained.
  const explained = new Float64Array(rows.nodes).fill(1);
  for (let row = 0; row < rows.targets.length; row++) {
    let error = 0;
    for (let node = errorStart; node < tokenStart; node++)
      error += Math.abs(rows.weights[row * rows.nodes + node]!);
    explained[rows.targets[row]!] = 1 - error / totals[row]!;
  }
  let [weighted, all] = [0, 0];
  for (let node = 0; node < rows.nodes; node++) {
    const weight = influence[node]! + start[node]!;
    weighted += weight * explained[node]!;
    all += weight;
  }
  return { replacement: shareOf(fromTokens, fromTokens + fromErrors), completeness: shareOf(weighted, all) };
}

function shareOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
