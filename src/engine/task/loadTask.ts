/** From where a task comes to the tokens that methods run: one place for files and generators. */
import { EngineError } from '../../shared/errors.ts';
import type { TaskMetric, TaskSource } from '../../shared/task.ts';
import { describeTaskProblem, type TaskProblem } from '../../shared/taskProblem.ts';
import { generateTask } from './generateTask.ts';
import { type ReadTask, readTaskFile } from './taskFile.ts';
import { type TaskModel, type TokenizedTask, tokenizeTask } from './tokenizeTask.ts';

/** A task in the tokens of one model. */
export interface LoadedTask extends TokenizedTask {
  /** What the task itself says should be measured. */
  readonly metric: TaskMetric;
  readonly description?: string;
}

/**
 * The pairs of `source` that this model can run; what keeps others from it is in `problems`.
 * @throws as `readTaskFile` and `generateTask`; request.invalid when no pair is left; cancelled.
 */
export async function loadTask(
  source: TaskSource,
  model: TaskModel,
  signal?: AbortSignal,
): Promise<LoadedTask> {
  const read: ReadTask =
    source.kind === 'file'
      ? await readTaskFile(source.path, signal)
      : { file: await generateTask(source, model, signal), problems: [] };
  const loaded = await tokenizeRead(read, model, signal);
  if (loaded.task.pairs.length > 0) return loaded;
  const first = loaded.problems.find(({ severity }) => severity === 'error') ?? loaded.problems[0];
  throw new EngineError('request.invalid', {
    what: `The task "${read.file.name}"`,
    reason: `none of its pairs can be run${first ? `; line ${first.line}: ${describeTaskProblem(first).replace(/\.$/, '')}` : ''}`,
  });
}

/** A task that was read, in tokens, with all that is wrong with it in the order of the lines. @throws cancelled */
export async function tokenizeRead(
  { file, problems }: ReadTask,
  model: TaskModel,
  signal?: AbortSignal,
): Promise<LoadedTask> {
  const tokenized = await tokenizeTask(file, model, signal);
  const all: TaskProblem[] = [...problems, ...tokenized.problems];
  const { metric, description } = file;
  return {
    ...tokenized,
    problems: all.sort((a, b) => a.line - b.line),
    metric,
    ...(description !== undefined && { description }),
  };
}
