/**
 * Builds the residual streams that interventions leave behind: each starts from the base run at the place it changes, and
 * no more of its block is computed than what lies behind that place.
 */
import { elementCount, type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { names } from '../model/families/family.ts';
import { hookAxes } from '../model/hooks.ts';
import type { TokenPair } from '../task/task.ts';
import type { BaseRun } from './baseRun.ts';
import { errorChange, featureChange } from './featureChanges.ts';
import { type PatchCell, positionIn } from './patchCells.ts';
import type { FeatureSite, Replacement } from './replacement.ts';
import { broadcastOffset, cutAxis, type Range, repeatRows, visitRegion } from './rowValues.ts';

/** A batch of pairs of equal length, the run that is changed, and what takes places in it. */
export interface PatchBatch {
  readonly pairs: readonly TokenPair[];
  readonly base: BaseRun;
  readonly replacement: Replacement;
  readonly sites: readonly FeatureSite[];
}

/** Rows that join a wave: `[cell·pair, position, d_model]` of the positions from the wave's first on. */
export interface EnteringRows {
  /** The block that they enter; the number of layers when they only have to be read out. */
  readonly layer: number;
  readonly rows: FloatValue;
}

/** The rows of cells at one hook of one layer, in the order of the cells; the pairs of a cell stand together. */
export async function enterRows(
  batch: PatchBatch,
  cells: readonly PatchCell[],
  first: number,
): Promise<EnteringRows> {
  const { layer, hook } = cells[0]!;
  const changed = await changedValues(batch, cells, first);
  return rowsBehind(batch.base, { layer, hook }, changed, first);
}

/** The streams that values `[copy·pair, position, …]` of a hook leave behind, from position `first` on. */
export async function rowsBehind(
  base: BaseRun,
  { layer, hook }: Pick<PatchCell, 'layer' | 'hook'>,
  changed: FloatValue,
  first: number,
): Promise<EnteringRows> {
  if (hook === 'hook_resid_pre') return { layer, rows: changed };
  if (hook === 'hook_resid_post') return { layer: layer + 1, rows: changed };
  const after = layer + 1;
  if (hook === 'hook_mlp_out') {
    const before = cutAxis(await base.hook(layer, hook), 1, first);
    const stream = cutAxis(base.residual(after), 1, first);
    return { layer: after, rows: withChange(changed, before, stream) };
  }
  const copies = changed.dims[0]! / base.rows;
  const feeds = {
    [names.residual]: repeatRows(cutAxis(base.residual(layer), 1, first), copies),
    ...base.feeds(layer, first, copies),
  };
  const fed = new Map([[hook, changed]]);
  const results = await base.model.stages.part({ layer, feeds, fed, outputs: ['nextResidual'] });
  return { layer: after, rows: results.nextResidual as FloatValue };
}

/** `stream + (changed − before)`, `stream` and `before` being repeated for every cell. */
function withChange(changed: FloatValue, before: Value, stream: Value): FloatValue {
  const [x, y] = [floatsOf(before), floatsOf(stream)];
  const size = x.length;
  return floatValue(
    changed.data.map((value, i) => y[i % size]! + (value - x[i % size]!)),
    changed.dims,
  );
}

/** The hook's value in every row, changed where its cell says so, from position `first` on. */
async function changedValues(
  batch: PatchBatch,
  cells: readonly PatchCell[],
  first: number,
): Promise<FloatValue> {
  const { layer, hook } = cells[0]!;
  const original = await batch.base.hook(layer, hook);
  const axis = hookAxes(hook).indexOf('position');
  const kept = cutAxis(original, axis, first);
  const rows = repeatRows(kept, cells.length);
  // What is written to must not be the base run's own.
  const result = cells.length === 1 && rows.data === floatsOf(original) ? copyOf(rows) : rows;
  const plain = cells.filter(({ part }) => part === undefined);
  const source = plain.length > 0 ? await batch.replacement.hook(layer, hook) : undefined;
  for (const [i, cell] of cells.entries()) {
    if (cell.part) await addFeature(batch, cell, { result, at: i, first, original });
    else overwrite(batch, cell, { result, at: i, first, source: source! });
  }
  return result;
}

interface Target {
  readonly result: FloatValue;
  /** The cell's place among the cells. */
  readonly at: number;
  readonly first: number;
}

function overwrite(
  batch: PatchBatch,
  cell: PatchCell,
  { result, at, first, source }: Target & { source: Value },
): void {
  const from = floatsOf(source);
  const { pairs } = batch;
  const axes = hookAxes(cell.hook);
  const places = axes.indexOf('position');
  pairs.forEach((pair, i) => {
    const row = at * pairs.length + i;
    const position = positionIn(cell, pair);
    const ranges = axes.map((axis, index): Range => {
      if (axis === 'batch') return [row, row + 1];
      const chosen = {
        position: position === undefined ? undefined : position - first,
        head: cell.head,
        keyValueHead: cell.head,
        key: cell.source,
      }[axis as string];
      return chosen === undefined ? [0, result.dims[index]!] : [chosen, chosen + 1];
    });
    visitRegion(result.dims, ranges, (start, length, index) => {
      const there = index.map((value, axis) => (axis === places ? value + first : value));
      there[0] = i;
      const offset = broadcastOffset(source.dims, there, ranges.at(-1)![0]);
      if (source.dims.at(-1) === 1 && result.dims.at(-1) !== 1)
        result.data.fill(from[offset]!, start, start + length);
      else result.data.set(from.subarray(offset, offset + length), start);
    });
  });
}

/** Adds what a feature's activation, or the SAE's error, changes in the hook's value (Marks et al. 2024, §3.1). */
async function addFeature(
  batch: PatchBatch,
  cell: PatchCell,
  { result, at, first, original }: Target & { original: Value },
): Promise<void> {
  const delta = await featureDelta(batch, cell, original);
  const [, positions = 0] = original.dims;
  const width = floatsOf(original).length / (batch.pairs.length * positions);
  const kept = positions - first;
  batch.pairs.forEach((pair, i) => {
    const only = positionIn(cell, pair);
    for (let position = only ?? first; position < (only === undefined ? positions : only + 1); position++) {
      const to = ((at * batch.pairs.length + i) * kept + position - first) * width;
      const from = (i * positions + position) * width;
      for (let d = 0; d < width; d++) result.data[to + d]! += delta[from + d]!;
    }
  });
}

/** `[row, position, …]`: (a′ − a) · W_dec for a feature, ε′ − ε for the error. */
async function featureDelta(
  { sites, replacement }: PatchBatch,
  { part }: PatchCell,
  value: Value,
): Promise<Float32Array> {
  const { site: index, feature } = part!;
  const site = sites[index]!;
  if (feature === 'error') return errorChange(site, value, await replacement.error(site));
  return featureChange(site, feature, value, await replacement.features(site, [feature]));
}

/**
 * The change of several cells of one hook as one affine edit of the batch: keep 0 and add the new value where one of them
 * acts, keep 1 and add 0 elsewhere. Both have the dimensions of the hook's value.
 */
export async function changedMask(
  batch: PatchBatch,
  cells: readonly PatchCell[],
): Promise<{ readonly keep: FloatValue; readonly add: FloatValue }> {
  const { layer, hook } = cells[0]!;
  const source = await batch.replacement.hook(layer, hook);
  const { dims } = await batch.base.hook(layer, hook);
  const count = elementCount(dims);
  const keep = floatValue(new Float32Array(count).fill(1), dims);
  const add = floatValue(new Float32Array(count), dims);
  const zero = floatValue(
    [0],
    dims.map(() => 1),
  );
  for (const cell of cells) {
    overwrite(batch, cell, { result: add, at: 0, first: 0, source });
    overwrite(batch, cell, { result: keep, at: 0, first: 0, source: zero });
  }
  return { keep, add };
}

function copyOf(value: FloatValue): FloatValue {
  return floatValue(value.data.slice(), value.dims);
}
