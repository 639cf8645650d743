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
import type { OpenSweepModel, SweepRecord } from './sweepRecord.ts';

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

/** @throws request.invalid when another model is open than the sweep was begun with */
export function requireSameModel({ model: planned }: SweepRecord, model: OpenSweepModel): void {
  if (planned.hash === model.hash) return;
  throw new EngineError('request.invalid', {
    what: 'The sweep',
    reason: `it was begun with the model ${planned.name}, and ${model.name} is open; open that one to go on, or run the sweep again`,
  });
}

function withoutMethod<Question extends { readonly method: string }>(
  question: Question,
): Omit<Question, 'method'> {
  const { method: _, ...rest } = question;
  return rest;
}
