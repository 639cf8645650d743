/** Which columns of a wide grid are in view. Pure, so that thousands of columns cost what a screenful costs. */

/** Columns from `first` up to, not including, `end`. */
export interface ColumnWindow {
  readonly first: number;
  readonly end: number;
}

/** The columns that show in a viewport of `width` pixels scrolled to `left`, with `extra` on each side. */
export function columnWindow(options: {
  readonly left: number;
  readonly width: number;
  readonly columnWidth: number;
  readonly count: number;
  readonly extra: number;
}): ColumnWindow {
  const { left, width, columnWidth, count, extra } = options;
  const first = Math.floor(left / columnWidth) - extra;
  const end = Math.ceil((left + width) / columnWidth) + extra;
  return { first: Math.min(count, Math.max(0, first)), end: Math.min(count, Math.max(0, end)) };
}

/** The scroll position that brings `column` into view: unchanged when it is, else centered. */
export function scrollToColumn(options: {
  readonly left: number;
  readonly width: number;
  readonly columnWidth: number;
  readonly column: number;
}): number {
  const { left, width, columnWidth, column } = options;
  const start = column * columnWidth;
  if (start >= left && start + columnWidth <= left + width) return left;
  return Math.max(0, start + columnWidth / 2 - width / 2);
}
