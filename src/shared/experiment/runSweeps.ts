/** The methods of an experiment whose result is a grid of numbers: patching, ablation, and path patching. */

import type { CallOptions } from '../callOptions.ts';
import type { Progress } from '../domain.ts';
import { fewPromptsWarning } from '../fewPrompts.ts';
import type {
  Ablation,
  KnownCells,
  PathPatchRequest,
  PathReceiver,
  PathSender,
  SweepGrid,
  SweepOutline,
  SweepRequest,
  SweepTarget,
} from '../patchingApi.ts';
import { type JsonValue, roundedShare, toJson } from './canonicalJson.ts';
import type { AblationChoice, FeatureChoice, MethodOf, SweepChoice } from './experiment.ts';
import {
  type MethodContext,
  type MethodOutcome,
  type MethodRunners,
  type RememberedSweep,
  requirePairs,
} from './runMethods.ts';

type SweepKind = 'patch' | 'patchFeatures' | 'ablate' | 'ablateFeatures' | 'patchPaths';

/** Runs each of these methods. */
export const sweepRunners: MethodRunners<SweepKind> = {
  patch: async (context, method) => patch(context, method, sweepTarget(method)),
  patchFeatures: async (context, method) => patch(context, method, await featureTarget(context, method)),
  ablate: async (context, method) => ablate(context, method, sweepTarget(method)),
  ablateFeatures: async (context, method) => ablate(context, method, await featureTarget(context, method)),
  patchPaths,
};

async function patch(
  context: MethodContext,
  method: MethodOf<'patch' | 'patchFeatures'>,
  target: SweepTarget,
): Promise<MethodOutcome> {
  const { engine, model, metric } = context;
  const pairs = requirePairs(context, method);
  const request = { model: model.id, pairs, metric, target, direction: method.direction };
  const run = (known: KnownCells | undefined, call: CallOptions) =>
    engine.patchSweep({ ...request, known }, call);
  const grid = await goOn(context, request, run);
  return { ...gridOutcome(grid, 'share'), sweep: { question: { ...asked(request), method: 'patch' }, grid } };
}

async function ablate(
  context: MethodContext,
  method: MethodOf<'ablate' | 'ablateFeatures'>,
  target: SweepTarget,
): Promise<MethodOutcome> {
  const { engine, model, metric, seed } = context;
  const pairs = requirePairs(context, method);
  const request = { model: model.id, pairs, metric, target, ablation: ablationOf(method, seed) };
  const run = (known: KnownCells | undefined, call: CallOptions) =>
    engine.ablateSweep({ ...request, known }, call);
  const grid = await goOn(context, request, run);
  return {
    ...gridOutcome(grid, 'change'),
    sweep: { question: { ...asked(request), method: 'ablate' }, grid },
  };
}

async function patchPaths(context: MethodContext, method: MethodOf<'patchPaths'>): Promise<MethodOutcome> {
  const request = pathRequest(context, method);
  const run = (known: KnownCells | undefined, call: CallOptions) =>
    context.engine.pathPatch({ ...request, known }, call);
  const grid = await goOn(context, request, run);
  return { ...gridOutcome(grid, 'change'), sweep: { question: { ...asked(request), method: 'path' }, grid } };
}

/** The question of a request, whatever model it was put to. */
function asked<R extends { readonly model: string }>({ model: _, ...question }: R): Omit<R, 'model'> {
  return question;
}

/** Path patching as the engine is asked for it. */
export function pathRequest(context: MethodContext, method: MethodOf<'patchPaths'>): PathPatchRequest {
  const { senders, receivers = [], mlps, positions, freezeMlps } = method;
  return {
    model: context.model.id,
    pairs: requirePairs(context, method),
    metric: context.metric,
    senders: senders?.map(readSender),
    receivers: receivers.map(readReceiver),
    mlps,
    positions,
    freezeMlps,
  };
}

