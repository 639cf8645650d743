/** Runs a method, or takes what an earlier run of the experiment has found with the very same inputs. */

import type { Provenance } from '../domain.ts';
import type { Experiment, ExperimentMethod } from './experiment.ts';
import { askOf, type KeptRun } from './keptRun.ts';
import { methodKey } from './methodKey.ts';
import type { MethodContext, MethodOutcome, MethodParts } from './runMethods.ts';

/** Where what is found is kept, and what the numbers of all methods come from. */
export interface Recall {
  readonly kept: KeptRun;
  readonly experiment: Experiment;
  readonly provenance: Provenance;
}

/** What the method gives; `run` begins where an earlier one was stopped. */
export async function recallMethod(
  { kept, experiment, provenance }: Recall,
  context: MethodContext,
  method: ExperimentMethod,
  run: (context: MethodContext) => Promise<MethodOutcome>,
): Promise<MethodOutcome> {
  const key = await methodKey(context, provenance, method);
  if (key === undefined) return run(context);
  const place = { key, ask: askOf(experiment, method) };
  const known = kept.outcome(place);
  if (known) return known;
  const parts: MethodParts = {
    sweep: () => kept.sweep(place),
    study: () => kept.study(place),
    addCells: (cells) => kept.addCells(place, cells),
    addStudy: (study) => kept.addStudy(place, study),
  };
  const outcome = await run({ ...context, parts });
  // A file that changed meanwhile leaves open which of its contents the numbers are of.
  if ((await methodKey(context, provenance, method)) === key) kept.finish(place, outcome);
  return outcome;
}
