/**
 * Carries many interventions through the model at once: at every layer the rows that were changed there join the batch,
 * and all of them go on together. No prefix is computed twice, and each block's weights are read once for all.
 */
import { throwIfCancelled } from '../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { names } from '../model/families/family.ts';
import type { StageEdits } from '../model/stageRunner.ts';
import type { BaseRun } from './baseRun.ts';
import type { EnteringRows } from './cellRows.ts';
import { concatPositions, concatRows, cutAxis } from './rowValues.ts';

export interface WaveOptions {
  /** The first position that rows have; what lies before is the base run's. */
  readonly first: number;
  readonly signal?: AbortSignal;
}

/** Rows that wait for their turn: built when the wave reaches the layer whose hook they change. */
export interface RowGroup {
  /** The layer of the hook that is changed. */
  readonly layer: number;
  enter(): Promise<EnteringRows>;
}

/** Rows that are read out at once: logits are the widest thing of a run. */
const rowsPerReadout = 64;

/**
 * Runs groups of rows from where they enter to the end.
 * @returns for every group its last position's final stream, `[row, d_model]`.
 */
export async function carryRows(
  base: BaseRun,
  groups: readonly RowGroup[],
  { first, signal }: WaveOptions,
): Promise<readonly FloatValue[]> {
  const { nLayers } = base.model.config;
  const waiting = new Map<number, { group: number; rows: FloatValue }[]>();
  const order: number[] = [];
  const sizes: number[] = [];
  let rows: FloatValue | undefined;
  for (let layer = Math.min(...groups.map((group) => group.layer)); layer <= nLayers; layer++) {
    for (const [group, { layer: own, enter }] of groups.entries()) {
      if (own !== layer) continue;
      throwIfCancelled(signal);
      const entering = await enter();
      sizes[group] = entering.rows.dims[0]!;
      waiting.set(entering.layer, [...(waiting.get(entering.layer) ?? []), { group, rows: entering.rows }]);
    }
    const joining = waiting.get(layer) ?? [];
    waiting.delete(layer);
    order.push(...joining.map(({ group }) => group));
    const here = joining.map((group) => (layer === nLayers ? lastPosition(group.rows) : group.rows));
    if (here.length > 0) rows = concatRows(rows ? [rows, ...here] : here);
    if (!rows || layer === nLayers) continue;
    throwIfCancelled(signal);
    rows = await advanceRows(base, layer, rows, first);
  }
  return splitGroups(rows!, order, sizes);
}

/** Logits `[row, d_vocab]` of final streams, handed over row by row. */
export async function readRows(
  base: BaseRun,
  rows: FloatValue,
  see: (logits: Float32Array, row: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const [count = 0, dModel = 0] = rows.dims;
  const { dVocab } = base.model.config;
  for (let start = 0; start < count; start += rowsPerReadout) {
    throwIfCancelled(signal);
    const end = Math.min(count, start + rowsPerReadout);
    const chunk = floatValue(rows.data.subarray(start * dModel, end * dModel), [1, end - start, dModel]);
    const logits = floatsOf(await base.model.readOut(chunk));
    for (let row = start; row < end; row++) {
      see(logits.subarray((row - start) * dVocab, (row - start + 1) * dVocab), row);
    }
  }
}

/** Rows `[row, position, d_model]` through one block; of the last block only the last position comes out. */
export async function advanceRows(
  base: BaseRun,
  layer: number,
  rows: FloatValue,
  first: number,
): Promise<FloatValue> {
  if (layer === base.model.config.nLayers - 1) return lastBlock(base, layer, rows, first);
  return runBlock(base, layer, rows, base.feeds(layer, first, rows.dims[0]! / base.rows));
}

/** Behind the last block only the last position counts: the others give their keys and values and are left there. */
async function lastBlock(base: BaseRun, layer: number, rows: FloatValue, first: number): Promise<FloatValue> {
  const positions = rows.dims[1]!;
  const feeds = base.feeds(layer, first, rows.dims[0]! / base.rows);
  if (positions === 1) return runBlock(base, layer, rows, feeds);
  const attended = await base.model.stages.part({
    layer,
    feeds: { [names.residual]: cutAxis(rows, 1, 0, positions - 1), ...feeds },
    outputs: ['keys', 'values'],
  });
  const past = {
    [names.pastKeys]: concatPositions(feeds[names.pastKeys]!, attended.keys!),
    [names.pastValues]: concatPositions(feeds[names.pastValues]!, attended.values!),
  };
  return runBlock(base, layer, lastPosition(rows), past);
}

/** One block on rows, with keys and values `past` of the positions before theirs, and perhaps edits. */
export async function runBlock(
  base: BaseRun,
  layer: number,
  rows: FloatValue,
  past: Readonly<Record<string, Value>>,
  edits: StageEdits = new Map(),
): Promise<FloatValue> {
  const [batch = 1, positions = 0] = rows.dims;
  const before = past[names.pastKeys]!.dims[1]!;
  const results = await base.model.stages.forward({
    stage: layer,
    sizes: { batch, positions, keys: before + positions },
    feeds: { [names.residual]: rows, ...past },
    edits,
    hooks: [],
    outputs: [names.nextResidual],
  });
  return results[names.nextResidual] as FloatValue;
}

/** The last position of rows: `[row, 1, d_model]`. */
export function lastPosition(rows: FloatValue): FloatValue {
  return cutAxis(rows, 1, rows.dims[1]! - 1);
}

/** Rows `[row, 1, d_model]` that stand in `order`, given back group by group. */
function splitGroups(rows: FloatValue, order: readonly number[], sizes: readonly number[]): FloatValue[] {
  const dModel = rows.dims.at(-1)!;
  const result: FloatValue[] = [];
  let at = 0;
  for (const group of order) {
    const size = sizes[group]!;
    result[group] = floatValue(rows.data.subarray(at * dModel, (at + size) * dModel), [size, dModel]);
    at += size;
  }
  return result;
}
