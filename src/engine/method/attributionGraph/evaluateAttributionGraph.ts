/** Scores of a part of an attribution graph: how much of what reaches the logits its features explain. */
import type { CircuitEvaluation, CircuitGraph } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';

/**
 * The two scores of an attribution graph (Ameisen et al. 2025; circuit-tracer's `compute_graph_scores`) with every
 * feature that is not kept counted as an error: what enters it is not traced further back. Tokens and logits always
 * count as kept. Nothing is run: the scores follow from the edges that the graph has.
 *
 * `faithfulness` is the replacement score, the tokens' share of the influence that starts in tokens and in errors.
 * `completeness` is the completeness score, the share of the nodes' inputs that comes from kept features and tokens,
 * weighted by the nodes' influence: near 1 when little is missing, unlike the completeness of ablated circuits. `full`
 * and `empty` are the replacement scores with all features and with none, `circuit` that of the kept ones and
 * `complement` that of all others.
 * @throws request.invalid when the graph has no logits, or its edges run in a circle.
 */
export function evaluateAttributionGraph(graph: CircuitGraph, kept: readonly string[]): CircuitEvaluation {
  const isNamed = new Set(kept);
  const inputs = inputsByTarget(graph);
  const order = targetsFirst(inputs);
  const scoresOf = (isKept: (id: string) => boolean) => subgraphScores(graph, inputs, order, isKept);
  const circuit = scoresOf((id) => isNamed.has(id));
  return {
    faithfulness: circuit.replacement,
    completeness: circuit.completeness,
    full: scoresOf(() => true).replacement,
    empty: scoresOf(() => false).replacement,
    circuit: circuit.replacement,
    complement: scoresOf((id) => !isNamed.has(id)).replacement,
  };
}

interface Inputs {
  total: number;
  readonly edges: { readonly source: string; readonly weight: number }[];
}

/** What enters each node from others of the graph, as absolute values. */
function inputsByTarget({ nodes, edges }: CircuitGraph): ReadonlyMap<string, Inputs> {
  const inputs = new Map<string, Inputs>(nodes.map(({ id }) => [id, { total: 0, edges: [] }]));
  for (const { source, target, weight } of edges) {
    const into = inputs.get(target);
    if (!into || !inputs.has(source)) continue;
    into.total += Math.abs(weight);
    into.edges.push({ source, weight: Math.abs(weight) });
  }
  return inputs;
}

/** Ids in an order in which every target comes before what it has inputs from. */
function targetsFirst(inputs: ReadonlyMap<string, Inputs>): readonly string[] {
  const waiting = new Map([...inputs.keys()].map((id) => [id, 0]));
  for (const { edges } of inputs.values())
    for (const { source } of edges) waiting.set(source, waiting.get(source)! + 1);
  const order = [...waiting].filter(([, targets]) => targets === 0).map(([id]) => id);
  for (let at = 0; at < order.length; at++) {
    for (const { source } of inputs.get(order[at]!)!.edges) {
      const left = waiting.get(source)! - 1;
      waiting.set(source, left);
      if (left === 0) order.push(source);
    }
  }
  if (order.length === waiting.size) return order;
  throw unusable('its edges run in a circle');
}

function subgraphScores(
  graph: CircuitGraph,
  inputs: ReadonlyMap<string, Inputs>,
  order: readonly string[],
  isKept: (id: string) => boolean,
): { replacement: number; completeness: number } {
  const kinds = new Map(graph.nodes.map(({ id, kind }) => [id, kind]));
  const start = logitWeights(graph);
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
    const shares = isError(id) ? [] : inputShares(inputs.get(id)!);
    for (const [source, share] of shares)
      influence.set(source, (influence.get(source) ?? 0) + reaching * share);
    const fromErrors = shares.reduce((sum, [source, share]) => sum + (isError(source) ? share : 0), 0);
    sums.explained += reaching * (1 - fromErrors);
    sums.all += reaching;
  }
  const { tokens, errors, explained, all } = sums;
  return {
    replacement: tokens + errors === 0 ? 0 : tokens / (tokens + errors),
    completeness: all === 0 ? 0 : explained / all,
  };
}

function inputShares({ total, edges }: Inputs): (readonly [source: string, share: number])[] {
  return total === 0 ? [] : edges.map(({ source, weight }) => [source, weight / total] as const);
}

/** The logits' probabilities; equal weights where a file does not tell them. */
function logitWeights({ nodes }: CircuitGraph): ReadonlyMap<string, number> {
  const logits = nodes.filter(({ kind }) => kind === 'logit');
  if (logits.length === 0) throw unusable('it has no logits');
  const isTold = logits.some(({ probability = 0 }) => probability > 0);
  return new Map(logits.map(({ id, probability = 0 }) => [id, isTold ? probability : 1 / logits.length]));
}

function unusable(reason: string): EngineError {
  return new EngineError('request.invalid', { what: 'The attribution graph', reason });
}
