/** `fovea task`: checks files of prompt pairs against a model, and writes pairs by the dozen. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatNumber, formatProbability, formatSigned, formatText } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import { taskGenerators } from '../../shared/task.ts';
import type { TaskBehaviour, TaskCheck } from '../../shared/taskApi.ts';
import { describeTaskProblem } from '../../shared/taskProblem.ts';
import { CommandLineError, countOption, listOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { generatorOptions } from '../generatorOptions.ts';
import { renderTable } from '../table.ts';

export const task: Command = {
  summary: 'check a file of prompt pairs, or write one',
  usage: `<check FILE | generate ${taskGenerators.join('|')}> [options]`,
  options: {
    count: {
      type: 'string',
      placeholder: 'N',
      about: `generate: pairs to write (default ${methodDefaults.taskPairs})`,
    },
    seed: {
      type: 'string',
      placeholder: 'N',
      about: `generate: where the random numbers begin (default ${methodDefaults.seed})`,
    },
    option: {
      type: 'string',
      placeholder: 'NAME=VALUE',
      about: 'generate: an option of the generator, such as counterfactual=swapped; may be repeated',
      multiple: true,
    },
    measure: { type: 'string', placeholder: 'N', about: 'check: pairs to measure at most (default: all)' },
  },
  async run(context) {
    const [what, ...rest] = context.line.words;
    if (what === 'check' && rest.length === 1) return check(context, rest[0]!);
    if (what === 'generate' && rest.length === 1) return generate(context, rest[0]!);
    throw new CommandLineError(
      `Say check with a file, or generate with one of ${taskGenerators.join(', ')}.`,
    );
  },
};

async function check(context: Context, path: string): Promise<void> {
  const { line, engine, call } = context;
  const measure = line.options.measure === undefined ? undefined : countOption(line, 'measure', 0, 0);
  const file =
    path === '-' ? { name: 'standard input', text: readFileSync(0, 'utf8') } : { path: resolve(path) };
  const model = await openModel(context);
  const found = await engine.checkTask({ model: model.id, file, measure }, call);
  context.print(found, () => describeCheck(found, path, model.name));
  const isFaulty = found.problems.some(({ severity }) => severity === 'error');
  if (isFaulty || found.pairs === 0) process.exitCode = 1;
}

function describeCheck(found: TaskCheck, path: string, model: string): string {
  const problems = found.problems.map(
    (problem) =>
      `${formatText(path)}:${problem.line}: ${problem.severity}: ${formatText(describeTaskProblem(problem))}`,
  );
  if (found.unlisted > 0) problems.push(`… and ${found.unlisted} more`);
  const summary = `${formatText(found.name)}: ${found.pairs} of ${found.lines} pairs can be run with ${formatText(model)}.`;
  return [...problems, summary, ...(found.behaviour ? [behaviourTable(found, found.behaviour)] : [])].join(
    '\n',
  );
}

function behaviourTable({ templates }: TaskCheck, whole: TaskBehaviour): string {
  const columns = [
    { title: 'template' },
    { title: 'pairs', align: 'right' as const },
    { title: 'accuracy', align: 'right' as const },
    { title: 'logit difference', align: 'right' as const },
    { title: 'corrupted', align: 'right' as const },
  ];
  const row = (title: string, behaviour: TaskBehaviour): string[] => [
    title,
    formatNumber(behaviour.pairs),
    behaviour.accuracy === 0 ? '0 %' : formatProbability(behaviour.accuracy),
    formatSigned(behaviour.logitDifference),
    formatSigned(behaviour.corruptedLogitDifference),
  ];
  const named = templates.filter(({ template }) => template !== '');
  return renderTable(columns, [...named.map((one) => row(formatText(one.template), one)), row('all', whole)]);
}

async function generate(context: Context, named: string): Promise<void> {
  const name = taskGenerators.find((generator) => generator === named);
  if (!name) throw new CommandLineError(`There is no generator "${named}": ${taskGenerators.join(', ')}.`);
  const request = {
    name,
    count: countOption(context.line, 'count', methodDefaults.taskPairs),
    seed: countOption(context.line, 'seed', methodDefaults.seed, 0),
    options: generatorOptions(listOption(context.line, 'option')),
  };
  const { id } = await openModel(context);
  const { text } = await context.engine.generateTask({ model: id, ...request }, context.call);
  context.print({ text }, () => text.trimEnd());
}
