/** A circuit as it is written to files: without paths of the machine it was made on. */

import type { CircuitGraph } from './circuit.ts';
import type { SaeId } from './domain.ts';

/**
 * The graph with every SAE named by its hook instead of its folder; provenance tells hooks' hashes. SAEs that
 * `hookOf` does not know keep the last part of their path.
 */
export function portableCircuit<G extends CircuitGraph>(
  graph: G,
  hookOf: (sae: SaeId) => string | undefined,
): G {
  return withSaes(graph, (sae) => hookOf(sae) ?? lastPart(sae));
}

/** The graph with other names for its SAEs. */
export function withSaes<G extends CircuitGraph>(graph: G, nameOf: (sae: string) => string): G {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.feature ? { ...node, feature: { ...node.feature, sae: nameOf(node.feature.sae) } } : node,
    ),
  };
}

/** The graph with another path for the file of its task, when it has one. */
export function withTaskPath<G extends CircuitGraph>(graph: G, pathOf: (path: string) => string): G {
  const { pairs } = graph;
  if (pairs?.kind !== 'task' || pairs.task.kind !== 'file') return graph;
  return { ...graph, pairs: { ...pairs, task: { ...pairs.task, path: pathOf(pairs.task.path) } } };
}

/** The way from `folder` to `file`, with slashes; the file's name alone when they have no root in common. */
export function relativePath(folder: string, file: string): string {
  const from = partsOf(folder);
  const to = partsOf(file);
  if (rootOf(folder) !== rootOf(file)) return lastPart(file);
  let same = 0;
  while (same < from.length && same < to.length - 1 && from[same] === to[same]) same++;
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/');
}

/** The last part of a path. */
export function lastPart(path: string): string {
  return partsOf(path).at(-1) ?? path;
}

function partsOf(path: string): string[] {
  return path.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
}

function rootOf(path: string): string {
  return (/^([a-z]:|[\\/]{1,2})?/i.exec(path)?.[0] ?? '').replaceAll('\\', '/').toLowerCase();
}
