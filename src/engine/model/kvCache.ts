/** Keys and values of positions that were run before, so that later positions can attend to them. */
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';

/** Keys and values of one prompt batch; `keys[layer]` and `values[layer]` are `[batch, position, head, d_head]`. */
export interface KvCache {
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
}

/** Number of positions that the cache holds. */
export function cachedPositions(cache: KvCache | undefined): number {
  return cache?.keys[0]?.dims[1] ?? 0;
}

/** Positions from `start` up to (not including) `end` of `[batch, position, …]`. With one batch row nothing is copied. */
export function positionRange(value: Value, start: number, end: number): FloatValue {
  const [batch = 1, positions = 0, ...rest] = value.dims;
  const width = rest.reduce((product, dim) => product * dim, 1);
  const data = floatsOf(value);
  const dims = [batch, end - start, ...rest];
  if (batch === 1) return floatValue(data.subarray(start * width, end * width), dims);
  const result = new Float32Array(batch * (end - start) * width);
  for (let row = 0; row < batch; row++) {
    const from = row * positions * width;
    result.set(data.subarray(from + start * width, from + end * width), row * (end - start) * width);
  }
  return floatValue(result, dims);
}

/** Chosen positions of `[batch, position, …]`, in the order given. */
export function pickPositions(value: Value, chosen: readonly number[]): FloatValue {
  const [batch = 1, positions = 0, ...rest] = value.dims;
  const width = rest.reduce((product, dim) => product * dim, 1);
  const data = floatsOf(value);
  const result = new Float32Array(batch * chosen.length * width);
  for (let row = 0; row < batch; row++) {
    chosen.forEach((position, i) => {
      const from = (row * positions + position) * width;
      result.set(data.subarray(from, from + width), (row * chosen.length + i) * width);
    });
  }
  return floatValue(result, [batch, chosen.length, ...rest]);
}

/** The inverse of `pickPositions`: zeros elsewhere; rows of a position that is given twice add up. */
export function spreadPositions(value: Value, chosen: readonly number[], positions: number): FloatValue {
  const [batch = 1, , ...rest] = value.dims;
  const width = rest.reduce((product, dim) => product * dim, 1);
  const data = floatsOf(value);
  const result = new Float32Array(batch * positions * width);
  for (let row = 0; row < batch; row++) {
    chosen.forEach((position, i) => {
      const from = (row * chosen.length + i) * width;
      const to = (row * positions + position) * width;
      for (let column = 0; column < width; column++) result[to + column]! += data[from + column]!;
    });
  }
  return floatValue(result, [batch, positions, ...rest]);
}
