/** Writes tasks by the dozen: pairs of a generator, in words that are single tokens of the model that is to read them. */
import { EngineError } from '../../shared/errors.ts';
import { type GeneratedTask, type TaskOptions, taskGenerators } from '../../shared/task.ts';
import { shorten } from '../files/fileErrors.ts';
import { seededRandom } from '../random.ts';
import { Breather } from './breather.ts';
import { type DrawPair, type Generator, generators, type NumberOption } from './generators.ts';
import { charactersOf, type PromptPair } from './promptSet.ts';
import { writeRole } from './roles.ts';
import type { TokenPair } from './task.ts';
import type { TaskFile, TaskLine } from './taskFile.ts';
import { maxPairs } from './taskFile.ts';
import { type TaskModel, tokenizePair } from './tokenizeTask.ts';

/** Draws without a new pair after which there are taken to be no more. */
const maxVainDraws = 5000;

/**
 * `request.count` different pairs, all of which `tokenizeTask` takes for this model. Pairs of one template have their
 * roles at the same tokens. The same request gives the same pairs for the same tokenizer.
 *
 * @throws request.invalid for an unknown name, option or count, and when the tokenizer has too few of the words as single
 * tokens; cancelled.
 */
export async function generateTask(
  request: GeneratedTask,
  model: TaskModel,
  signal?: AbortSignal,
): Promise<TaskFile> {
  const { name, count, seed } = request;
  const generator = generatorOf(request);
  if (!Number.isInteger(count) || count < 1 || count > maxPairs) {
    throw refused(`The number of pairs (${count})`, `it should be a whole number from 1 to ${maxPairs}`);
  }
  if (!Number.isFinite(seed)) throw refused(`The seed (${seed})`, 'it should be a number');
  const options = completeOptions(name, generator, request.options ?? {});
  try {
    const draw = generator.start(model.tokenizer, options);
    const drawn = await drawLines(draw, request, model, signal);
    const chosen = Object.entries(options).map(([option, value]) => `${option} ${value}`);
    const description = `${count} pairs of the generator ${name}: seed ${seed}, ${chosen.join(', ')}`;
    return { name, metric: generator.metric, description, lines: steadyTemplates(drawn) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw refused(
      `The generator "${name}"`,
      `this model's tokenizer splits too many of its words. ${error.message}`,
    );
  }
}

function generatorOf({ name }: GeneratedTask): Generator {
  if (Object.hasOwn(generators, name)) return generators[name];
  throw refused(
    `The generator "${shorten(String(name))}"`,
    `there is none of this name. Choose one of ${taskGenerators.join(', ')}`,
  );
}

/** Every option with its value. @throws request.invalid for unknown ones and values that it does not take. */
function completeOptions(name: string, generator: Generator, given: TaskOptions): Record<string, string> {
  const known = Object.keys(generator.options);
  const unknown = Object.keys(given).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    throw refused(`The option "${shorten(unknown)}"`, `the generator "${name}" takes ${known.join(', ')}`);
  }
  return Object.fromEntries(
    Object.entries(generator.options).map(([option, allowed]) => {
      const value = Object.hasOwn(given, option) ? given[option]! : usualValue(allowed);
      if (isAllowed(value, allowed)) return [option, value];
      throw refused(
        `The value "${shorten(String(value))}" of "${option}"`,
        `it should be ${describeAllowed(allowed)}`,
      );
    }),
  );
}

type Allowed = readonly string[] | NumberOption;

function isRange(allowed: Allowed): allowed is NumberOption {
  return 'least' in allowed;
}

function usualValue(allowed: Allowed): string {
  return isRange(allowed) ? String(allowed.usual) : allowed[0]!;
}

function isAllowed(value: string, allowed: Allowed): boolean {
  if (!isRange(allowed)) return allowed.includes(value);
  return /^\d{1,6}$/.test(value) && Number(value) >= allowed.least && Number(value) <= allowed.most;
}

function describeAllowed(allowed: Allowed): string {
  return isRange(allowed)
    ? `a whole number from ${allowed.least} to ${allowed.most}`
    : `one of ${allowed.join(', ')}`;
}

/** A line and its tokens. */
interface Drawn {
  readonly line: TaskLine;
  readonly pair: TokenPair;
}

async function drawLines(
  draw: DrawPair,
  { name, count, seed }: GeneratedTask,
  model: TaskModel,
  signal: AbortSignal | undefined,
): Promise<Drawn[]> {
  const breather = new Breather(signal);
  const random = seededRandom(seed).fork(name);
  const lines = new Map<string, Drawn>();
  for (let vain = 0; lines.size < count; vain++) {
    await breather.pause();
    if (vain > maxVainDraws) {
      throw new RangeError(`Only ${lines.size} of ${count} different pairs were found; ask for fewer.`);
    }
    const pair = draw(random);
    // The header is the first line.
    const line = pair && lineOf(pair, lines.size + 2);
    const tokenized = line && tokenizePair(line, model);
    // Warnings are as unwelcome as errors in pairs that can be drawn again.
    if (!line || !tokenized?.pair || tokenized.problems.length > 0) continue;
    const key = JSON.stringify([line.clean, line.corrupted, line.answers[0]]);
    if (lines.has(key)) continue;
    lines.set(key, { line, pair: tokenized.pair });
    vain = -1;
  }
  return [...lines.values()];
}

function lineOf(pair: PromptPair, line: number): TaskLine {
  const { clean, corrupted, template } = pair;
  const roles = Object.entries(pair.roles).map(
    ([role, words]) => [role, writeRole(clean, charactersOf(clean, words))] as const,
  );
  return {
    line,
    clean,
    corrupted,
    answers: pair.answers ?? [pair.answer],
    wrongAnswers: pair.wrongAnswers ?? [pair.wrongAnswer],
    roles: Object.fromEntries(roles),
    template,
  };
}

/**
 * Means are taken per template and position, so pairs of one template have to have as many tokens and the same role
 * positions. Where words of several tokens make them differ, the template becomes several, told apart by a number.
 */
function steadyTemplates(drawn: readonly Drawn[]): TaskLine[] {
  const shapes = new Map<string, string[]>();
  return drawn.map(({ line, pair }) => {
    const shape = JSON.stringify([pair.clean.length, pair.roles]);
    const known = shapes.get(line.template) ?? [];
    shapes.set(line.template, known);
    if (!known.includes(shape)) known.push(shape);
    const index = known.indexOf(shape);
    return index === 0 ? line : { ...line, template: `${line.template} (${index + 1})` };
  });
}

function refused(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason: reason.replace(/\.$/, '') });
}
