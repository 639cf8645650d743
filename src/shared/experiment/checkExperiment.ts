/** What keeps an experiment from being run, told before it is: names that are not there, answers of several tokens, prompts that do not fit. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelInfo, SaeInfo } from '../domain.ts';
import { type EngineError, isEngineError } from '../errors.ts';
import type { PlacedPair, TaskCheck } from '../taskApi.ts';
import { describeTaskProblem, type TaskProblem } from '../taskProblem.ts';
import { checkNeeds, checkPlaces } from './checkMethod.ts';
import { checkPositions } from './checkPositions.ts';
import type { ExperimentFields, ExperimentPairs } from './experiment.ts';
import type { ExperimentProblem } from './experimentProblem.ts';
import type { SchemaProblem } from './jsonSchema.ts';
import { describePath, type ExperimentParts, type PlacedMethod } from './readExperiment.ts';
import { folderOfSaes, isPath, namedSaes } from './resolveSaes.ts';
import { contextOf, type ExperimentPlaces, locateModel, openModel } from './runExperiment.ts';

/**
 * What is wrong; nothing for an experiment that can be run. Each part is checked by itself, so that a mistake in one
 * hides none in another. Without `opensModel` only what shows without a model is told: fields and files.
 * @throws cancelled
 */
export async function checkExperiment(
  parts: ExperimentParts,
  places: ExperimentPlaces,
  call: CallOptions = {},
  opensModel = true,
): Promise<readonly ExperimentProblem[]> {
  const { fields, unread, methods } = parts;
  const problems = parts.problems.map(problemOf);
  const model = unread.has('model')
    ? undefined
    : await attempt(['model'], problems, async () => {
        if (opensModel) return openModel(fields, places, call);
        await locateModel(fields, places, call);
      });
  const around: Surroundings = { places, call, model };
  for (const field of ['saes', 'transcoders'] as const) {
    const kinds = field === 'saes' ? (['sae'] as const) : (['transcoder', 'crossLayer'] as const);
    for (const [i, name] of (fields[field] ?? []).entries()) {
      await attempt([field, i], problems, () => findSaes(around, name, kinds));
    }
  }
  const { pairs } = fields;
  const before = problems.length;
  if (pairs) problems.push(...(await checkPairs(pairs, around)));
  const isRunnable = problems.slice(before).every(({ severity }) => severity !== 'error');
  const placed = isRunnable ? await placedPairs(fields, around, problems) : undefined;
  const known = { pairs: unread.has('pairs') ? 'unread' : pairs, placed } as const;
  for (const placedMethod of methods) await checkMethod(placedMethod, known, around, problems);
  return problems;
}

async function checkMethod(
  { path, method }: PlacedMethod,
  { pairs, placed }: { readonly pairs?: ExperimentPairs | 'unread'; readonly placed?: readonly PlacedPair[] },
  around: Surroundings,
  problems: ExperimentProblem[],
): Promise<void> {
  if (pairs !== 'unread') problems.push(...checkNeeds(method, pairs, path));
  if (around.model) problems.push(...checkPlaces(method, around.model, path));
  if (placed) problems.push(...checkPositions(method, placed, path));
  const sae = 'sae' in method ? method.sae : undefined;
  if (sae !== undefined) await attempt([...path, 'sae'], problems, () => findSaes(around, sae));
  const tuned = 'tuned' in method ? method.tuned : undefined;
  if (tuned !== undefined) await attempt([...path, 'tuned'], problems, () => around.places.path(tuned));
}

/** What parts are checked against; the model when it could be opened. */
interface Surroundings {
  readonly places: ExperimentPlaces;
  readonly call: CallOptions;
  readonly model: ModelInfo | undefined;
}

function problemOf({ path, expected, found }: SchemaProblem): ExperimentProblem {
  const field = describePath({ path: path.slice(-1) });
  return { path, severity: 'error', message: `${field} should be ${expected}, but is ${found}.` };
}

/** SAEs of a name; of one that is a path, without a model, only whether it is there. */
async function findSaes(
  { places: { engine, path }, model, call }: Surroundings,
  name: string,
  kinds?: readonly SaeInfo['kind'][],
): Promise<void> {
  if (model) await namedSaes({ engine, model, path, call }, name, kinds);
  else if (isPath(name)) await path(folderOfSaes(name));
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

/** Where roles are and how long prompts are; nothing when pairs are not there or cannot be read. */
async function placedPairs(
  fields: ExperimentFields,
  { places, model, call }: Surroundings,
  problems: ExperimentProblem[],
): Promise<readonly PlacedPair[] | undefined> {
  if (!model || !fields.pairs) return undefined;
  return attempt(['pairs'], problems, async () => {
    const { pairs } = await contextOf(fields, model, places, call);
    return pairs && places.engine.placePairs({ model: model.id, pairs }, call);
  });
}

async function checkPairs(
  pairs: ExperimentPairs,
  { places: { engine, path }, model, call }: Surroundings,
): Promise<readonly ExperimentProblem[]> {
  const problems: ExperimentProblem[] = [];
  const at = ['pairs', 'path'];
  const file = pairs.kind === 'file' ? await attempt(at, problems, () => path(pairs.path)) : undefined;
  if (!model) return problems;
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
  if (file === undefined) return problems;
  const found = await attempt(at, problems, async () =>
    engine.checkTask({ model: model.id, file: { path: file }, measure: 0 }, call),
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
