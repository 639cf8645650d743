/** Rows and columns of a sweep that have something to show: where a prompt is long, most of them cannot change anything. Pure. */

import type { GridLayout } from './gridLayout.ts';

/** Places of the rows and columns that are drawn, in their order. */
export interface LiveLines {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

/** Effects below this are what rounding leaves of none. */
const leastEffect = 1e-6;

/** Rows and columns that hold, in any part, a cell that is unknown or has an effect. */
export function liveLines(layout: GridLayout, values: Float32Array, resting: number): LiveLines {
  const [rows, columns] = [layout.rows.length, layout.columns.length];
  const [isRowLive, isColumnLive] = [new Uint8Array(rows), new Uint8Array(columns)];
  const { cells } = layout;
  for (let place = 0; place < cells.length; place++) {
    const cell = cells[place]!;
    if (cell < 0 || Math.abs(values[cell]! - resting) <= leastEffect) continue;
    const column = place % columns;
    isColumnLive[column] = 1;
    isRowLive[((place - column) / columns) % rows] = 1;
  }
  return { rows: placesOf(isRowLive), columns: placesOf(isColumnLive) };
}

function placesOf(live: Uint8Array): readonly number[] {
  return [...live.keys()].filter((place) => live[place] === 1);
}

/** The same parts with these rows and columns alone. Cells that are left out have no spot. */
export function cropLayout(layout: GridLayout, { rows, columns }: LiveLines): GridLayout {
  const [height, width] = [layout.rows.length, layout.columns.length];
  const cells = new Int32Array(layout.facets.length * rows.length * columns.length);
  const spots = new Int32Array(layout.spots.length).fill(-1);
  let place = 0;
  for (let facet = 0; facet < layout.facets.length; facet++) {
    for (const row of rows) {
      for (const column of columns) {
        const cell = layout.cells[(facet * height + row) * width + column]!;
        if (cell >= 0) spots[cell] = place;
        cells[place++] = cell;
      }
    }
  }
  const at = <Line>(lines: readonly Line[], places: readonly number[]) => places.map((line) => lines[line]!);
  return {
    rows: at(layout.rows, rows),
    columns: at(layout.columns, columns),
    facets: layout.facets,
    cells,
    spots,
  };
}
