/** From an experiment to its TransformerLens script: the model is opened and the task is read, so that the script has the same prompts. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelInfo } from '../domain.ts';
import { type Experiment, methodsOf } from './experiment.ts';
import { isPath } from './resolveSaes.ts';
import { contextOf, type ExperimentPlaces, openModel } from './runExperiment.ts';
import { requirePairs } from './runMethods.ts';
import { transformerLensScript } from './transformerLensScript.ts';

/** The script's text. @throws request.invalid when a method has no equivalent in TransformerLens */
export async function exportScript(
  experiment: Experiment,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<string> {
  const model = await openModel(experiment, places, call);
  const context = await contextOf(experiment, model, places, call);
  const methods = methodsOf(experiment);
  const pairs = requirePairs(context, methods[0]!);
  const named = experiment.metric ?? (await metricOf(context, pairs));
  return transformerLensScript({
    name: experiment.name ?? 'Experiment',
    modelPath: modelPath(experiment, model),
    model,
    metric: named,
    pairs: await context.texts(),
    methods,
  });
}

/** The task's own metric. */
async function metricOf(
  { engine, model, call }: Awaited<ReturnType<typeof contextOf>>,
  pairs: ReturnType<typeof requirePairs>,
) {
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
