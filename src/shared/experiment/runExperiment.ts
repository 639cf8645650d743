/** Runs an experiment on an engine: the command line and the editor give the same numbers because both run this. */

import type { CallOptions } from '../callOptions.ts';
import type { CircuitGraph } from '../circuit.ts';
import type { ModelInfo, Provenance, SaeInfo } from '../domain.ts';
import type { EngineApi } from '../engineApi.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../errors.ts';
import { readHubName } from '../hubName.ts';
import { type LeftOutPairs, leftOutPairs } from '../leftOutPairs.ts';
import { methodDefaults } from '../methodDefaults.ts';
import type { PromptPairs } from '../task.ts';
import { type JsonValue, toJson } from './canonicalJson.ts';
import {
  type Experiment,
  type ExperimentFields,
  type ExperimentMethod,
  type ExperimentPairs,
  type MethodKind,
  methodsOf,
} from './experiment.ts';
import type { KeptRun } from './keptRun.ts';
import { listPairTexts } from './pairTexts.ts';
import { recallMethod } from './recallMethod.ts';
import { isPath, namedSaes, ownSaes, type SaeLookup } from './resolveSaes.ts';
import { circuitRunners } from './runCircuits.ts';
import type { FoundSweep, MethodContext, MethodOutcome } from './runMethods.ts';
import { readingRunners } from './runReadings.ts';
import { studyRunners } from './runStudies.ts';
import { sweepRunners } from './runSweeps.ts';

/** Where the things are that an experiment names. */
export interface ExperimentPlaces {
  readonly engine: EngineApi;
  /** Folder of the embedded model. */
  readonly embedded: string;
  /** The real path of one that the file names, relative to the file. @throws file.missing */
  path(relative: string): Promise<string>;
  readText(path: string): Promise<string>;
  /** What an earlier run has left, and where this one leaves what it finds; without it nothing is kept. */
  readonly kept?: KeptRun;
  /** Told of the model once it is open. */
  opened?(model: ModelInfo): void;
}

/** What an experiment gives. */
export interface ExperimentOutcome {
  readonly model: ModelInfo;
  readonly experiment: Experiment;
  /** In the order of the methods. */
  readonly methods: readonly (MethodOutcome & { readonly method: ExperimentMethod })[];
  readonly provenance: Provenance;
  /** Pairs of the task's file that the model cannot run, when there are some. */
  readonly leftOut?: LeftOutPairs;
}

type Runner = (context: MethodContext, method: ExperimentMethod) => Promise<MethodOutcome>;

const runners = {
  ...sweepRunners,
  ...readingRunners,
  ...circuitRunners,
  ...studyRunners,
} as unknown as Readonly<Record<MethodKind, Runner>>;

