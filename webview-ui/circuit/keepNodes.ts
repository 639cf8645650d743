/** Pruning: which nodes of a circuit stay. Pure. */

import type { CircuitEdge, CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';

/** True for nodes that compute something, as opposed to the prompt's tokens and the answer. */
export function isComponent(node: CircuitNode): boolean {
  return node.kind !== 'token' && node.kind !== 'logit';
}

/**
 * Ids of the nodes that stay: the strongest `fraction` of the components by |effect| (rounded up), what is
 * pinned, the logits, and every token that is joined to one of these.
 */
export function keepNodes(
  graph: CircuitGraph,
  fraction: number,
  pinned: readonly string[],
): ReadonlySet<string> {
  const components = graph.nodes.filter(isComponent).sort(strongestFirst);
  const count = Math.ceil(Math.min(1, Math.max(0, fraction)) * components.length);
  const kept = new Set(components.slice(0, count).map((node) => node.id));
  for (const node of graph.nodes) {
    if (node.kind === 'logit' || pinned.includes(node.id)) kept.add(node.id);
  }
  const tokens = new Set(graph.nodes.filter((node) => node.kind === 'token').map((node) => node.id));
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
export function keepEdges(
  graph: CircuitGraph,
  kept: ReadonlySet<string>,
  limit: number,
): readonly CircuitEdge[] {
  return graph.edges
    .filter(({ source, target }) => kept.has(source) && kept.has(target))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, limit);
}

/** Larger |effect| first; equal ones by id, so that the order is always the same. */
function strongestFirst(a: CircuitNode, b: CircuitNode): number {
  return Math.abs(b.effect) - Math.abs(a.effect) || compareText(a.id, b.id);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
