// Tensors as nested loops over plain numbers: the slow, obvious arithmetic that the engine is compared with.

export interface Plain {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

export type Index = readonly number[];

/** Every index of a tensor of these dimensions, in row-major order. */
export function indices(dims: readonly number[]): Index[] {
  return dims.reduce<number[][]>(
    (list, dim) => list.flatMap((index) => Array.from({ length: dim }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The tensor whose element at `index` is `element(index)`. */
export function from(dims: readonly number[], element: (index: Index) => number): Plain {
  return { dims, data: indices(dims).map(element) };
}

/** The element of `x` at `index`, which may have more axes, and sizes where `x` has 1 (broadcasting). */
export function at(x: Plain, index: Index): number {
  const own = index.slice(index.length - x.dims.length);
  let offset = 0;
  x.dims.forEach((dim, axis) => {
    offset = offset * dim + (dim === 1 ? 0 : own[axis]!);
  });
  return x.data[offset]!;
}

/** `index` with another position on one axis. */
export function moved(index: Index, axis: number, position: number): Index {
  return index.map((old, i) => (i === axis ? position : old));
}

/** The elements along `axis` through `index`. */
export function lane(x: Plain, index: Index, axis: number): number[] {
  return Array.from({ length: x.dims[axis]! }, (_, position) => at(x, moved(index, axis, position)));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The dimensions that several tensors broadcast to. */
export function broadcastDims(...tensors: readonly Plain[]): number[] {
  const rank = Math.max(...tensors.map((x) => x.dims.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...tensors.map((x) => x.dims[axis - rank + x.dims.length] ?? 1)),
  );
}

/** The error function by its power series around 0, which converges for every argument that tests use. */
export function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 100; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
