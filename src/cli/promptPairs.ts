/** The prompts of a method on the command line: one pair, a task file, or pairs that a generator writes. */

import { resolve } from 'node:path';
import type { ModelInfo } from '../shared/domain.ts';
import { describeLeftOut, type LeftOutPairs, leftOutPairs } from '../shared/leftOutPairs.ts';
import { methodDefaults } from '../shared/methodDefaults.ts';
import { type PromptPairs, type TaskSource, taskGenerators } from '../shared/task.ts';
import {
  type CommandLine,
  CommandLineError,
  countOption,
  listOption,
  type OptionSpec,
  textOption,
} from './arguments.ts';
import type { Context } from './context.ts';
import { generatorOptions } from './generatorOptions.ts';
import { isGiven, refuseUnused } from './unusedOptions.ts';

const text = (placeholder: string, about: string, multiple = false): OptionSpec => ({
  type: 'string',
  placeholder,
  about,
  multiple,
});

/** The options that say which prompts. */
export const promptOptions = {
  answer: text('TOKEN', 'right answer of the clean prompt (may be given several times)', true),
  wrong: text('TOKEN', 'wrong answer (may be given several times)', true),
  task: text('FILE', 'a task file instead of two prompts'),
  generate: text('NAME', `pairs of a generator: ${taskGenerators.join(', ')}`),
  option: text('NAME=VALUE', 'of the generator, such as structure=rc (may be given several times)', true),
  pairs: text(
    'N',
    `pairs to generate, or to run of the task at most (default ${methodDefaults.searchPairs} generated, all of a file)`,
  ),
  seed: text('N', `where random numbers begin (default ${methodDefaults.seed})`),
} as const;

/** How the options above are written in a usage line. */
export const promptUsage = '--generate NAME | --task FILE | "clean" "corrupted" --answer TOKEN --wrong TOKEN';

/**
 * The prompts that the line names. `drawsOtherwise`: the seed is of use without a generator as well.
 * @throws CommandLineError when there are none, more than one kind, or options that do nothing.
 */
export function readPromptPairs(line: CommandLine, drawsOtherwise = false): PromptPairs {
  const ways = [line.words.length > 0, isGiven(line, 'task'), isGiven(line, 'generate')];
  if (ways.filter(Boolean).length > 1) {
    throw new CommandLineError('Give two prompts, --task, or --generate: only one of them.');
  }
  const isTask = isGiven(line, 'task') || isGiven(line, 'generate');
  refuseUnused(line, [
    [isTask, ['answer', 'wrong'], 'The pairs of a task have answers of their own'],
    [!isTask, ['pairs'], 'There is one pair of prompts: name more with --task or --generate'],
    [!isGiven(line, 'generate'), ['option'], 'Options are of generators: name one with --generate'],
    [
      !isGiven(line, 'generate') && !drawsOtherwise,
      ['seed'],
      'Nothing is drawn here: pairs are only drawn with --generate',
    ],
  ]);
  if (isGiven(line, 'generate')) return generated(line);
  const path = textOption(line, 'task');
  if (path === undefined) return pairOf(line);
  const limit = countOption(line, 'pairs', 0, 0);
  return { kind: 'task', task: { kind: 'file', path: resolve(path) }, ...(limit > 0 && { limit }) };
}

function generated(line: CommandLine): PromptPairs {
  const given = textOption(line, 'generate');
  const name = taskGenerators.find((known) => known === given);
  if (name === undefined) {
    throw new CommandLineError(`--generate takes one of ${taskGenerators.join(', ')}, not "${given}".`);
  }
  const options = generatorOptions(listOption(line, 'option'));
  const count = countOption(line, 'pairs', methodDefaults.searchPairs);
  const seed = countOption(line, 'seed', methodDefaults.seed, 0);
  return { kind: 'task', task: { kind: 'generator', name, count, seed, options } };
}

function pairOf(line: CommandLine): PromptPairs {
  const [answers, wrongAnswers] = [listOption(line, 'answer'), listOption(line, 'wrong')];
  const [clean, corrupted] = line.words;
  if (clean === undefined || corrupted === undefined || line.words.length !== 2) {
    throw new CommandLineError(
      'Give two prompts in quotes, of as many tokens: "clean" "corrupted"; or a task with --task or --generate.',
    );
  }
  if (answers.length === 0 || wrongAnswers.length === 0) {
    throw new CommandLineError('Name the answers: --answer " Mary" --wrong " John".');
  }
  return { kind: 'pair', clean, corrupted, answers, wrongAnswers };
}

/**
 * Says on standard error which pairs of a task file this model cannot run. What comes back belongs into the answer's
 * JSON: nothing when no pair is left out.
 */
export async function tellLeftOut(
  { engine, call, warn }: Context,
  { id }: Pick<ModelInfo, 'id'>,
  task: TaskSource | PromptPairs,
): Promise<{ readonly leftOut?: LeftOutPairs }> {
  const source = task.kind === 'task' ? task.task : task;
  if (source.kind !== 'file') return {};
  const check = await engine.checkTask({ model: id, file: { path: source.path }, measure: 0 }, call);
  const leftOut = leftOutPairs(check);
  // A task without a pair is an error of the method itself, which says why.
  if (!leftOut || check.pairs === 0) return {};
  warn(`Warning: ${describeLeftOut(leftOut)}`);
  return { leftOut };
}
