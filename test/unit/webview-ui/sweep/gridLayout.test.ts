/** Sweeps on a plane: every cell has one place, layers go up, positions go right. */
import { describe, expect, it } from 'vitest';
import { differenceOf, hasMore, scaleEnd, strongestCells } from '../../../../webview-ui/sweep/cellEffects.ts';
import { cellAt, type GridLayout, layOutGrid, spotOf } from '../../../../webview-ui/sweep/gridLayout.ts';

const axis = (name: string, size: number) => ({
  name,
  labels: Array.from({ length: size }, (_, i) => String(i)),
});
const shape = ({ facets, rows, columns }: GridLayout) => [
  facets.map(({ lines }) => lines.map(({ axis: name, label }) => `${name} ${label}`).join(' ')),
  rows.map(({ axis: name, label }) => `${name} ${label}`),
  columns.map(({ axis: name, label }) => `${name} ${label}`),
];

describe('layOutGrid', () => {
  it('puts layers upward and positions to the right', () => {
    const layout = layOutGrid([axis('layer', 2), axis('pos', 3)]);
    expect(shape(layout)).toEqual([[''], ['layer 1', 'layer 0'], ['pos 0', 'pos 1', 'pos 2']]);
    // Row-major by layer and position: layer 1 is the upper row.
    expect([...layout.cells]).toEqual([3, 4, 5, 0, 1, 2]);
  });

  it('draws heads by position once for every layer', () => {
    const layout = layOutGrid([axis('layer', 2), axis('pos', 3), axis('head', 2)]);
    expect(shape(layout)).toEqual([
      ['layer 0', 'layer 1'],
      ['head 0', 'head 1'],
      ['pos 0', 'pos 1', 'pos 2'],
    ]);
    for (let layer = 0; layer < 2; layer++)
      for (let head = 0; head < 2; head++)
        for (let pos = 0; pos < 3; pos++) {
          const spot = { facet: layer, row: head, column: pos };
          expect(cellAt(layout, spot)).toBe((layer * 3 + pos) * 2 + head);
          expect(spotOf(layout, cellAt(layout, spot))).toEqual(spot);
        }
  });

  it('draws patterns from every position to every position once for every head', () => {
    const axes = [axis('layer', 2), axis('head', 2), axis('dest_pos', 3), axis('src_pos', 3)];
    const layout = layOutGrid(axes);
    const [facets, rows, columns] = shape(layout);
    expect(facets).toEqual(['layer 0 head 0', 'layer 0 head 1', 'layer 1 head 0', 'layer 1 head 1']);
    expect(rows?.[1]).toBe('dest_pos 1');
    expect(columns?.[1]).toBe('src_pos 1');
    expect([...layout.cells]).toEqual(Array.from({ length: 36 }, (_, i) => i));
  });

  it('draws senders as layers by heads, the MLPs in a column behind, holes where nothing was asked', () => {
    const layout = layOutGrid([{ name: 'sender', labels: ['0.0', '0.10', '1.0', 'mlp 0', 'mlp 1'] }]);
    expect(shape(layout)).toEqual([[''], ['layer 1', 'layer 0'], ['head 0', 'head 10', 'mlp mlp']]);
    expect([...layout.cells]).toEqual([2, -1, 4, 0, 1, 3]);
    expect(spotOf(layout, 1)).toEqual({ facet: 0, row: 1, column: 1 });
    expect(spotOf(layout, 5)).toBeUndefined();
  });

  it('lays out what has one axis, and stacked sweeps by kind', () => {
    expect(shape(layOutGrid([axis('layer', 2)]))).toEqual([[''], ['layer 1', 'layer 0'], [' ']]);
    expect(shape(layOutGrid([axis('feature', 2)]))).toEqual([[''], [' '], ['feature 0', 'feature 1']]);
    const kinds = { name: 'kind', labels: ['z', 'q'] };
    const [facets, rows, columns] = shape(layOutGrid([kinds, axis('layer', 1), axis('head', 1)]));
    expect([facets, rows, columns]).toEqual([['kind z', 'kind q'], ['layer 0'], ['head 0']]);
  });
});

describe('effects', () => {
  it('have a scale that ends at a round number, at or over the largest', () => {
    expect(scaleEnd(Float32Array.of(0.013, -0.04, Number.NaN), 0)).toBeCloseTo(0.04, 9);
    expect(scaleEnd(Float32Array.of(1, 0.3), 0)).toBe(1);
    expect(scaleEnd(Float32Array.of(1, -0.3), 1)).toBe(1.5);
    expect(scaleEnd(Float32Array.of(Number.NaN), 0)).toBe(1);
    expect(scaleEnd(new Float32Array(3), 0)).toBe(1);
  });

  it('that are shares come on a scale to 1 where they are near it, and the ends say what lies beyond', () => {
    expect(scaleEnd(Float32Array.of(1.01, 0.3), 0, true)).toBe(1);
    expect(scaleEnd(Float32Array.of(0.77), 0, true)).toBe(1);
    expect(scaleEnd(Float32Array.of(0.04), 0, true)).toBeCloseTo(0.04, 9);
    expect(scaleEnd(Float32Array.of(2.4), 0, true)).toBe(3);
    expect(hasMore(Float32Array.of(1.01, Number.NaN), 0, 1)).toBe(true);
    expect(hasMore(Float32Array.of(0.99, -1, Number.NaN), 0, 1)).toBe(false);
    expect(hasMore(Float32Array.of(-0.5), 1, 1)).toBe(true);
  });

  it('of two sweeps are subtracted from where each of them rests', () => {
    // Denoising rests at 0, noising at 1: half restored, and half lost, differ by a whole.
    const noising = { values: Float32Array.of(0.5, 1, Number.NaN), resting: 1 };
    expect([...differenceOf(Float32Array.of(0.5, 0.25, 1), noising)]).toEqual([1, 0.25, Number.NaN]);
  });

  it('are listed as sorting all of them would list them', () => {
    const values = Float32Array.from({ length: 300 }, (_, i) =>
      i % 7 === 0 ? Number.NaN : Math.sin(i * 12.9),
    );
    const sorted = [...values.keys()]
      .filter((cell) => !Number.isNaN(values[cell]!))
      .sort((a, b) => Math.abs(values[b]! - 1) - Math.abs(values[a]! - 1));
    expect(strongestCells(values, 1, 20)).toEqual(sorted.slice(0, 20));
    expect(strongestCells(Float32Array.of(0, 0), 0, 5)).toEqual([]);
  });
});
