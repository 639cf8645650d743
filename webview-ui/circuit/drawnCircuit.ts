/** Where the marks of a circuit stand: columns of tokens or sites, with sizes that suit the number of marks. Pure. */

import type { CircuitGraph, CircuitNode } from '../../src/shared/circuit.ts';
import { formatToken } from '../../src/shared/format.ts';
import { strings } from '../lib/strings.ts';
import { type CircuitLayout, layoutCircuit, markSize } from '../marks/circuitLayout.ts';
import type { Mark, MarkEdge } from '../marks/circuitMark.ts';
import { leastStretch, type Size } from '../marks/planeView.ts';
import type { Drawing } from './circuitMarks.ts';
import { shortName } from './nodeName.ts';

/** Up to this many nodes each mark has its name beside it. */
const mostNamed = 64;

/** Characters of a name beside a mark at least; below that there are no names. */
const leastNameLength = 11;

/** Characters of names, and how many nodes fewer stand side by side for them: what is best to look at first. */
const namedShapes = [
  [32, 0],
  [24, 0],
  [18, 0],
  [24, 1],
  [18, 1],
  [14, 0],
  [14, 1],
  [leastNameLength, 0],
  [leastNameLength, 1],
  [14, 2],
  [leastNameLength, 2],
] as const;

/** Characters that a group's box has more. */
const moreInBox = 3;

/** Characters of an answer's name: it stands alone at the top. */
const leastLogitName = 24;

/** Least scales at which short names and marks alone are drawn; longer names want to be read as they are. */
const leastNamedScale = 0.86;
const leastPlainScale = 0.8;

/** How many nodes more or fewer stand side by side, of which the best is taken where marks alone do not fit. */
const plainShapes = [-24, -12, 0, 4, 8] as const;

/** Edges drawn when no node is looked at; a node under the pointer shows all of its own. */
const mostEdges = 220;

/** What the layout needs to know of a graph. */
export type LaidOutGraph = Pick<CircuitGraph, 'nLayers' | 'tokens' | 'isAggregated'>;

/** Least heights of bands, by layer. */
export type BandHeights = ReadonlyMap<number, number>;

/** Heights of bands that hold what either of two drawings has in a layer. */
export function sharedHeights(
  one: { readonly graph: LaidOutGraph; readonly drawing: Drawing },
  other: typeof one,
): BandHeights {
  const heights = new Map<number, number>();
  for (const { graph, drawing } of [one, other]) {
    for (const { layer, height } of layoutDrawing(graph, drawing, 0).bands)
      heights.set(layer, Math.max(height, heights.get(layer) ?? 0));
  }
  return heights;
}

/** The layout that shows most in a viewport: with names as long as they can be, without, or with upright tokens. */
export function fitDrawing(
  graph: LaidOutGraph,
  drawing: Drawing,
  { width, height }: Size,
  leastHeights?: BandHeights,
): CircuitLayout {
  if (drawing.marks.length <= mostNamed) {
    for (const [length, fewer] of namedShapes) {
      const layout = layoutDrawing(graph, drawing, length, { fewer, leastHeights });
      const scale = length === leastNameLength ? leastNamedScale : 1;
      if (width >= layout.width * scale && height >= layout.height * scale * leastStretch) return layout;
    }
  }
  const plain = layoutDrawing(graph, drawing, 0, { leastHeights });
  const scaleOf = (layout: CircuitLayout): number =>
    Math.min(1, width / layout.width, height / (layout.height * leastStretch));
  if (scaleOf(plain) >= leastPlainScale || width === 0) return plain;
  const isUpright = !graph.isAggregated;
  const tried = plainShapes.map((fewer) =>
    layoutDrawing(graph, drawing, 0, { fewer, isUpright, leastHeights }),
  );
  return tried.reduce((best, layout) => (scaleOf(layout) > scaleOf(best) ? layout : best), plain);
}

/** The layout of a picture that is as wide as it has to be. */
export function wideDrawing(graph: LaidOutGraph, drawing: Drawing): CircuitLayout {
  return layoutDrawing(graph, drawing, drawing.marks.length <= mostNamed ? namedShapes[0][0] : 0);
}

/** What a layout may be asked for. */
interface LayoutWishes {
  /** Nodes fewer side by side than there usually are. */
  readonly fewer?: number;
  /** Tokens are written upright, under columns that are no wider than a mark. */
  readonly isUpright?: boolean;
  readonly leastHeights?: BandHeights;
}

/** The marks in their places; names take room of their own, 0 is for none. */
export function layoutDrawing(
  graph: LaidOutGraph,
  { marks, edges }: Drawing,
  nameLength: number = leastNameLength,
  { fewer = 0, isUpright, leastHeights }: LayoutWishes = {},
): CircuitLayout {
  const named = nameLength > 0;
  return layoutCircuit(marks, edges, {
    nLayers: graph.nLayers,
    slotOf: named ? (mark) => namedSlot(mark, nameLength) : (mark) => plainSlot(mark),
    boxOf: (mark) => (mark.members ? boxWidth(mark, nameLength) : undefined),
    align: named ? 'start' : 'middle',
    row: named ? 28 : 26,
    perRow: Math.max(1, perRow(graph, named) - fewer),
    ...(graph.isAggregated && { columnOf: siteColumn, dense: true }),
    labelWidth: (column) => {
      if (isUpright) return markSize;
      const length = [...formatToken(columnName(graph, column))].length;
      return Math.min(84, Math.max(30, length * 8 + 8));
    },
    nameLength,
    leastHeights,
  });
}

/** Three or four sites have more room side by side than a dozen tokens. */
function perRow(graph: LaidOutGraph, named: boolean): number {
  if (graph.isAggregated) return named ? 3 : 14;
  return named ? 2 : 8;
}

const siteStrings = [strings.siteAttention, strings.siteStream, strings.siteMlp, strings.siteOther];

/** The site that a node of an aggregated circuit stands in: 0 attention, 1 the stream and what it begins and ends with, 2 MLP. */
export function siteColumn(mark: CircuitNode & Pick<Mark, 'members'>): number {
  if (mark.members) {
    const columns = new Set(mark.members.map((member) => siteColumn(member)));
    return columns.size === 1 ? [...columns][0]! : 3;
  }
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
export function nameBeside(mark: Mark, nameLength: number): string | undefined {
  if (mark.members) return shortName(mark, Math.max(leastNameLength, nameLength) + moreInBox);
  if (mark.kind === 'token' && mark.given === undefined) return undefined;
  return shortName(mark, mark.kind === 'logit' ? Math.max(leastLogitName, nameLength) : nameLength);
}

/** Width of a group's box: its name and the number of its nodes. */
function boxWidth(mark: Mark, nameLength: number): number {
  const name = [...(nameBeside(mark, nameLength) ?? '')].length;
  return 22 + 6.2 * (name + String(mark.members?.length ?? 0).length);
}

function plainSlot(mark: Mark): number {
  return mark.members ? boxWidth(mark, 0) + 4 : markSize;
}

/** A mark and its name, in a font whose characters are about 6 pixels wide. */
function namedSlot(mark: Mark, nameLength: number): number {
  if (mark.members) return boxWidth(mark, nameLength) + 8;
  const name = nameBeside(mark, nameLength);
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
