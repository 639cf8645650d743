/** The pairs of a request in the model's tokens: those of a task, or one that is written out. */
import { EngineError } from '../shared/errors.ts';
import type { PromptPairs } from '../shared/patchingApi.ts';
import type { TaskMetric } from '../shared/task.ts';
import { describeTaskProblem } from '../shared/taskProblem.ts';
import type { LoadedModel } from './loadedModel.ts';
import { loadTask } from './task/loadTask.ts';
import type { TokenTask } from './task/task.ts';
import { tokenizePair } from './task/tokenizeTask.ts';

/** The pairs in the model's tokens. @throws request.invalid when the pair or the task cannot be run. */
export async function readPairs(
  model: LoadedModel,
  pairs: PromptPairs,
  metric: TaskMetric | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly task: TokenTask; readonly metric: TaskMetric }> {
  if (pairs.kind === 'task') {
    const loaded = await loadTask(pairs.task, model, signal);
    const task = { ...loaded.task, pairs: loaded.task.pairs.slice(0, pairs.limit) };
    return { task, metric: metric ?? loaded.metric };
  }
  const { clean, corrupted, answers, wrongAnswers } = pairs;
  const line = { line: 1, clean, corrupted, answers, wrongAnswers, roles: {}, template: '' };
  const { pair, problems } = tokenizePair(line, model);
  if (pair) return { task: { name: clean, pairs: [pair] }, metric: metric ?? 'logitDifference' };
  const problem = problems.find(({ severity }) => severity === 'error') ?? problems[0]!;
  const reason = describeTaskProblem(problem).replace(/\.$/, '');
  throw new EngineError('request.invalid', { what: 'The pair of prompts', reason });
}
