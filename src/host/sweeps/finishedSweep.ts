/** Sweeps that an experiment ran, as the panel keeps them. Knows no VS Code. */

import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import type { FoundSweep } from '../../shared/experiment/runMethods.ts';
import { cellsOf, type SweepModel, type SweepRecord } from './sweepRecord.ts';
import { outlineOf, settleQuestion } from './sweepRequest.ts';

/** The record of a finished sweep; `created` in milliseconds since 1970. */
export function finishedSweep(
  { question, grid }: FoundSweep,
  from: { readonly experiment: string; readonly model: SweepModel; readonly created: number },
): SweepRecord {
  const { pairs } = grid;
  const outline = outlineOf(grid);
  const { experiment, model, created } = from;
  const task = question.pairs.kind === 'task' ? question.pairs.task : undefined;
  // A pair of prompts stands in the experiment itself.
  const clean = pathToFileURL(task?.kind === 'file' ? task.path : experiment).toString();
  const runs = pairs.reduce((sum, count) => sum + count, 0);
  return {
    id: randomUUID(),
    question: settleQuestion(question, outline),
    model: { name: model.name, hash: model.hash },
    places: { clean, experiment },
    created,
    status: 'done',
    outline,
    // Nothing is left to do.
    estimate: { cells: pairs.length, runs, memory: 0, seconds: 0 },
    cells: cellsOf(grid),
  };
}
