/**
 * Places the nodes of a circuit on a plane: a column for each token position that has nodes (or each site, where nodes stand
 * for all positions), a band for each layer, tokens at the bottom and logits at the top. Deterministic.
 */

import type { CircuitEdge, CircuitNodeKind } from '../../src/shared/circuit.ts';
import type { Mark } from './circuitMark.ts';
import { orderGroups } from './circuitOrder.ts';

/** A node and the middle of its mark, in pixels from the top left. */
export interface PlacedNode {
  readonly node: Mark;
  readonly x: number;
  readonly y: number;
  /** Width of its box, when it is drawn as one; the box begins where a mark would. */
  readonly box?: number;
}

/** One token position, or whatever `columnOf` counts. `skipped` counts the positions without nodes since the column before. */
export interface Column {
  readonly position: number;
  readonly left: number;
  readonly width: number;
  readonly skipped: number;
}

/** One layer; −1 holds the tokens, `nLayers` the logits. */
export interface Band {
  readonly layer: number;
  readonly top: number;
  readonly height: number;
  readonly empty: boolean;
}

/** Everything in its place. */
export interface CircuitLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly columns: readonly Column[];
  readonly bands: readonly Band[];
  /** Characters of the names that have room beside the marks; 0 when there are none. */
  readonly nameLength: number;
}

/** Sizes in pixels, and how wide a column wants to be for its token. */
export interface LayoutOptions {
  readonly nLayers: number;
  /** Room for a node in its row, with the name that stands right of its mark, if any. */
  readonly slotOf: (node: Mark) => number;
  /** Width of the box that a node is drawn as; none for those drawn as marks. */
  readonly boxOf?: (node: Mark) => number | undefined;
  /** Whether the nodes of a column begin at its left edge, so that marks line up, or gather in its middle. */
  readonly align: 'start' | 'middle';
  /** Height of one row of nodes. */
  readonly row: number;
  /** Most nodes side by side before a cell starts another row. */
  readonly perRow: number;
  readonly labelWidth: (position: number) => number;
  readonly nameLength?: number;
  /** The column of a node; its token position when left out. */
  readonly columnOf?: (node: Mark) => number;
  /** Columns that hold nothing leave no gap. */
  readonly dense?: boolean;
  /** Least heights of bands by layer, so that two pictures beside each other have theirs at one height. */
  readonly leastHeights?: ReadonlyMap<number, number>;
}

/** Width and height of a mark with the room around it: the least size of a target that a pointer can hit. */
export const markSize = 24;

const bandPadding = 7;
const emptyBand = 10;
const columnGap = 10;
const skipGap = 14;

/** Rows within a layer, in the order in which a block computes. */
const kindRow: Readonly<Record<CircuitNodeKind, number>> = {
  token: 0,
  head: 0,
  mlp: 1,
  neuron: 2,
  feature: 2,
  error: 2,
  bias: 0,
  other: 2,
  logit: 0,
};

/** Places `nodes`. Edges say who stands beside whom, and that within a layer a target stands above its source. */
export function layoutCircuit(
  nodes: readonly Mark[],
  edges: readonly CircuitEdge[],
  options: LayoutOptions,
): CircuitLayout {
  const cells = makeCells(nodes, edges, options);
  const columns = placeColumns(cells, options);
  const bands = placeBands(cells, options);
  const columnAt = new Map(columns.map((column) => [column.position, column]));
  const bandAt = new Map(bands.map((band) => [band.layer, band]));
  const placed: PlacedNode[] = [];
  for (const cell of cells) {
    const column = columnAt.get(cell.position);
    const band = bandAt.get(cell.layer);
    // A file may name layers that its model does not have.
    if (!column || !band) continue;
    cell.lines.forEach((line, i) => {
      const y = band.top + band.height - bandPadding - (cell.base + i + 0.5) * options.row;
      let left = column.left;
      if (options.align === 'middle') left += (column.width - lineWidth(line, options)) / 2;
      for (const node of line) {
        const box = options.boxOf?.(node);
        placed.push({ node, x: left + markSize / 2, y, ...(box !== undefined && { box }) });
        left += options.slotOf(node);
      }
    });
  }
  const last = columns[columns.length - 1];
  const bottom = bands[bands.length - 1];
  return {
    width: last ? last.left + last.width + columnGap : 0,
    height: bottom ? bottom.top + bottom.height : 0,
    nodes: placed,
    columns,
    bands,
    nameLength: options.nameLength ?? 0,
  };
}

/** The nodes of one position in one row of one layer, broken into lines. */
interface Cell {
  readonly position: number;
  readonly layer: number;
  readonly row: number;
  readonly lines: readonly (readonly Mark[])[];
  /** Line of the band, from its bottom, on which the first of `lines` stands. */
  base: number;
}

