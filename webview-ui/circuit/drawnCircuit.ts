/** Where the marks of a circuit stand: columns of tokens or sites, with sizes that suit the number of marks. Pure. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { formatToken } from '../../src/shared/format.ts';
import { strings } from '../lib/strings.ts';
import { type CircuitLayout, layoutCircuit, markSize } from '../marks/circuitLayout.ts';
import type { Mark, MarkEdge } from '../marks/circuitMark.ts';
import type { Drawing } from './circuitMarks.ts';
import { clipText, shortName } from './nodeName.ts';

/** Up to this many nodes each mark has its name beside it. */
const mostNamed = 44;

/** Characters of a name beside a mark, and in a group's box. */
const nameLength = 11;
const groupNameLength = 14;

/** Edges drawn when no node is looked at; a node under the pointer shows all of its own. */
const mostEdges = 220;

/** What the layout needs to know of a graph. */
export type LaidOutGraph = Pick<CircuitGraph, 'nLayers' | 'tokens' | 'isAggregated'>;

/** True when there is room for names beside the marks. */
export function showsNames(count: number): boolean {
  return count <= mostNamed;
}

/** The marks in their places; names take room of their own. */
export function layoutDrawing(
  graph: LaidOutGraph,
  { marks, edges }: Drawing,
  named = showsNames(marks.length),
): CircuitLayout {
  return layoutCircuit(marks, edges, {
    nLayers: graph.nLayers,
    slotOf: named ? namedSlot : plainSlot,
    boxOf: (mark) => (mark.members ? boxWidth(mark) : undefined),
    align: named ? 'start' : 'middle',
    row: named ? 28 : 26,
    perRow: perRow(graph, named),
    ...(graph.isAggregated && { columnOf: siteColumn, dense: true }),
    labelWidth: (column) => {
      const length = [...formatToken(columnName(graph, column))].length;
      return Math.min(84, Math.max(30, length * 8 + 8));
    },
  });
}

/** Three or four sites have more room side by side than a dozen tokens. */
function perRow(graph: LaidOutGraph, named: boolean): number {
  if (graph.isAggregated) return named ? 3 : 14;
  return named ? 2 : 8;
}

const siteStrings = [strings.siteAttention, strings.siteStream, strings.siteMlp, strings.siteOther];

/** The site that a node of an aggregated circuit stands in: 0 attention, 1 the stream and what it begins and ends with, 2 MLP. */
export function siteColumn(mark: Mark): number {
  if (mark.kind === 'head') return 0;
  if (mark.kind === 'mlp') return 2;
  if (mark.kind === 'token' || mark.kind === 'logit') return 1;
  if (mark.hook === undefined) return mark.kind === 'other' || mark.kind === 'bias' ? 3 : 1;
  if (mark.hook.includes('attn')) return 0;
  return mark.hook.includes('mlp') ? 2 : 1;
}

/** The text under a column: the token, or the site's name. */
export function columnName(graph: LaidOutGraph, column: number): string {
  if (graph.isAggregated) return siteStrings[column] ?? '';
  return graph.tokens[column]?.text ?? '';
}

/** The name beside a mark, or in a group's box; tokens are named by the axis under them. */
export function nameBeside(mark: Mark): string | undefined {
  if (mark.members) return clipText(shortName(mark, groupNameLength), groupNameLength);
  if (mark.kind === 'token' && mark.given === undefined) return undefined;
  return shortName(mark, nameLength);
}

/** Width of a group's box: its name and the number of its nodes. */
function boxWidth(mark: Mark): number {
  const name = [...(nameBeside(mark) ?? '')].length;
  return 22 + 6.2 * (name + String(mark.members?.length ?? 0).length);
}

function plainSlot(mark: Mark): number {
  return mark.members ? boxWidth(mark) + 4 : markSize;
}

/** A mark and its name, in a font whose characters are about 6 pixels wide. */
function namedSlot(mark: Mark): number {
  if (mark.members) return boxWidth(mark) + 8;
  const name = nameBeside(mark);
  return name === undefined ? markSize : markSize + 14 + [...name].length * 6;
}

/** The edges that are drawn at rest, heaviest first. */
export function edgesAtRest(edges: readonly MarkEdge[]): readonly MarkEdge[] {
  if (edges.length <= mostEdges) return edges;
  // What differs between two circuits is what one looks for there.
  const differing = edges.filter(({ change }) => change !== undefined && change !== 'same');
  if (differing.length === 0) return edges.slice(0, mostEdges);
  const alike = edges.filter(({ change }) => change === undefined || change === 'same');
  return [...differing.slice(0, mostEdges), ...alike.slice(0, Math.max(0, mostEdges - differing.length))];
}
