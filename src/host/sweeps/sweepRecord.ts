/** One sweep as the host keeps it: what was asked, what it will take, and its cells as they come. Knows no VS Code. */

import type { ModelInfo, PartialCells, SaeInfo } from '../../shared/domain.ts';
import type { SweepEstimate, SweepGrid, SweepOutline } from '../../shared/patchingApi.ts';
import { cellCount } from '../../shared/sweepCell.ts';
import type { SweepQuestion, SweepStatus } from '../../shared/sweepViewApi.ts';
import type { FoundWith } from '../requireModelOf.ts';

/** The model a sweep was planned with; the hash says whether another one is the same. */
export interface SweepModel {
  readonly name: string;
  readonly hash: string;
}

/** The model that is open; `saes` are those that are there beside it. */
export type OpenSweepModel = Pick<ModelInfo, 'id' | 'name' | 'hash' | 'bos' | 'precision'> & {
  readonly saes?: readonly Pick<SaeInfo, 'hash'>[];
};

/** Where the prompts were taken from: addresses of documents, for the way back to the text. */
export interface SweepPlaces {
  /** The document of the clean prompt, or the task file. */
  readonly clean?: string;
  readonly corrupted?: string;
  /** Pairs of the task's file, when the model can use only some of them. */
  readonly pairsOfFile?: number;
  /** Path of the experiment that it was a part of. */
  readonly experiment?: string;
}

/** What the cells hold now; the same arrays are filled while the sweep runs. */
export interface SweepCells {
  /** See `SweepGrid.values`. */
  readonly values: Float32Array;
  readonly raw: Float64Array;
  readonly pairs: Int32Array;
}

/** A sweep. `failure` is not kept over a reload: what failed may be over by then. */
export interface SweepRecord {
  readonly id: string;
  readonly question: SweepQuestion;
  readonly model: SweepModel;
  readonly places: SweepPlaces;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly status: SweepStatus;
  readonly outline?: SweepOutline;
  readonly estimate?: SweepEstimate;
  readonly cells: SweepCells;
  readonly failure?: unknown;
}

/** Cells of which nothing is known. */
export function emptyCells(outline: SweepOutline): SweepCells {
  const size = cellCount(outline.axes);
  return {
    values: new Float32Array(size).fill(Number.NaN),
    raw: new Float64Array(size).fill(Number.NaN),
    pairs: new Int32Array(size),
  };
}

/** What a sweep was found with. */
export function foundWith({ model, outline }: SweepRecord): FoundWith {
  const { bos, precision, saes } = outline?.provenance ?? {};
  return { model, bos, precision, saes };
}

/** Whether cells stand for the same in both outlines. */
export function hasSameAxes({ axes }: SweepOutline, other: SweepOutline): boolean {
  return JSON.stringify(axes) === JSON.stringify(other.axes);
}

/** Whether one sweep can be taken from another cell by cell: same cells, scale, metric, model and prompts. */
export function isComparable(one: SweepRecord, other: SweepRecord): boolean {
  const [here, there] = [one.outline, other.outline];
  if (!here || !there || !hasSameAxes(here, there)) return false;
  const isScaledAlike = (one.question.method === 'patch') === (other.question.method === 'patch');
  const isModelSame = one.model.hash === other.model.hash && here.provenance.bos === there.provenance.bos;
  return isScaledAlike && here.metric === there.metric && isModelSame && hasSamePrompts(one, other);
}

function hasSamePrompts(one: SweepRecord, other: SweepRecord): boolean {
  const [here, there] = [one.outline?.pairsHash, other.outline?.pairsHash];
  if (here !== undefined && there !== undefined) return here === there;
  return JSON.stringify(one.question.pairs) === JSON.stringify(other.question.pairs);
}

/** Enters cells that came with the progress. */
export function fillCells({ values, raw, pairs }: SweepCells, partial: PartialCells): void {
  for (const [i, cell] of partial.cells.entries()) {
    if (!(cell >= 0 && cell < values.length)) continue;
    values[cell] = partial.values[i] ?? Number.NaN;
    raw[cell] = partial.raw[i] ?? Number.NaN;
    pairs[cell] = partial.pairs[i] ?? 0;
  }
}

/** The cells of a finished grid. */
export function cellsOf({ values, raw, pairs }: SweepGrid): SweepCells {
  return { values: Float32Array.from(values), raw: Float64Array.from(raw), pairs: Int32Array.from(pairs) };
}

/**
 * Interventions that were run, of those that are to be. Cells that cannot change anything need none: they are known as
 * soon as their pairs' turn comes, all at once.
 */
export function progressOf({ cells, estimate, outline }: SweepRecord): {
  readonly done: number;
  readonly total: number;
} {
  const pairCount = outline?.pairCount ?? 1;
  const all = cells.pairs.length * pairCount;
  const total = Math.min(all, estimate?.runs ?? all);
  const known = cells.pairs.reduce((sum, count) => sum + count, 0);
  const begun = cells.pairs.reduce((most, count) => Math.max(most, count), 0);
  if (known === all) return { done: total, total };
  const idle = ((all - total) * begun) / Math.max(1, pairCount);
  return { done: Math.round(Math.max(0, Math.min(total, known - idle))), total };
}
