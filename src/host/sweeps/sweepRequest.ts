/** A sweep's question as the engine is asked it: for an estimate, and for its cells. */

import type { CallOptions } from '../../shared/callOptions.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import type {
  KnownCells,
  PlannedSweep,
  SweepGrid,
  SweepOutline,
  SweepTarget,
} from '../../shared/patchingApi.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { requireModelOf } from '../requireModelOf.ts';
import {
  cellsOf,
  foundWith,
  hasSameAxes,
  type OpenSweepModel,
  type SweepCells,
  type SweepRecord,
} from './sweepRecord.ts';

/** Asks what a sweep will take, and for its grid. */
export function askPlan(
  engine: EngineApi,
  question: SweepQuestion,
  model: string,
  call: CallOptions,
): Promise<PlannedSweep> {
  return question.method === 'path'
    ? engine.estimateSweep({ ...withoutMethod(question), model }, call)
    : engine.estimateSweep({ ...withoutMethod(question), model }, call);
}

/** Asks for the cells that are not known. */
export function askCells(
  engine: EngineApi,
  question: SweepQuestion,
  from: { readonly model: string; readonly known: KnownCells },
  call: CallOptions,
): Promise<SweepGrid> {
  switch (question.method) {
    case 'patch':
      return engine.patchSweep({ ...withoutMethod(question), ...from }, call);
    case 'ablate':
      return engine.ablateSweep({ ...withoutMethod(question), ...from }, call);
    case 'path':
      return engine.pathPatch({ ...withoutMethod(question), ...from }, call);
  }
}

/** Features that were chosen by strength are named from now on, so that going on means the same ones. */
export function settleQuestion(question: SweepQuestion, { axes }: SweepOutline): SweepQuestion {
  if (question.method === 'path' || question.target.kind !== 'features') return question;
  const labels = axes.find(({ name }) => name === 'feature')?.labels ?? [];
  const features = labels.filter((label) => label !== 'error').map(Number);
  const target: SweepTarget = { ...question.target, features, error: labels.includes('error') };
  return { ...question, target };
}

/** @throws request.invalid when the sweep was begun with another model, other SAEs, or another beginning of prompts */
export function requireSameModel(record: SweepRecord, model: OpenSweepModel): void {
  requireModelOf(foundWith(record), model, 'The sweep', 'or run the sweep again');
}

/** What the engine goes on from. It refuses cells of other prompts by their hash. */
export function knownOf({ cells }: SweepRecord, { pairsHash }: SweepOutline): KnownCells {
  const { pairs, raw } = cells;
  return { raw: raw.slice(), pairs: pairs.slice(), ...(pairsHash !== undefined && { pairsHash }) };
}

/** The outline of a grid without its cells. */
export function outlineOf({
  values: _values,
  raw: _raw,
  pairs: _pairs,
  ...outline
}: SweepGrid): SweepOutline {
  return outline;
}

/**
 * A finished grid's outline and cells, which belong together.
 * @throws request.invalid when its cells are not those that were planned, as when a task's file has changed
 */
export function finishedCells(
  planned: SweepOutline,
  grid: SweepGrid,
): { readonly outline: SweepOutline; readonly cells: SweepCells } {
  const outline = outlineOf(grid);
  if (!hasSameAxes(planned, outline)) {
    const reason = 'its rows and columns are others than when it was planned, since its prompts have changed';
    throw new EngineError('request.invalid', { what: 'The sweep', reason: `${reason}; run it again` });
  }
  return { outline, cells: cellsOf(grid) };
}

function withoutMethod<Question extends { readonly method: string }>(
  question: Question,
): Omit<Question, 'method'> {
  const { method: _, ...rest } = question;
  return rest;
}
