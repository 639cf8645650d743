/** Pruning: which nodes of a circuit stay. Pure. */

import type { CircuitAnnotations, CircuitEdge, CircuitGraph, CircuitNode } from './circuit.ts';

/** By what nodes are ordered before the last of them are pruned. */
export type KeepOrder = 'effect' | 'influence';

/** True for nodes that compute something, as opposed to the prompt's tokens and the answer. */
export function isComponent(node: Pick<CircuitNode, 'kind'>): boolean {
  return node.kind !== 'token' && node.kind !== 'logit';
}

/** Whether nodes can be ordered by influence: every component must say how much of it there is. */
export function hasInfluence(graph: CircuitGraph): boolean {
  const components = graph.nodes.filter(isComponent);
  return components.length > 0 && components.every(({ influence }) => influence !== undefined);
}

/** Components, the last to be pruned first: by size of effect, or by influence; equal ones by id. */
export function rankNodes(graph: CircuitGraph, order: KeepOrder = 'effect'): readonly CircuitNode[] {
  // Influence counts up to a node and all stronger ones, so the strongest has least.
  const worth = (node: CircuitNode): number =>
    order === 'influence' ? -(node.influence ?? 1) : Math.abs(node.effect);
  return graph.nodes.filter(isComponent).sort((a, b) => worth(b) - worth(a) || compareText(a.id, b.id));
}

/** Nodes that stay wherever the slider is: what is pinned, and what somebody has grouped. */
export function heldNodes(annotations: Pick<CircuitAnnotations, 'pinned' | 'supernodes'>): readonly string[] {
  return [...annotations.pinned, ...annotations.supernodes.flatMap(({ nodes }) => nodes)];
}

/**
 * Ids of the nodes that stay: the first `fraction` of the ranked components (rounded up), what is held, the logits, and
 * every token that is joined to one of these.
 */
export function keepNodes(
  graph: CircuitGraph,
  fraction: number,
  held: readonly string[],
  ranked: readonly CircuitNode[] = rankNodes(graph),
): ReadonlySet<string> {
  // A share such as 29/100 of 100 nodes is 29 of them, whatever its rounding.
  const count = Math.ceil(Math.min(1, Math.max(0, fraction)) * ranked.length - 1e-9);
  const kept = new Set(ranked.slice(0, count).map((node) => node.id));
  const holds = new Set(held);
  const tokens = new Set<string>();
  for (const node of graph.nodes) {
    if (node.kind === 'logit' || holds.has(node.id)) kept.add(node.id);
    if (node.kind === 'token') tokens.add(node.id);
  }
  for (const { source, target } of graph.edges) {
    if (tokens.has(source) && kept.has(target)) kept.add(source);
  }
  return kept;
}

/** How many components a graph has, and how many of them are in `kept`. */
export function countComponents(
  graph: CircuitGraph,
  kept: ReadonlySet<string>,
): { readonly total: number; readonly kept: number } {
  const components = graph.nodes.filter(isComponent);
  return { total: components.length, kept: components.filter((node) => kept.has(node.id)).length };
}

/** Edges whose two ends stay, heaviest first, at most `limit` of them. */
export function keepEdges<Edge extends CircuitEdge>(
  edges: readonly Edge[],
  kept: { readonly has: (id: string) => boolean },
  limit = Number.POSITIVE_INFINITY,
): readonly Edge[] {
  return edges
    .filter(({ source, target }) => kept.has(source) && kept.has(target))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, limit);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