/** Runs a sweep, from where it was stopped before when that is remembered. */
async function goOn(
  context: MethodContext,
  request: SweepRequest,
  run: (known: KnownCells | undefined, call: CallOptions) => Promise<SweepGrid>,
): Promise<SweepGrid> {
  const { engine, call, parts } = context;
  if (!parts) return run(undefined, call);
  const before = parts.sweep();
  const outline = before && (await engine.estimateSweep(request, { signal: call.signal })).outline;
  // The task's file may have been another one when the cells were found than when the method began.
  const known =
    before && outline && before.pairsHash === outline.pairsHash ? knownCells(before, outline) : undefined;
  const report = (progress: Progress): void => {
    if (progress.partial) parts.addCells(progress.partial);
    call.report?.(progress);
  };
  return run(known, { signal: call.signal, report });
}

function knownCells({ cells, pairsHash }: RememberedSweep, { axes }: SweepOutline): KnownCells {
  const size = axes.reduce((product, { labels }) => product * labels.length, 1);
  const raw = new Float64Array(size).fill(Number.NaN);
  const pairs = new Int32Array(size);
  for (const [cell, [value, count]] of cells) {
    raw[cell] = value;
    pairs[cell] = count;
  }
  return { raw, pairs, pairsHash };
}

/** The cells of a sweep as the engine is asked for them. */
export function sweepTarget({ sweep, layers, roles }: SweepChoice): SweepTarget {
  return { kind: 'sweep', name: sweep, ...(layers && { layers }), ...(roles && { roles }) };
}

/** The features of a sweep as the engine is asked for them. */
export async function featureTarget(
  context: Pick<MethodContext, 'sae'>,
  { sae, features, error, by = 'all' }: FeatureChoice,
): Promise<SweepTarget> {
  return { kind: 'features', sae: (await context.sae(sae)).id, features, error, by };
}

/** What takes ablated values' place, as the engine is asked for it. */
export function ablationOf({ value, reference = 'corrupted' }: AblationChoice, seed: number): Ablation {
  switch (value) {
    case 'zero':
      return { kind: 'zero' };
    case 'resample':
      return { kind: 'resample', reference, seed };
    case 'mean':
      return { kind: 'mean', over: 'task', reference };
    case 'meanByPosition':
      return { kind: 'mean', over: 'position', reference };
    case 'meanByTemplate':
      return { kind: 'mean', over: 'template', reference };
  }
}

/** `2.5` or `mlp 2`; the schema lets nothing else through. */
export function readSender(text: string): PathSender {
  const [layer = '', head] = text.replace('mlp ', '').split('.');
  return head === undefined ? { layer: Number(layer) } : { layer: Number(layer), head: Number(head) };
}

/** `q:2.5`. */
export function readReceiver(text: string): PathReceiver {
  const [input = '', at = ''] = text.split(':');
  const [layer, head] = at.split('.').map(Number);
  return { input: input as PathReceiver['input'], layer: layer!, head: head! };
}

/** `share`: 0 corrupted, 1 clean. `change`: of the clean metric, relative. */
function gridOutcome(grid: SweepGrid, scale: 'share' | 'change'): MethodOutcome {
  const { metric, clean, corrupted, pairCount, axes, values, tokens, referencePrompts, provenance } = grid;
  const warning = fewPromptsWarning(referencePrompts);
  const sizes = axes.map(({ labels }) => labels.length);
  return {
    numbers: {
      metric,
      pairs: pairCount,
      clean: toJson(clean),
      corrupted: toJson(corrupted),
      ...(tokens && { tokens: toJson(tokens) }),
      scale,
      ...(referencePrompts !== undefined && { referencePrompts }),
      ...(warning !== undefined && { warning }),
      axes: toJson(axes),
      values: nested(Array.from(values, roundedShare), sizes),
    },
    provenance,
  };
}

/** A flat list as lists in lists, the last axis innermost. */
function nested(values: readonly (number | null)[], sizes: readonly number[]): JsonValue {
  const [, ...inner] = sizes;
  if (inner.length === 0) return values;
  const width = inner.reduce((product, size) => product * size, 1);
  return Array.from({ length: sizes[0]! }, (_, i) => nested(values.slice(i * width, (i + 1) * width), inner));
}
