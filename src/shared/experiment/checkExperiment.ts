/** What keeps an experiment from being run, told before it is: names that are not there, answers of several tokens, prompts that do not fit. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelInfo } from '../domain.ts';
import { type EngineError, isEngineError } from '../errors.ts';
import type { TaskCheck } from '../taskApi.ts';
import { describeTaskProblem, type TaskProblem } from '../taskProblem.ts';
import { type Experiment, type ExperimentMethod, type ExperimentPairs, methodsOf } from './experiment.ts';
import { namedSaes, type SaeLookup } from './resolveSaes.ts';
import { type ExperimentPlaces, openModel } from './runExperiment.ts';
import { readReceiver, readSender } from './runSweeps.ts';

/** One thing that is wrong, and where in the file. */
export interface ExperimentProblem {
  readonly path: readonly (string | number)[];
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** What is wrong, in the order of the file; nothing for an experiment that can be run. @throws cancelled */
export async function checkExperiment(
  experiment: Experiment,
  places: ExperimentPlaces,
  call: CallOptions = {},
): Promise<readonly ExperimentProblem[]> {
  const problems: ExperimentProblem[] = [];
  const tried = await attempt(['model'], problems, () => openModel(experiment, places, call));
  if (!tried) return problems;
  const { path, engine } = places;
  const lookup: SaeLookup = { engine, model: tried, path, call };
  for (const field of ['saes', 'transcoders'] as const) {
    for (const [i, name] of (experiment[field] ?? []).entries()) {
      const kinds = field === 'saes' ? (['sae'] as const) : (['transcoder', 'crossLayer'] as const);
      await attempt([field, i], problems, () => namedSaes(lookup, name, kinds));
    }
  }
  if (experiment.pairs) problems.push(...(await checkPairs(experiment.pairs, tried, places, call)));
  const isList = Array.isArray(experiment.method);
  for (const [i, method] of methodsOf(experiment).entries()) {
    const at = isList ? ['method', i] : ['method'];
    problems.push(...checkNeeds(method, experiment, at), ...checkPlaces(method, tried, at));
    const sae = 'sae' in method ? method.sae : undefined;
    if (sae !== undefined) await attempt([...at, 'sae'], problems, () => namedSaes(lookup, sae));
  }
  return problems;
}

/** Does something; when it fails as it may, that is a problem at `path`. */
async function attempt<T>(
  path: readonly (string | number)[],
  problems: ExperimentProblem[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isEngineError(error) || isEngineError(error, 'cancelled')) throw error;
    problems.push({ path, severity: 'error', message: (error as EngineError).message });
    return undefined;
  }
}

async function checkPairs(
  pairs: ExperimentPairs,
  model: ModelInfo,
  { engine, path }: ExperimentPlaces,
  call: CallOptions,
): Promise<readonly ExperimentProblem[]> {
  if (pairs.kind === 'pair') {
    const { clean, corrupted, answers, wrongAnswers } = pairs;
    const text = JSON.stringify({ clean, corrupted, answers, wrongAnswers });
    const file = { text, name: 'pair' };
    const { problems } = await engine.checkTask({ model: model.id, file, measure: 0 }, call);
    return problems.map((problem) => ({
      path: ['pairs', ...placeIn(pairs, problem)],
      severity: problem.severity,
      message: describeTaskProblem(problem),
    }));
  }
  if (pairs.kind === 'generator') return [];
  const problems: ExperimentProblem[] = [];
  const at = ['pairs', 'path'];
  const found = await attempt(at, problems, async () =>
    engine.checkTask({ model: model.id, file: { path: await path(pairs.path) }, measure: 0 }, call),
  );
  if (!found) return problems;
  const [first] = found.problems;
  if (!first) return [];
  if (found.hasFaultyHeader) return [{ path: at, severity: 'error', message: faultyHeader(found) }];
  const message = `${found.lines - found.pairs} of ${found.lines} pairs cannot be used. Line ${first.line}: ${describeTaskProblem(first)}`;
  return [{ path: at, severity: found.pairs === 0 ? 'error' : 'warning', message }];
}

/** Nothing of a task is run whose header is faulty: what should be measured would not be known. */
function faultyHeader({ problems }: TaskCheck): string {
  const header = problems.find(({ severity }) => severity === 'error')!;
  return `The header cannot be used. Line ${header.line}: ${describeTaskProblem(header)}`;
}

/** The field of a problem, and of answers the one that is meant. Tasks say one answer in the singular. */
function placeIn(
  { answers, wrongAnswers }: Extract<ExperimentPairs, { kind: 'pair' }>,
  { field, data }: TaskProblem,
): readonly (string | number)[] {
  if (field === undefined) return [];
  if (!/^(answer|wrongAnswer)s?$/.test(field)) return [field];
  const isRight = field.startsWith('answer');
  const at = 'text' in data ? (isRight ? answers : wrongAnswers).indexOf(data.text) : -1;
  return [isRight ? 'answers' : 'wrongAnswers', ...(at < 0 ? [] : [at])];
}

const onePair: ReadonlySet<ExperimentMethod['kind']> = new Set([
  'logitLens',
  'gradientCircuit',
  'attributionGraph',
]);

function checkNeeds(
  { kind }: ExperimentMethod,
  { pairs }: Experiment,
  path: readonly (string | number)[],
): readonly ExperimentProblem[] {
  const error = (message: string): ExperimentProblem[] => [
    { path: [...path, 'kind'], severity: 'error', message },
  ];
  if (kind === 'shift') return [];
  if (!pairs) return error('This method needs prompts: give the experiment "pairs".');
  if (onePair.has(kind) && pairs.kind !== 'pair') {
    return error('This method looks at one pair of prompts: give "pairs" of the kind "pair".');
  }
  if (kind === 'indirectObjectStudy' && pairs.kind === 'pair') {
    return error('This method needs a task: give "pairs" of the kind "file" or "generator".');
  }
  return [];
}

/** Layers and heads that the model lacks. */
function checkPlaces(
  method: ExperimentMethod,
  { nLayers, nHeads, nKeyValueHeads, name }: ModelInfo,
  path: readonly (string | number)[],
): readonly ExperimentProblem[] {
  const problems: ExperimentProblem[] = [];
  const check = (
    at: readonly (string | number)[],
    { layer, head }: { readonly layer: number; readonly head?: number },
    heads = nHeads,
  ): void => {
    if (layer < nLayers && (head === undefined || head < heads)) return;
    const message = `${name} has layers 0 to ${nLayers - 1} with heads 0 to ${heads - 1}.`;
    problems.push({ path: [...path, ...at], severity: 'error', message });
  };
  if ('layers' in method)
    for (const [i, layer] of (method.layers ?? []).entries()) check(['layers', i], { layer });
  if (method.kind === 'patchPaths') {
    const { senders = [], receivers = [] } = method;
    for (const [i, sender] of senders.entries()) check(['senders', i], readSender(sender));
    for (const [i, text] of receivers.entries()) {
      const receiver = readReceiver(text);
      check(['receivers', i], receiver, receiver.input === 'q' ? nHeads : nKeyValueHeads);
    }
  }
  return problems;
}
