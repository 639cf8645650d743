/** The methods of an experiment that are whole studies: indirect objects, and SHIFT. */

import type { Progress } from '../domain.ts';
import { EngineError } from '../errors.ts';
import type { ShiftRequest } from '../shiftApi.ts';
import { saesBelow } from '../shiftSaes.ts';
import type { IndirectObjectsRequest } from '../studyApi.ts';
import { studyCircuitDocument } from '../studyCircuit.ts';
import { type JsonValue, toJson } from './canonicalJson.ts';
import type { MethodOf } from './experiment.ts';
import { type MethodContext, type MethodOutcome, type MethodRunners, requirePairs } from './runMethods.ts';

/** Runs each of these methods. */
export const studyRunners: MethodRunners<'indirectObjectStudy' | 'shift'> = {
  indirectObjectStudy,
  shift,
};

async function indirectObjectStudy(
  context: MethodContext,
  method: MethodOf<'indirectObjectStudy'>,
): Promise<MethodOutcome> {
  const request = studyRequest(context, method);
  const { engine, parts, call } = context;
  const report = (progress: Progress): void => {
    if (progress.study) parts?.addStudy(progress.study.parts);
    call.report?.(progress);
  };
  const known = parts?.study();
  const found = await engine.studyIndirectObjects({ ...request, known }, { signal: call.signal, report });
  const { provenance, ...numbers } = found;
  const circuit = studyCircuitDocument(found, {
    pairs: context.pairs,
    circuitPairs: method.circuitPairs,
  });
  return {
    numbers: fields(numbers),
    ...(circuit && { circuit }),
    ...(provenance && { provenance: { saes: [], ...provenance } }),
  };
}

/** What the study is asked for. @throws request.invalid when the experiment has a single pair. */
export function studyRequest(
  context: MethodContext,
  method: MethodOf<'indirectObjectStudy'>,
): IndirectObjectsRequest {
  const pairs = requirePairs(context, method);
  if (pairs.kind === 'pair' || pairs.limit !== undefined) {
    const reason = 'it needs a whole task, from a file or the generator ioi, without a limit';
    throw new EngineError('request.invalid', { what: `The method ${method.kind}`, reason });
  }
  const { kind: _, ...parameters } = method;
  return { ...parameters, model: context.model.id, task: pairs.task, seed: context.seed };
}

async function shift(context: MethodContext, method: MethodOf<'shift'>): Promise<MethodOutcome> {
  const { engine, call } = context;
  const { ablate = 'benchmark' } = method;
  const chosen =
    ablate === 'benchmark'
      ? ablate
      : await Promise.all(
          ablate.map(async ({ sae, feature }) => ({ sae: (await context.sae(sae)).id, index: feature })),
        );
  const request = await shiftRequest(context, method);
  const outcome = await engine.applyShift({ ...request, ablate: chosen }, call);
  const { provenance, ablated, ...numbers } = outcome;
  const hooks = provenance.saes.map(({ hook }) => hook);
  return {
    numbers: { ...fields(numbers), ablatedFeatures: ablated.length, hooks },
    provenance,
  };
}

/** What SHIFT is asked for, but for the features to ablate. */
export async function shiftRequest(context: MethodContext, method: MethodOf<'shift'>): Promise<ShiftRequest> {
  const { kind: _, ablate: __, ...parameters } = method;
  const named = await context.saes();
  // Beside a model there are SAEs for more than the classifier reads.
  const saes = (context.namesSaes ? named : saesBelow(context.model, named, method.hook)).map(({ id }) => id);
  return { ...parameters, model: context.model.id, saes, seed: context.seed };
}

function fields(value: object): { readonly [name: string]: JsonValue } {
  return toJson(value) as { readonly [name: string]: JsonValue };
}