/** Runs all methods, one after another. @throws request.invalid, and as the engine's methods; cancelled. */
export async function runExperiment(
  experiment: Experiment,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<ExperimentOutcome> {
  const model = await openModel(experiment, places, call);
  const { kept, engine } = places;
  const leftOut = await findLeftOut(experiment, model, places, call);
  const recall = kept && { kept, experiment, provenance: await smallRun(engine, model, call) };
  const methods = methodsOf(experiment);
  const outcomes: (MethodOutcome & { method: ExperimentMethod })[] = [];
  try {
    for (const [i, method] of methods.entries()) {
      throwIfCancelled(call.signal);
      const context = await contextOf(experiment, model, places, within(call, i, methods.length));
      const run = (it: MethodContext) => runners[method.kind](it, method);
      outcomes.push({
        method,
        ...(await numbered(i, methods, () =>
          recall ? recallMethod(recall, context, method, run) : run(context),
        )),
      });
    }
  } finally {
    kept?.flush();
  }
  const provenance = await provenanceOf(experiment, model, places, outcomes, call);
  return { model, experiment, methods: outcomes, provenance, ...(leftOut && { leftOut }) };
}

/** What a task file has that this model cannot run; methods pass over it. */
async function findLeftOut(
  { pairs }: Experiment,
  { id }: ModelInfo,
  { engine, path }: ExperimentPlaces,
  call: CallOptions,
): Promise<LeftOutPairs | undefined> {
  if (pairs?.kind !== 'file') return undefined;
  const file = { path: await path(pairs.path) };
  return leftOutPairs(await engine.checkTask({ model: id, file, measure: 0 }, { signal: call.signal }));
}

/** Opens the model that the experiment names, for itself: nobody else's beginning of prompts changes. @throws request.invalid when it is not on this machine. */
export async function openModel(
  experiment: ExperimentFields,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<ModelInfo> {
  const path = await locateModel(experiment, places, call);
  const model = await places.engine.openModel({ path, bos: experiment.bos ?? 'auto', separate: true }, call);
  places.opened?.(model);
  return model;
}

/** Where the model lies that the experiment names. @throws request.invalid, file.missing when it is not on this machine */
export async function locateModel(
  { model = 'embedded' }: ExperimentFields,
  { engine, embedded, path }: ExperimentPlaces,
  call: CallOptions = {},
): Promise<string> {
  if (model === 'embedded') return embedded;
  if (isPath(model) || /\.gguf$/i.test(model)) return path(model);
  const name = readHubName(model);
  const cached = name && (await engine.locateCached({ ...name, what: { kind: 'model' } }, call)).path;
  if (cached) return cached;
  const reason = name
    ? 'it is not in the cache; download it first, or name a folder as ./FOLDER'
    : 'a model is `embedded`, a path that begins with ./ or /, or owner/name of the hub’s cache';
  throw new EngineError('request.invalid', { what: `The model ${JSON.stringify(model)}`, reason });
}

/** What the methods of an experiment are run with. */
export async function contextOf(
  experiment: ExperimentFields,
  model: ModelInfo,
  places: ExperimentPlaces,
  call: CallOptions,
): Promise<MethodContext> {
  const { engine, path, readText } = places;
  const { seed = methodDefaults.seed, metric } = experiment;
  const pairs = experiment.pairs && (await promptPairs(experiment.pairs, seed, places));
  const lookup: SaeLookup = { engine, model, path, call };
  const saesOf = async (names: readonly string[] | undefined, kinds: readonly SaeInfo['kind'][]) => {
    const found = names
      ? (await Promise.all(names.map((name) => namedSaes(lookup, name, kinds)))).flat()
      : await ownSaes(lookup, kinds);
    return [...new Map(found.map((sae) => [sae.id, sae])).values()];
  };
  return {
    engine,
    model,
    pairs,
    metric,
    seed,
    call,
    namesSaes: experiment.saes !== undefined,
    saes: () => saesOf(experiment.saes, ['sae']),
    transcoders: () => saesOf(experiment.transcoders, ['transcoder', 'crossLayer']),
    sae: async (name) => (await namedSaes(lookup, name))[0]!,
    path,
    readText,
    texts: () =>
      pairs ? listPairTexts(pairs, { engine, model: model.id, readText, call }) : Promise.resolve([]),
  };
}

async function promptPairs(
  pairs: ExperimentPairs,
  seed: number,
  { path }: ExperimentPlaces,
): Promise<PromptPairs> {
  switch (pairs.kind) {
    case 'pair':
      return pairs;
    case 'file': {
      const { limit } = pairs;
      const task = { kind: 'file', path: await path(pairs.path) } as const;
      return { kind: 'task', task, ...(limit !== undefined && { limit }) };
    }
    case 'generator':
      return { kind: 'task', task: { ...pairs, seed: pairs.seed ?? seed } };
  }
}

/** A refusal of one method among several says which one it is. */
async function numbered<T>(
  index: number,
  methods: readonly ExperimentMethod[],
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (methods.length === 1 || !isEngineError(error, 'request.invalid')) throw error;
    const { what, reason } = error.data;
    const named = `Method ${index + 1} (${methods[index]!.kind}): ${what}`;
    throw new EngineError('request.invalid', { what: named, reason });
  }
}

/** Progress of one method among several. */
function within({ signal, report }: CallOptions, index: number, count: number): CallOptions {
  if (!report || count === 1) return { signal, report };
  return {
    signal,
    report: (progress) => report({ ...progress, what: `${index + 1}/${count} · ${progress.what}` }),
  };
}

/** What all numbers came from; the SAEs are those that any method used. */
async function provenanceOf(
  experiment: Experiment,
  model: ModelInfo,
  { engine }: ExperimentPlaces,
  outcomes: readonly MethodOutcome[],
  call: CallOptions,
): Promise<Provenance> {
  const told = outcomes.flatMap(({ provenance }) => provenance ?? []);
  const known = told[0] ?? (await smallRun(engine, model, call));
  const saes = new Map(told.flatMap((one) => one.saes).map((sae) => [`${sae.hook} ${sae.hash}`, sae]));
  const { version, bos, precision } = known;
  const { name, hash } = known.model;
  return {
    version,
    model: { name, hash },
    saes: [...saes.values()],
    bos,
    precision,
    seed: experiment.seed ?? methodDefaults.seed,
  };
}

/** For methods that tell no provenance of their own. */
async function smallRun(engine: EngineApi, { id }: ModelInfo, call: CallOptions): Promise<Provenance> {
  const request = { model: id, text: 'The', saes: [], topFeatures: 0, topPredictions: 1, edits: [] };
  return (await engine.analyze(request, call)).provenance;
}

/** A circuit of an experiment, and the number of the method that found it, from 1. */
export interface FoundCircuit {
  readonly method: number;
  readonly circuit: CircuitGraph;
}

/** The circuits that were found. */
export function circuitsOf({ methods }: ExperimentOutcome): readonly FoundCircuit[] {
  return methods.flatMap(({ circuit }, i) => (circuit ? [{ method: i + 1, circuit }] : []));
}

/** The sweeps that were run, in the order of the methods. */
export function sweepsOf({ methods }: ExperimentOutcome): readonly FoundSweep[] {
  return methods.flatMap(({ sweep }) => sweep ?? []);
}

/**
 * What is written into the results' file: the experiment without its `$schema`, where the numbers came from, and the
 * numbers of every method, beside the name of the circuit's file where it found one.
 */
export function resultsJson(
  outcome: ExperimentOutcome,
  circuitFiles: ReadonlyMap<number, string>,
): JsonValue {
  const { name, description, model, bos, saes, transcoders, pairs, metric, seed } = outcome.experiment;
  const experiment = { name, description, model, bos, saes, transcoders, pairs, metric, seed };
  const results = outcome.methods.map(({ method, numbers }, i) => ({
    method: toJson(method),
    ...(circuitFiles.has(i + 1) && { circuitFile: circuitFiles.get(i + 1)! }),
    ...numbers,
  }));
  const { leftOut } = outcome;
  return {
    version: 1,
    experiment: toJson(experiment),
    provenance: toJson(outcome.provenance),
    ...(leftOut && { leftOut: toJson(leftOut) }),
    results,
  };
}
