/** The numbers of a sweep as they are drawn: effects, the scale they share, and the strongest of them. Pure. */

import type { GridLayout } from './gridLayout.ts';

/** Effects of one sweep minus those of another, told on the scale of the first, so that a cell alike in both rests. */
export function differenceOf(
  values: Float32Array,
  other: { readonly values: Float32Array; readonly resting: number },
): Float32Array {
  return values.map((value, cell) => value - (other.values[cell] ?? Number.NaN) + other.resting);
}

/** Parts by the largest effect in each, strongest first; parts of which nothing is known come last, in their order. */
export function facetsByStrength(
  { cells, columns, facets, rows }: Pick<GridLayout, 'cells' | 'columns' | 'facets' | 'rows'>,
  values: Float32Array,
  resting: number,
): readonly number[] {
  const size = rows.length * columns.length;
  const strengths = facets.map((_, facet) => {
    let largest = -1;
    for (const cell of cells.subarray(facet * size, (facet + 1) * size)) {
      const effect = Math.abs((values[cell] ?? Number.NaN) - resting);
      if (effect > largest) largest = effect;
    }
    return largest;
  });
  return facets.map((_, facet) => facet).sort((one, other) => strengths[other]! - strengths[one]!);
}

/** Ends that a scale may have, times a power of ten. */
const steps = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** Shares of what lies between two prompts are drawn on a scale to 1 when the largest is this near it. */
const sharesToOne = { from: 0.5, to: 2 } as const;

/**
 * The end of the color scale: the largest effect rounded up, so that it seldom moves while cells come. Shares that come
 * near 1 have a scale that ends there, so that full color means fully restored or lost in every sweep.
 */
export function scaleEnd(values: Float32Array, resting: number, isShare = false): number {
  let largest = 0;
  for (let cell = 0; cell < values.length; cell++) {
    const size = Math.abs(values[cell]! - resting);
    if (size > largest) largest = size;
  }
  if (largest === 0 || !Number.isFinite(largest)) return 1;
  if (isShare && largest > sharesToOne.from && largest <= sharesToOne.to) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  const step = steps.find((one) => one * power >= largest * (1 - 1e-6)) ?? 10;
  return step * power;
}

/** Whether an effect lies beyond the end of the scale, where the color stays the same. */
export function hasMore(values: Float32Array, resting: number, scale: number): boolean {
  for (let cell = 0; cell < values.length; cell++) {
    if (Math.abs(values[cell]! - resting) > scale * 1.005) return true;
  }
  return false;
}

/** The `count` cells whose values are farthest from `resting`, strongest first; unknown cells are none. */
export function strongestCells(values: Float32Array, resting: number, count: number): readonly number[] {
  const best: number[] = [];
  const size = (cell: number): number => Math.abs((values[cell] ?? resting) - resting);
  for (let cell = 0; cell < values.length; cell++) {
    const own = size(cell);
    if (!(own > 0)) continue;
    if (best.length === count && own <= size(best[count - 1]!)) continue;
    let at = best.length;
    while (at > 0 && size(best[at - 1]!) < own) at--;
    best.splice(at, 0, cell);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Decimals that give the largest of some effects three digits, so that all of them can stand under each other. */
export function sharedDecimals(effects: readonly number[]): number {
  const largest = Math.max(...effects.map(Math.abs));
  if (!(largest > 0) || !Number.isFinite(largest)) return 2;
  return Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(largest))));
}
