/** Rows of batches: repeating, cutting and overwriting parts of values whose first axis counts rows. */
import { elementCount, type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';

/** From `start` (inclusive) to `end` (exclusive) along one axis. */
export type Range = readonly [start: number, end: number];

/** The same rows one after the other, `copies` times: `[copies · row, …]`. */
export function repeatRows(value: Value, copies: number): FloatValue {
  const data = floatsOf(value);
  const [rows = 1, ...rest] = value.dims;
  if (copies === 1) return floatValue(data, value.dims);
  const result = new Float32Array(copies * data.length);
  for (let copy = 0; copy < copies; copy++) result.set(data, copy * data.length);
  return floatValue(result, [copies * rows, ...rest]);
}

/** Rows from `start` to `end`, not copied: they share the memory of `value`. */
export function rowRange(value: Value, start: number, end: number): FloatValue {
  const [, ...rest] = value.dims;
  const width = elementCount(rest);
  return floatValue(floatsOf(value).subarray(start * width, end * width), [end - start, ...rest]);
}

/** What lies from `start` on along `axis`. Nothing is copied when that is everything. */
export function cutAxis(value: Value, axis: number, start: number, end = value.dims[axis]!): FloatValue {
  const { dims } = value;
  const data = floatsOf(value);
  if (start === 0 && end === dims[axis]) return floatValue(data, dims);
  const inner = elementCount(dims.slice(axis + 1));
  const outer = elementCount(dims.slice(0, axis));
  const [step, kept] = [dims[axis]! * inner, (end - start) * inner];
  const result = new Float32Array(outer * kept);
  for (let i = 0; i < outer; i++) {
    const from = i * step + start * inner;
    result.set(data.subarray(from, from + kept), i * kept);
  }
  return floatValue(result, [...dims.slice(0, axis), end - start, ...dims.slice(axis + 1)]);
}

/** All rows of the values, one value after the other. */
export function concatRows(values: readonly Value[]): FloatValue {
  const [first] = values;
  if (!first) throw new Error('There are no rows.');
  if (values.length === 1) return floatValue(floatsOf(first), first.dims);
  const total = values.reduce((sum, { data }) => sum + data.length, 0);
  const result = new Float32Array(total);
  let at = 0;
  for (const value of values) {
    result.set(floatsOf(value), at);
    at += value.data.length;
  }
  const rows = values.reduce((sum, { dims }) => sum + dims[0]!, 0);
  return floatValue(result, [rows, ...first.dims.slice(1)]);
}

/** Two values side by side along axis 1: `[row, a + b, …]`. */
export function concatPositions(a: Value, b: Value): FloatValue {
  const [rows = 1, ofA = 0, ...rest] = a.dims;
  const ofB = b.dims[1]!;
  const width = elementCount(rest);
  const result = new Float32Array(rows * (ofA + ofB) * width);
  for (let row = 0; row < rows; row++) {
    const at = row * (ofA + ofB) * width;
    result.set(floatsOf(a).subarray(row * ofA * width, (row + 1) * ofA * width), at);
    result.set(floatsOf(b).subarray(row * ofB * width, (row + 1) * ofB * width), at + ofA * width);
  }
  return floatValue(result, [rows, ofA + ofB, ...rest]);
}

/**
 * Visits the elements of a region, one run of neighbours after the other: `ranges` has one entry for each axis of
 * `dims`. `visit` is told where the run starts, how long it is, and its index along every axis but the last.
 */
export function visitRegion(
  dims: readonly number[],
  ranges: readonly Range[],
  visit: (at: number, length: number, index: readonly number[]) => void,
): void {
  const last = dims.length - 1;
  const index: number[] = [];
  const walk = (axis: number, base: number): void => {
    const [start, end] = ranges[axis]!;
    if (axis === last) {
      visit(base * dims[last]! + start, end - start, index);
      return;
    }
    for (let i = start; i < end; i++) {
      index[axis] = i;
      walk(axis + 1, base * dims[axis]! + i);
    }
  };
  walk(0, 0);
}

/** Where an index (without the last axis) lies in a value whose dimensions may be 1 where the index is larger. */
export function broadcastOffset(dims: readonly number[], index: readonly number[], start: number): number {
  let at = 0;
  for (let axis = 0; axis < dims.length - 1; axis++) {
    at = at * dims[axis]! + (dims[axis] === 1 ? 0 : index[axis]!);
  }
  const width = dims.at(-1)!;
  return at * width + (width === 1 ? 0 : start);
}
