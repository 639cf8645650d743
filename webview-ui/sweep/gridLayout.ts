/** How the axes of a sweep lie on a plane: rows, columns, and small multiples for what is left. Pure. */

import type { SweepOutline } from '../../src/shared/patchingApi.ts';

type Axis = SweepOutline['axes'][number];

/** A row or a column: its axis and its label there; both empty when the sweep has no such axis. */
export interface GridLine {
  readonly axis: string;
  readonly label: string;
}

/** One of the small multiples, by its place on the axes that are neither rows nor columns. */
export interface GridFacet {
  readonly lines: readonly GridLine[];
}

/** Where a cell lies. */
export interface GridSpot {
  readonly facet: number;
  readonly row: number;
  readonly column: number;
}

/** The plan of a sweep's picture. */
export interface GridLayout {
  readonly rows: readonly GridLine[];
  readonly columns: readonly GridLine[];
  readonly facets: readonly GridFacet[];
  /** `[facet, row, column]` the number of the cell; −1 where there is none. */
  readonly cells: Int32Array;
  /** By cell: its place in `cells`; −1 where it is not drawn. */
  readonly spots: Int32Array;
}

const none: GridLine = { axis: '', label: '' };

/** Axes that like to be columns, and those that like to be rows, most eager first. */
const columnAxes = ['src_pos', 'pos', 'role', 'dest_pos', 'head', 'feature'];
const rowAxes = ['dest_pos', 'role', 'head', 'feature', 'layer'];

/** Lays out the axes; layers go up, like the residual stream. */
export function layOutGrid(axes: readonly Axis[]): GridLayout {
  const [only] = axes;
  if (only && axes.length === 1 && only.name === 'sender') return senderLayout(only);
  const column = eagerest(axes, columnAxes, undefined);
  const row = eagerest(axes, rowAxes, column);
  const rest = axes.filter((axis) => axis !== column && axis !== row);
  const rows = lines(row);
  const columns = lines(column);
  const facets = facetsOf(rest);
  const cells = new Int32Array(facets.length * rows.length * columns.length);
  const places = new Map(
    axes.map(({ name, labels }) => [name, new Map(labels.map((label, i) => [label, i]))]),
  );
  for (const [f, facet] of facets.entries()) {
    for (const [r, rowLine] of rows.entries()) {
      for (const [c, columnLine] of columns.entries()) {
        const chosen = [...facet.lines, rowLine, columnLine];
        cells[(f * rows.length + r) * columns.length + c] = axes.reduce((cell, { name, labels }) => {
          const label = chosen.find(({ axis }) => axis === name)?.label ?? '';
          return cell * labels.length + (places.get(name)?.get(label) ?? 0);
        }, 0);
      }
    }
  }
  return withSpots({ rows, columns, facets, cells });
}

/** Senders `layer.head` and `mlp layer` as a grid of layers by heads, MLPs in a column of their own. */
function senderLayout({ labels }: Axis): GridLayout {
  const split = labels.map((label) => {
    const [layer = '', head = 'mlp'] = label.replace('mlp ', '').split('.');
    return { layer, head };
  });
  const layers = [...new Set(split.map(({ layer }) => layer))].sort((a, b) => Number(b) - Number(a));
  const heads = [...new Set(split.map(({ head }) => head))].sort((a, b) => order(a) - order(b));
  const cells = new Int32Array(layers.length * heads.length).fill(-1);
  split.forEach(({ layer, head }, cell) => {
    cells[layers.indexOf(layer) * heads.length + heads.indexOf(head)] = cell;
  });
  const rows = layers.map((label) => ({ axis: 'layer', label }));
  const columns = heads.map((label) => ({ axis: label === 'mlp' ? 'mlp' : 'head', label }));
  return withSpots({ rows, columns, facets: [{ lines: [] }], cells });
}

function order(head: string): number {
  return head === 'mlp' ? Number.POSITIVE_INFINITY : Number(head);
}

function eagerest(
  axes: readonly Axis[],
  names: readonly string[],
  taken: Axis | undefined,
): Axis | undefined {
  for (const name of names) {
    const axis = axes.find((one) => one.name === name && one !== taken);
    if (axis) return axis;
  }
  return undefined;
}

function lines(axis: Axis | undefined): readonly GridLine[] {
  if (!axis) return [none];
  const found = axis.labels.map((label) => ({ axis: axis.name, label }));
  return axis.name === 'layer' ? found.reverse() : found;
}

/** Every choice of the axes that are left, the last one fastest. */
function facetsOf(axes: readonly Axis[]): readonly GridFacet[] {
  return axes.reduce<readonly GridFacet[]>(
    (facets, { name, labels }) =>
      facets.flatMap((facet) => labels.map((label) => ({ lines: [...facet.lines, { axis: name, label }] }))),
    [{ lines: [] }],
  );
}

function withSpots(layout: Omit<GridLayout, 'spots'>): GridLayout {
  const spots = new Int32Array(layout.cells.reduce((most, cell) => Math.max(most, cell), -1) + 1);
  layout.cells.forEach((cell, place) => {
    if (cell >= 0) spots[cell] = place;
  });
  return { ...layout, spots };
}

/** The cell at a spot; −1 when there is none. */
export function cellAt({ cells, rows, columns }: GridLayout, { facet, row, column }: GridSpot): number {
  return cells[(facet * rows.length + row) * columns.length + column] ?? -1;
}

/** Where a cell lies; nothing for a number that is no cell. */
export function spotOf({ spots, rows, columns }: GridLayout, cell: number): GridSpot | undefined {
  const place = spots[cell] ?? -1;
  if (place < 0) return undefined;
  const column = place % columns.length;
  const line = Math.floor(place / columns.length);
  return { facet: Math.floor(line / rows.length), row: line % rows.length, column };
}
