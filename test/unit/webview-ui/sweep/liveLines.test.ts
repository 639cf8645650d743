/** Long grids without the rows and columns in which nothing can happen. */
import { describe, expect, it } from 'vitest';
import { cellAt, layOutGrid, spotOf } from '../../../../webview-ui/sweep/gridLayout.ts';
import { cropLayout, liveLines } from '../../../../webview-ui/sweep/liveLines.ts';

const labels = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const layout = layOutGrid([
  { name: 'head', labels: labels(2) },
  { name: 'dest_pos', labels: labels(4) },
  { name: 'src_pos', labels: labels(3) },
]);
/** `[head, to, from]`, all alike but for the given cells. */
function valuesWith(
  changes: readonly (readonly [head: number, to: number, from: number, value: number])[],
  resting = 0,
) {
  const values = new Float32Array(24).fill(resting);
  for (const [head, to, from, value] of changes) values[(head * 4 + to) * 3 + from] = value;
  return values;
}

describe('rows and columns with something to show', () => {
  it('are those with an effect in any part', () => {
    const values = valuesWith([
      [0, 2, 1, 0.5],
      [1, 3, 0, -0.2],
      [1, 0, 2, 1e-9],
    ]);
    expect(liveLines(layout, values, 0)).toEqual({ rows: [2, 3], columns: [0, 1] });
  });

  it('count from the value of a cell that changes nothing', () => {
    expect(liveLines(layout, valuesWith([[0, 1, 1, 0]], 1), 1)).toEqual({ rows: [1], columns: [1] });
  });

  it('stay while a cell of theirs is unknown', () => {
    expect(liveLines(layout, valuesWith([[1, 3, 2, Number.NaN]]), 0)).toEqual({ rows: [3], columns: [2] });
  });
});

describe('a cropped layout', () => {
  const cropped = cropLayout(layout, { rows: [1, 3], columns: [0, 2] });

  it('has the same cells at fewer places, in every part', () => {
    expect(cropped.rows.map(({ label }) => label)).toEqual(['1', '3']);
    expect(cropped.columns.map(({ label }) => label)).toEqual(['0', '2']);
    expect(cropped.facets).toBe(layout.facets);
    for (const facet of [0, 1]) {
      for (const [row, to] of [1, 3].entries()) {
        for (const [column, from] of [0, 2].entries()) {
          const cell = cellAt(cropped, { facet, row, column });
          expect(cell).toBe((facet * 4 + to) * 3 + from);
          expect(spotOf(cropped, cell)).toEqual({ facet, row, column });
        }
      }
    }
  });

  it('has no spot for a cell that is left out', () => {
    expect(spotOf(cropped, 0)).toBeUndefined();
    expect(spotOf(cropped, 24)).toBeUndefined();
  });
});
