/** Scores of a part of an attribution graph: how much of what reaches the logits its features explain. */
import type { CircuitEvaluation, CircuitGraph } from '../../../shared/circuit.ts';
import { EngineError } from '../../../shared/errors.ts';
import {
  inputShares,
  inputsByTarget,
  logitWeights,
  type NodeInputs,
  targetsFirst,
} from '../../../shared/graphInfluence.ts';

/**
 * The two scores of an attribution graph (Ameisen et al. 2025; circuit-tracer's `compute_graph_scores`) with every
 * feature that is not kept counted as an error: what enters it is not traced further back. Tokens and logits always
 * count as kept. Nothing is run: the scores follow from the edges that the graph has and from the input that each node
 * lost when it was pruned, which counts as an error of its own. So with everything kept both scores are at most those of
 * the graph before pruning, and equal to them when nothing was pruned.
 *
 * `faithfulness` is the replacement score, the tokens' share of the influence that starts in tokens and in errors.
 * `completeness` is the completeness score, the share of the nodes' inputs that comes from kept features and tokens,
 * weighted by the nodes' influence: near 1 when little is missing, unlike the completeness of ablated circuits. `full`
 * and `empty` are the replacement scores with all features and with none, `circuit` that of the kept ones and
 * `complement` that of all others.
 * @throws request.invalid when the graph has no logits, its edges run in a circle, or it does not tell what was pruned.
 */
export function evaluateAttributionGraph(graph: CircuitGraph, kept: readonly string[]): CircuitEvaluation {
  const isNamed = new Set(kept);
  const inputs = inputsByTarget(graph);
  requireMissing(inputs);
  const order = targetsFirst(inputs);
  if (!order) throw unusable('its edges run in a circle');
  const scoresOf = (isKept: (id: string) => boolean) => subgraphScores(graph, inputs, order, isKept);
  const circuit = scoresOf((id) => isNamed.has(id));
  return {
    kind: 'graphScores',
    faithfulness: circuit.replacement,
    completeness: circuit.completeness,
    full: scoresOf(() => true).replacement,
    empty: scoresOf(() => false).replacement,
    circuit: circuit.replacement,
    complement: scoresOf((id) => !isNamed.has(id)).replacement,
  };
}

/** Graphs of other tools do not hold what pruning dropped, and without it every score would be too good. */
function requireMissing(inputs: ReadonlyMap<string, NodeInputs>): void {
  for (const { missing, edges } of inputs.values()) {
    if (edges.length === 0 || missing !== undefined) continue;
    throw unusable('its file does not tell how much of the nodes’ input was pruned; trace the prompt again');
  }
}

function subgraphScores(
  graph: CircuitGraph,
  inputs: ReadonlyMap<string, NodeInputs>,
  order: readonly string[],
  isKept: (id: string) => boolean,
): { replacement: number; completeness: number } {
  const kinds = new Map(graph.nodes.map(({ id, kind }) => [id, kind]));
  const start = logitWeights(graph);
  if (start.size === 0) throw unusable('it has no logits');
  const isError = (id: string): boolean => {
    const kind = kinds.get(id);
    return kind !== 'token' && kind !== 'logit' && (kind === 'error' || !isKept(id));
  };
  const influence = new Map<string, number>();
  const sums = { tokens: 0, errors: 0, explained: 0, all: 0 };
  for (const id of order) {
    const own = influence.get(id) ?? 0;
    const reaching = own + (start.get(id) ?? 0);
    if (kinds.get(id) === 'token') sums.tokens += own;
    if (isError(id)) sums.errors += own;
    const into = inputs.get(id)!;
    const shares = isError(id) ? [] : inputShares(into);
    const lost = isError(id) || into.total === 0 ? 0 : (into.missing ?? 0) / into.total;
    for (const [source, share] of shares)
      influence.set(source, (influence.get(source) ?? 0) + reaching * share);
    const fromErrors = shares.reduce((sum, [source, share]) => sum + (isError(source) ? share : 0), lost);
    // What is lost is an error beside the others: it has influence, and nothing behind it.
    sums.errors += reaching * lost;
    sums.explained += reaching * (1 - fromErrors + lost);
    sums.all += reaching * (1 + lost);
  }
  const { tokens, errors, explained, all } = sums;
  return {
    replacement: tokens + errors === 0 ? 0 : tokens / (tokens + errors),
    completeness: all === 0 ? 0 : explained / all,
  };
}

function unusable(reason: string): EngineError {
  return new EngineError('request.invalid', { what: 'The attribution graph', reason });
}
