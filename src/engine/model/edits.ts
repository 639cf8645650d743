/**
 * Edits as a run understands them: `x' = x · keep + add` at a hook. Every intervention is brought into this form
 * before it reaches a program.
 */

import type { HookName } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { elementCount, type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { type HookAxis, hookAxes, type StageHook } from './hooks.ts';

/**
 * An affine edit. `keep` and `add` broadcast to the hook's value: numbers, or float32 values with the hook's rank
 * whose dimensions are 1 or the hook's.
 */
export interface HookEdit {
  readonly hook: HookName;
  readonly keep: Value | number;
  readonly add: Value | number;
}

/**
 * An edit that depends on the value it changes, as a feature's ablation does. `resolve` is given the value that the
 * hook has in the run, after all edits before this one; and the value of the hook `reads`, which the same stage has
 * computed before.
 */
export interface LateEdit {
  readonly hook: HookName;
  readonly reads?: HookName;
  resolve(value: Value, read?: Value): Promise<HookEdit>;
}

export type RunEdit = HookEdit | LateEdit;

export function isLateEdit(edit: RunEdit): edit is LateEdit {
  return 'resolve' in edit;
}

/** Where in a hook's value an edit acts; everywhere along an axis that is left out. */
export interface Selection {
  readonly positions?: readonly number[];
  readonly heads?: readonly number[];
}

/** `x · (1 + m (factor − 1))` with m = 1 in the selection and 0 elsewhere. `dims` are those of the hook's value. */
export function scaleEdit(
  hook: HookName,
  place: StageHook,
  dims: readonly number[],
  selection: Selection,
  factor: number,
): HookEdit {
  const mask = selectionMask(place, dims, selection);
  return { hook, keep: mapValue(mask, (m) => 1 + m * (factor - 1)), add: 0 };
}

/** `(1 − m s) x + m s v`: moves the selection towards `value` (broadcasting) by `strength`. */
export function replaceEdit(
  hook: HookName,
  place: StageHook,
  dims: readonly number[],
  selection: Selection,
  value: Value | number,
  strength = 1,
): HookEdit {
  const mask = selectionMask(place, dims, selection);
  const target = typeof value === 'number' ? scalarLike(mask, value) : value;
  return {
    hook,
    keep: mapValue(mask, (m) => 1 - m * strength),
    add: combine(mask, target, (m, v) => (m === 0 ? 0 : m * strength * v)),
  };
}

/** `x + m d` with the selection's mask m and `delta` d (broadcasting). */
export function addEdit(
  hook: HookName,
  place: StageHook,
  dims: readonly number[],
  selection: Selection,
  delta: Value,
): HookEdit {
  const mask = selectionMask(place, dims, selection);
  return { hook, keep: 1, add: combine(mask, delta, (m, d) => (m === 0 ? 0 : d)) };
}

/**
 * 1 where the selection holds and 0 elsewhere; axes that the selection leaves open have size 1.
 * @throws request.invalid when a position or head lies outside, or the hook has no heads.
 */
export function selectionMask(
  place: StageHook,
  dims: readonly number[],
  { positions, heads }: Selection,
): FloatValue {
  const axes = hookAxes(place);
  const ofPositions = positions && axisMask(place, axes, dims, 'position', positions);
  const headAxis = axes.includes('keyValueHead') ? 'keyValueHead' : 'head';
  const ofHeads = heads && axisMask(place, axes, dims, headAxis, heads);
  const everywhere = floatValue(
    [1],
    dims.map(() => 1),
  );
  const first = ofPositions ?? everywhere;
  return ofHeads ? combine(first, ofHeads, (a, b) => a * b) : first;
}

function axisMask(
  place: StageHook,
  axes: readonly HookAxis[],
  dims: readonly number[],
  axis: 'position' | 'head' | 'keyValueHead',
  chosen: readonly number[],
): FloatValue {
  const index = axes.indexOf(axis);
  const isPosition = axis === 'position';
  if (index < 0) {
    throw invalid(`An edit at ${place}`, `the hook has no ${isPosition ? 'position' : 'head'} axis`);
  }
  const size = dims[index]!;
  const mask = new Float32Array(size);
  for (const i of chosen) {
    if (!Number.isInteger(i) || i < 0 || i >= size) {
      throw invalid(`${isPosition ? 'Position' : 'Head'} ${i}`, `there are ${size}, counted from 0`);
    }
    mask[i] = 1;
  }
  return floatValue(
    mask,
    dims.map((_, i) => (i === index ? size : 1)),
  );
}

/** One edit that does what `first` and then `second` do: keep k₁k₂, add a₁k₂ + a₂. */
export function composeEdits(first: HookEdit, second: HookEdit): HookEdit {
  const times = (a: Value | number, b: Value | number) => operate(a, b, (x, y) => x * y);
  return {
    hook: second.hook,
    keep: times(first.keep, second.keep),
    add: operate(times(first.add, second.keep), second.add, (x, y) => x + y),
  };
}

/** What the edit makes of `value`. */
export function applyEdit(value: Value, { keep, add }: HookEdit): FloatValue {
  const kept = operate(value, keep, (x, k) => x * k) as FloatValue;
  return operate(kept, add, (x, a) => x + a) as FloatValue;
}

/** `a ∘ b` element by element with broadcasting; both need the same rank, `[…]` sizes equal or 1. */
export function combine(a: Value, b: Value, f: (x: number, y: number) => number): FloatValue {
  const rank = a.dims.length;
  if (b.dims.length !== rank) throw new Error(`[${a.dims}] and [${b.dims}] differ in rank.`);
  const dims = a.dims.map((dim, axis) => {
    const other = b.dims[axis]!;
    if (dim !== other && dim !== 1 && other !== 1)
      throw new Error(`[${a.dims}] and [${b.dims}] do not broadcast.`);
    return dim === 1 ? other : dim;
  });
  const [x, y] = [floatsOf(a), floatsOf(b)];
  const result = new Float32Array(elementCount(dims));
  const [stepsX, stepsY] = [steps(a.dims), steps(b.dims)];
  const width = dims.at(-1) ?? 1;
  const [stepX, stepY] = [stepsX.at(-1) ?? 0, stepsY.at(-1) ?? 0];
  for (let row = 0, at = 0; at < result.length; row++) {
    let [i, j, rest] = [0, 0, row];
    for (let axis = rank - 2; axis >= 0; axis--) {
      const index = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
      i += index * stepsX[axis]!;
      j += index * stepsY[axis]!;
    }
    for (let column = 0; column < width; column++, at++, i += stepX, j += stepY) result[at] = f(x[i]!, y[j]!);
  }
  return floatValue(result, dims);
}

/** How far apart neighbours along each axis lie in memory; 0 along axes that are repeated. */
function steps(dims: readonly number[]): number[] {
  const result: number[] = Array.from({ length: dims.length }, () => 0);
  let step = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    result[axis] = dims[axis] === 1 ? 0 : step;
    step *= dims[axis]!;
  }
  return result;
}

function operate(a: Value | number, b: Value | number, f: (x: number, y: number) => number): Value | number {
  if (typeof a === 'number') return typeof b === 'number' ? f(a, b) : mapValue(b, (y) => f(a, y));
  return typeof b === 'number' ? mapValue(a, (x) => f(x, b)) : combine(a, b, f);
}

function mapValue(value: Value, f: (x: number) => number): FloatValue {
  return floatValue(floatsOf(value).map(f), value.dims);
}

function scalarLike({ dims }: Value, number: number): FloatValue {
  return floatValue(
    [number],
    dims.map(() => 1),
  );
}

function invalid(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason });
}
