/** Finding nodes of a circuit by what is written on them. Pure. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { Mark } from '../marks/circuitMark.ts';
import { kindName, ownTitle } from './nodeName.ts';

/** Characters of a query that are read. */
const longestQuery = 100;

/**
 * Nodes on which every word of the query is written: in their label or given name, id, token, kind, hook, or group.
 * Kept ones first, then the strongest first. No words find nothing.
 */
export function searchNodes(
  query: string,
  marks: readonly Mark[],
  graph: Pick<CircuitGraph, 'tokens' | 'isAggregated'>,
  kept: ReadonlySet<string>,
): readonly Mark[] {
  const words = query.slice(0, longestQuery).toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found = marks.filter((mark) => {
    const text = textOf(mark, graph);
    return words.every((word) => text.includes(word));
  });
  return found.sort(
    (a, b) =>
      Number(kept.has(b.id)) - Number(kept.has(a.id)) ||
      Math.abs(b.effect) - Math.abs(a.effect) ||
      compareText(a.id, b.id),
  );
}

function textOf(mark: Mark, graph: Pick<CircuitGraph, 'tokens' | 'isAggregated'>): string {
  const parts = [
    mark.given ?? '',
    ownTitle(mark),
    mark.label.slice(0, 400),
    mark.id,
    kindName(mark.kind),
    mark.hook ?? '',
    mark.groupLabel ?? '',
    mark.feature ? `#${mark.feature.index}` : '',
    graph.isAggregated ? '' : (graph.tokens[mark.position]?.text ?? ''),
  ];
  return parts.join('\n').toLowerCase();
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
