/** From an experiment to its TransformerLens script: the model is opened and the task is read, so that the script has the same prompts. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelInfo } from '../domain.ts';
import type { PromptPairs, TaskMetric } from '../task.ts';
import type { PlacedPair } from '../taskApi.ts';
import { type Experiment, type ExperimentMethod, type MethodOf, methodsOf } from './experiment.ts';
import { isPath } from './resolveSaes.ts';
import { contextOf, type ExperimentPlaces, openModel } from './runExperiment.ts';
import { type MethodContext, requirePairs } from './runMethods.ts';
import { featureTarget } from './runSweeps.ts';
import { requireScripts, type ScriptFeatures } from './transformerLensMethods.ts';
import { transformerLensScript } from './transformerLensScript.ts';

/** The script's text. @throws request.invalid when a method has no equivalent in TransformerLens */
export async function exportScript(
  experiment: Experiment,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<string> {
  const methods = methodsOf(experiment);
  requireScripts(methods);
  const model = await openModel(experiment, places, call);
  const context = await contextOf(experiment, model, places, call);
  const pairs = requirePairs(context, methods[0]!);
  const named = experiment.metric ?? (await metricOf(context, pairs));
  return transformerLensScript({
    name: experiment.name ?? 'Experiment',
    modelPath: modelPath(experiment, model),
    model,
    metric: named,
    pairs: await context.texts(),
    placed: methods.some(asksForPlaces) ? await placesOf(context, pairs) : [],
    features: await featuresOf(context, methods),
    lenses: await lensesOf(context, methods),
    methods,
  });
}

/** Whether a script needs to know where roles are, or whose prompt takes another's place. */
function asksForPlaces(method: ExperimentMethod): boolean {
  if (method.kind === 'patchPaths') return method.positions?.some((at) => typeof at === 'string') ?? false;
  return (
    ('roles' in method && method.roles !== undefined) || ('value' in method && method.value === 'resample')
  );
}

async function placesOf(
  { engine, model, seed, call }: MethodContext,
  pairs: PromptPairs,
): Promise<readonly PlacedPair[]> {
  return engine.placePairs({ model: model.id, pairs, seed }, call);
}

/** The SAEs of methods about features; the strongest features by their numbers. */
async function featuresOf(
  context: MethodContext,
  methods: readonly ExperimentMethod[],
): Promise<ReadonlyMap<ExperimentMethod, ScriptFeatures>> {
  const found = new Map<ExperimentMethod, ScriptFeatures>();
  for (const method of methods) {
    if (method.kind !== 'patchFeatures' && method.kind !== 'ablateFeatures') continue;
    const sae = await context.sae(method.sae);
    found.set(method, { sae, features: await numbersOf(context, method) });
  }
  return found;
}

async function numbersOf(
  context: MethodContext,
  method: MethodOf<'patchFeatures' | 'ablateFeatures'>,
): Promise<readonly number[]> {
  if (!('strongest' in method.features)) return method.features;
  const { engine, model, metric, call } = context;
  const target = await featureTarget(context, { ...method, error: false, by: 'all' });
  const request = { model: model.id, pairs: requirePairs(context, method), metric, target };
  const { outline } = await engine.estimateSweep(request, call);
  return outline.axes.at(-1)!.labels.map(Number);
}

async function lensesOf(
  { path }: MethodContext,
  methods: readonly ExperimentMethod[],
): Promise<ReadonlyMap<ExperimentMethod, string>> {
  const found = new Map<ExperimentMethod, string>();
  for (const method of methods)
    if (method.kind === 'logitLens' && method.tuned !== undefined)
      found.set(method, await path(method.tuned));
  return found;
}

/** The task's own metric. */
async function metricOf({ engine, model, call }: MethodContext, pairs: PromptPairs): Promise<TaskMetric> {
  if (pairs.kind === 'pair') return 'logitDifference';
  const { task } = pairs;
  const file =
    task.kind === 'file'
      ? { path: task.path }
      : { text: (await engine.generateTask({ ...task, model: model.id }, call)).text, name: task.name };
  return (await engine.checkTask({ model: model.id, file, measure: 0 }, call)).metric;
}

/** Repositories of the hub by name, all else by where it lies on this machine. */
function modelPath({ model = 'embedded' }: Experiment, { path }: ModelInfo): string {
  const isHub = model !== 'embedded' && !isPath(model) && !/@|\.gguf$/i.test(model);
  return isHub ? model : path;
}
