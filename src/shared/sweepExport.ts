/** A sweep as a file: a table with one line for each cell, or JSON that says how the numbers came about. */

import { cellIndices, cellPlace, componentName } from './sweepCell.ts';
import type { SweepView } from './sweepViewApi.ts';

/** Lines of comma-separated values: the axes, the token where there is one, value, mean metric, pairs. Only known cells. */
export function sweepCsv(sweep: SweepView): string {
  const { outline, question } = sweep;
  if (!outline) return '';
  const { axes } = outline;
  const tokens = axes.some(({ name }) => /pos$/.test(name)) ? outline.tokens : undefined;
  const head = [...axes.map(({ name }) => name), 'component', ...(tokens ? ['token'] : [])];
  const lines = [[...head, 'value', outline.metric, 'pairs'].map(csvField).join(',')];
  for (const [cell, value] of sweep.values.entries()) {
    if (Number.isNaN(value)) continue;
    const place = cellPlace(question, axes, cell);
    const labels = cellIndices(axes, cell).map((index, axis) => axes[axis]!.labels[index]!);
    const token = tokens ? [tokens.clean[place.position ?? -1] ?? ''] : [];
    const fields = [...labels, componentName(place), ...token].map(csvField);
    lines.push([...fields, value, sweep.raw[cell], sweep.pairs[cell]].join(','));
  }
  return `${lines.join('\n')}\n`;
}

/** A spreadsheet reads a leading =, +, − or @ as a formula: token text is never one (OWASP, CSV injection). */
function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The sweep with its question, its grid and its provenance; unknown cells are null. */
export function sweepJson(sweep: SweepView): string {
  const { outline, question, status, title, values, raw, pairs } = sweep;
  if (!outline) return '';
  const numbers = (array: Float32Array): (number | null)[] =>
    Array.from(array, (value) => (Number.isFinite(value) ? value : null));
  const file = {
    version: 1,
    title,
    question,
    complete: status === 'done',
    ...outline,
    values: numbers(values),
    raw: numbers(raw),
    pairs: [...pairs],
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}