function makeCells(
  nodes: readonly Mark[],
  edges: readonly CircuitEdge[],
  options: LayoutOptions,
): readonly Cell[] {
  const rows = rowsWithinLayers(nodes, edges);
  const columnOf = options.columnOf ?? ((node: Mark) => node.position);
  const groups = new Map<string, Mark[]>();
  for (const node of [...nodes].sort(inCellOrder)) {
    const key = `${columnOf(node)}/${node.layer}/${rows.get(node.id)}`;
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  orderCells([...groups.values()], columnOf, edges);
  const cells: Cell[] = [...groups.values()].map((group) => {
    const first = group[0]!;
    // Neighbours go into lines in turn, so that each stays at its place from left to right.
    const count = Math.ceil(group.length / options.perRow);
    const lines = Array.from({ length: count }, (_, line) => group.filter((_, i) => i % count === line));
    return { position: columnOf(first), layer: first.layer, row: rows.get(first.id)!, lines, base: 0 };
  });
  stackRows(cells);
  return cells;
}

/** From the bottom up: what a node is made of stands before it is placed. */
function orderCells(
  groups: readonly Mark[][],
  columnOf: (node: Mark) => number,
  edges: readonly CircuitEdge[],
): void {
  const columns = [...new Set(groups.map(([first]) => columnOf(first!)))].sort((a, b) => a - b);
  const index = new Map(columns.map((column, i) => [column, i]));
  const ordered = groups
    .map((nodes) => ({ column: index.get(columnOf(nodes[0]!))!, nodes }))
    .sort((a, b) => a.nodes[0]!.layer - b.nodes[0]!.layer);
  orderGroups(ordered, edges);
}

/** Gives each row of a layer as many lines as its fullest cell needs. */
function stackRows(cells: readonly Cell[]): void {
  const layers = new Set(cells.map((cell) => cell.layer));
  for (const layer of layers) {
    const inLayer = cells.filter((cell) => cell.layer === layer);
    const rows = [...new Set(inLayer.map((cell) => cell.row))].sort((a, b) => a - b);
    let base = 0;
    for (const row of rows) {
      const inRow = inLayer.filter((cell) => cell.row === row);
      for (const cell of inRow) cell.base = base;
      base += Math.max(...inRow.map((cell) => cell.lines.length));
    }
  }
}

function rowsWithinLayers(
  nodes: readonly Mark[],
  edges: readonly CircuitEdge[],
): ReadonlyMap<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rows = new Map(nodes.map((node) => [node.id, kindRow[node.kind]]));
  const within = edges.filter(({ source, target }) => {
    const from = byId.get(source);
    return from !== undefined && source !== target && from.layer === byId.get(target)?.layer;
  });
  // A layer is a few rows deep; the bound ends the loop on a graph with a cycle, which no model has.
  for (let round = 0, moved = true; moved && round < 8; round++) {
    moved = false;
    for (const { source, target } of within) {
      const least = rows.get(source)! + 1;
      if (rows.get(target)! >= least) continue;
      rows.set(target, least);
      moved = true;
    }
  }
  return rows;
}

function lineWidth(line: readonly Mark[], options: LayoutOptions): number {
  let width = 0;
  for (const node of line) width += options.slotOf(node);
  return width;
}

function placeColumns(cells: readonly Cell[], options: LayoutOptions): readonly Column[] {
  const widest = new Map<number, number>();
  for (const { position, lines } of cells) {
    const width = Math.max(...lines.map((line) => lineWidth(line, options)));
    widest.set(position, Math.max(widest.get(position) ?? 0, width));
  }
  const columns: Column[] = [];
  let left = columnGap;
  let before: number | undefined;
  for (const position of [...widest.keys()].sort((a, b) => a - b)) {
    const skipped = options.dense ? 0 : position - (before ?? -1) - 1;
    if (skipped > 0) left += skipGap;
    const width = Math.max(widest.get(position)!, options.labelWidth(position));
    columns.push({ position, left, width, skipped });
    left += width + columnGap;
    before = position;
  }
  return columns;
}

function placeBands(cells: readonly Cell[], options: LayoutOptions): readonly Band[] {
  const bands: Band[] = [];
  let top = 0;
  for (let layer = options.nLayers; layer >= -1; layer--) {
    const lines = Math.max(0, ...cells.filter((c) => c.layer === layer).map((c) => c.base + c.lines.length));
    const own = lines === 0 ? emptyBand : lines * options.row + 2 * bandPadding;
    const height = Math.max(own, options.leastHeights?.get(layer) ?? 0);
    bands.push({ layer, top, height, empty: lines === 0 });
    top += height;
  }
  return bands;
}

function inCellOrder(a: Mark, b: Mark): number {
  return (
    kindRow[a.kind] - kindRow[b.kind] ||
    (a.head ?? 0) - (b.head ?? 0) ||
    (a.feature?.index ?? a.neuron ?? 0) - (b.feature?.index ?? b.neuron ?? 0) ||
    compareText(a.id, b.id)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The middle of a node as edges see it: that of its box, when it has one. */
export function anchorOf(place: PlacedNode): PlacedNode {
  return place.box === undefined ? place : { ...place, x: place.x - markSize / 2 + place.box / 2 };
}

/** An edge's path from the top of its source to the bottom of its target. Edges in one column bow to the left, away from names. */
export function edgePath(from: PlacedNode, to: PlacedNode, radius: number): string {
  const startY = from.y - radius;
  const endY = to.y + radius;
  const rise = Math.max(12, (startY - endY) * 0.45);
  const bow = Math.abs(from.x - to.x) < 1 ? Math.min(44, Math.max(0, startY - endY - 8) * 0.12) : 0;
  const points = [from.x, startY, from.x - bow, startY - rise, to.x - bow, endY + rise, to.x, endY].map(
    round,
  );
  const [x1, y1, c1x, c1y, c2x, c2y, x2, y2] = points;
  return `M${x1} ${y1}C${c1x} ${c1y} ${c2x} ${c2y} ${x2} ${y2}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
