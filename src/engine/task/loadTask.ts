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
 * @throws as `readTaskFile` and `generateTask`; request.invalid when no pair is left, or the header is faulty: what should
 * be measured would not be known; cancelled.
 */
export async function loadTask(
  source: TaskSource,
  model: TaskModel,
  signal?: AbortSignal,
): Promise<LoadedTask> {
  const read: ReadTask =
    source.kind === 'file'
      ? await readTaskFile(source.path, signal)
      : { file: await generateTask(source, model, signal), problems: [], faultyHeaders: [] };
  const [header] = read.faultyHeaders;
  if (header !== undefined) throw refused(read, `its header cannot be used; ${told(read.problems, header)}`);
  const loaded = await tokenizeRead(read, model, signal);
  if (loaded.task.pairs.length > 0) return loaded;
  const first = loaded.problems.find(({ severity }) => severity === 'error') ?? loaded.problems[0];
  const why = first ? `; ${told(loaded.problems, first.line)}` : '';
  throw refused(read, `none of its pairs can be run${why}`);
}

function refused({ file }: ReadTask, reason: string): EngineError<'request.invalid'> {
  return new EngineError('request.invalid', { what: `The task "${file.name}"`, reason });
}

/** What is wrong with a line. */
function told(problems: readonly TaskProblem[], line: number): string {
  const here = problems.filter((problem) => problem.line === line);
  const first = here.find(({ severity }) => severity === 'error') ?? here[0]!;
  return `line ${line}: ${describeTaskProblem(first).replace(/\.$/, '')}`;
}

/** Lines that are pairs, or should be. */
export function countLines({ file, problems, faultyHeaders }: ReadTask): number {
  const broken = new Set(problems.filter(({ severity }) => severity === 'error').map(({ line }) => line));
  for (const line of faultyHeaders) broken.delete(line);
  return file.lines.length + broken.size;
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
