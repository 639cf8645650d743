/** Numbers small enough for a cell. Pure. */

/** Two decimals at most and no zero before the point: `.42`, `−.07`, `1.3`, `−12`. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  const text = size.toFixed(digitsOf(size)).replace(/^0\./, '.');
  if (/^\.?0+$/.test(text)) return '0';
  return value < 0 ? `−${text}` : text;
}

function digitsOf(size: number): number {
  if (size < 0.995) return 2;
  return size < 9.95 ? 1 : 0;
}

/** A share as whole percent, for cells that all hold percent: `42` for 0.42, `−7`, `.4`. */
export function shortPercent(value: number): string {
  const size = 100 * Math.abs(value);
  const text = size.toFixed(size < 0.95 ? 1 : 0).replace(/^0\./, '.');
  if (/^\.?0+$/.test(text)) return '0';
  return value < 0 ? `−${text}` : text;
}
