/** The pairs of a task as texts, for what is run on one prompt after another and for scripts. */

import type { CallOptions } from '../callOptions.ts';
import type { ModelId } from '../domain.ts';
import type { EngineApi } from '../engineApi.ts';
import { EngineError } from '../errors.ts';
import type { PromptPairs } from '../task.ts';
import { describeTaskProblem } from '../taskProblem.ts';

/** One pair. */
export interface PairText {
  readonly clean: string;
  readonly corrupted: string;
  readonly answers: readonly string[];
  readonly wrongAnswers: readonly string[];
  /** The empty text when none is named. */
  readonly template: string;
}

/** What pairs are read with. */
export interface PairReader {
  readonly engine: EngineApi;
  readonly model: ModelId;
  readText(path: string): Promise<string>;
  readonly call: CallOptions;
}

/**
 * The pairs that the model can run, in the order of the task.
 * @throws request.invalid when the task has more faults than are listed, or no pair that can be used.
 */
export async function listPairTexts(pairs: PromptPairs, reader: PairReader): Promise<readonly PairText[]> {
  if (pairs.kind === 'pair') return [await checkedPair(pairs, reader)];
  const { engine, model, call } = reader;
  const { task, limit } = pairs;
  const text =
    task.kind === 'file'
      ? await reader.readText(task.path)
      : (await engine.generateTask({ ...task, model }, call)).text;
  const name = task.kind === 'file' ? task.path : task.name;
  const check = await engine.checkTask({ model, file: { text, name }, measure: 0 }, call);
  if (check.unlisted > 0) throw unusable(name, 'it has too many faults; correct the first ones');
  if (check.hasFaultyHeader) throw unusable(name, 'its header cannot be used');
  const faulty = new Set(
    check.problems.filter(({ severity }) => severity === 'error').map(({ line }) => line),
  );
  const lines = text.split(/\r?\n/);
  const found = lines.flatMap((line, i) => (faulty.has(i + 1) ? [] : (readLine(line) ?? [])));
  if (found.length > 0) return found.slice(0, limit);
  throw unusable(name, 'none of its pairs can be run');
}

/** @throws request.invalid when the model cannot run it. */
async function checkedPair(
  { clean, corrupted, answers, wrongAnswers }: Extract<PromptPairs, { kind: 'pair' }>,
  { engine, model, call }: PairReader,
): Promise<PairText> {
  const text = JSON.stringify({ clean, corrupted, answers, wrongAnswers });
  const check = await engine.checkTask({ model, file: { text, name: 'pair' }, measure: 0 }, call);
  const problem = check.problems.find(({ severity }) => severity === 'error');
  if (!problem) return { clean, corrupted, answers, wrongAnswers, template: '' };
  const reason = describeTaskProblem(problem).replace(/\.$/, '');
  throw new EngineError('request.invalid', { what: 'The pair of prompts', reason });
}

/** The pair on a line that was checked; nothing for headers and empty lines. */
function readLine(line: string): PairText | undefined {
  if (line.trim() === '') return undefined;
  const value = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const { clean, corrupted, template } = value;
  if (typeof clean !== 'string' || typeof corrupted !== 'string') return undefined;
  return {
    clean,
    corrupted,
    answers: wordsOf(value.answers ?? value.answer),
    wrongAnswers: wordsOf(value.wrongAnswers ?? value.wrongAnswer),
    template: typeof template === 'string' ? template : '',
  };
}

function wordsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((word) => typeof word === 'string');
}

function unusable(name: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what: `The task ${name}`, reason });
}
