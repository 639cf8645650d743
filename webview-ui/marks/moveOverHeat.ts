/** Moving over the cells of a heat map by keyboard. Pure. */

/** A place on the grid. */
export interface HeatSpot {
  readonly row: number;
  readonly column: number;
}

/** The place that a key leads to; rows count from the top. Undefined when the key is not for moving. */
export function moveOverHeat(
  key: string,
  { row, column }: HeatSpot,
  rows: number,
  columns: number,
): HeatSpot | undefined {
  const moves: Readonly<Record<string, HeatSpot>> = {
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
