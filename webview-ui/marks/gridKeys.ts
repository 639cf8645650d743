/** Moving over the cells of a grid by keyboard, the same in every grid. Pure. */

/** A place on a grid; rows count from the top, as they are drawn. */
export interface GridSpot {
  readonly row: number;
  readonly column: number;
}

/** How many rows and columns a grid has. */
export interface GridSize {
  readonly rows: number;
  readonly columns: number;
}

/** The place that a key leads to, never over the edge. Undefined when the key is not for moving. */
export function moveOnGrid(
  key: string,
  { row, column }: GridSpot,
  { rows, columns }: GridSize,
): GridSpot | undefined {
  const moves: Readonly<Record<string, GridSpot>> = {
    ArrowLeft: { row, column: column - 1 },
    ArrowRight: { row, column: column + 1 },
    ArrowUp: { row: row - 1, column },
    ArrowDown: { row: row + 1, column },
    Home: { row, column: 0 },
    End: { row, column: columns - 1 },
    PageUp: { row: 0, column },
    PageDown: { row: rows - 1, column },
  };
  const to = Object.hasOwn(moves, key) ? moves[key] : undefined;
  const clamp = (value: number, count: number): number => Math.min(count - 1, Math.max(0, value));
  return to && { row: clamp(to.row, rows), column: clamp(to.column, columns) };
}
