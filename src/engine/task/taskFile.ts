/** Task files (`*.task.jsonl`): reads prompt pairs line by line and tells every fault at its line; writes them again. */
import * as v from 'valibot';
import { throwIfCancelled } from '../../shared/errors.ts';
import { type TaskMetric, taskMetrics } from '../../shared/task.ts';
import { type TaskProblem, taskError, taskWarning } from '../../shared/taskProblem.ts';
import { describeFound, shorten } from '../files/fileErrors.ts';
import { type JsonLine, jsonLinesOf, readJsonLines } from '../files/jsonLines.ts';
import type { RoleText } from './roles.ts';

/** One pair as it is written. */
export interface TaskLine {
  /** Where it stands in the file; counts from 1. */
  readonly line: number;
  readonly clean: string;
  readonly corrupted: string;
  /** As they continue the prompt: most begin with a space. At least one. */
  readonly answers: readonly string[];
  readonly wrongAnswers: readonly string[];
  readonly roles: Readonly<Record<string, RoleText>>;
  /** The empty text when none is named. */
  readonly template: string;
}

/** A task as it is written, with no model in mind. */
export interface TaskFile {
  readonly name: string;
  readonly metric: TaskMetric;
  readonly description?: string;
  readonly lines: readonly TaskLine[];
}

/** A file with what is wrong with it, in the order of its lines. */
export interface ReadTask {
  readonly file: TaskFile;
  readonly problems: readonly TaskProblem[];
  /** Lines of headers that cannot be used: faulty, or not the first line. */
  readonly faultyHeaders: readonly number[];
}

/** Pairs of one task. */
export const maxPairs = 20_000;
const maxLineBytes = 2 ** 20;
const maxBytes = 2 ** 28;

const text = v.pipe(v.string(), v.nonEmpty());
const texts = v.pipe(v.array(text), v.nonEmpty(), v.maxLength(1000));
const whole = v.pipe(v.number(), v.safeInteger());
const role = v.union([text, v.strictTuple([text, whole]), v.strictTuple([whole, whole])]);
const roleName = v.pipe(v.string(), v.regex(/^[\p{L}\p{N}][\p{L}\p{N}_+.:-]{0,39}$/u));

const pairSchema = v.strictObject({
  clean: text,
  corrupted: text,
  answer: v.optional(text),
  answers: v.optional(texts),
  wrongAnswer: v.optional(text),
  wrongAnswers: v.optional(texts),
  roles: v.optional(v.record(roleName, role)),
  template: v.optional(v.string()),
  note: v.optional(v.string()),
});

const headerSchema = v.strictObject({
  name: v.optional(text),
  metric: v.optional(v.picklist(taskMetrics)),
  description: v.optional(v.string()),
});

const expectations: Readonly<Record<string, string>> = {
  clean: 'a text, the prompt whose answer is right',
  corrupted: 'a text, the prompt that suggests another answer',
  answer: 'a text',
  answers: 'a list of texts',
  wrongAnswer: 'a text',
  wrongAnswers: 'a list of texts',
  roles:
    'names in letters and digits, each with words ("Mary"), words and which of them (["John", 2]), or characters ([12, 16])',
  template: 'a text',
  note: 'a text',
  name: 'a text',
  metric: `one of ${taskMetrics.join(', ')}`,
  description: 'a text',
};

/**
 * Reads the file at `path`.
 * @throws file.missing, file.unreadable, file.malformed when it is no file of lines or larger than 256 MiB; cancelled.
 */
export async function readTaskFile(path: string, signal?: AbortSignal): Promise<ReadTask> {
  const reader = new TaskReader(nameOf(path));
  for await (const line of readJsonLines(path, { signal, maxLineBytes, maxBytes, findDoubled: true })) {
    if (!reader.add(line)) break;
  }
  return reader.end();
}

/** Reads the text of a task file whose name is `path`. @throws cancelled */
export function readTaskText(path: string, content: string, signal?: AbortSignal): ReadTask {
  const reader = new TaskReader(nameOf(path));
  for (const line of jsonLinesOf(content, { maxLineBytes, findDoubled: true })) {
    throwIfCancelled(signal);
    if (!reader.add(line)) break;
  }
  return reader.end();
}

/** The text of a task file: a header, then a line for each pair, fields always in the same order. */
export function writeTaskFile({ name, metric, description, lines }: TaskFile): string {
  const header = { name, metric, ...(description !== undefined && { description }) };
  const pairs = lines.map(({ clean, corrupted, answers, wrongAnswers, roles, template }) => ({
    clean,
    corrupted,
    ...(answers.length === 1 ? { answer: answers[0] } : { answers }),
    ...(wrongAnswers.length === 1 ? { wrongAnswer: wrongAnswers[0] } : { wrongAnswers }),
    ...(Object.keys(roles).length > 0 && { roles }),
    ...(template !== '' && { template }),
  }));
  return [header, ...pairs].map((value) => `${JSON.stringify(value)}\n`).join('');
}

/** The name of a task whose file gives none: that of the file, without its endings. */
function nameOf(path: string): string {
  const base = path.split(/[\\/]/).at(-1) ?? path;
  return base.replace(/(\.task)?\.jsonl(\.gz)?$/i, '') || base;
}

/** Takes lines one by one. */
class TaskReader {
  readonly #lines: TaskLine[] = [];
  readonly #problems: TaskProblem[] = [];
  readonly #seen = new Map<string, number>();
  readonly #faultyHeaders: number[] = [];
  #header: v.InferOutput<typeof headerSchema> = {};
  #isFirst = true;

  constructor(private readonly fallbackName: string) {}

  /** False when no more lines are wanted. */
  add(line: JsonLine): boolean {
    const first = this.#isFirst;
    this.#isFirst = false;
    if ('problem' in line) {
      this.#problems.push(taskError(line.line, 'notJson', { reason: line.problem }));
      return true;
    }
    const { line: number, value } = line;
    if (this.#lines.length === maxPairs) {
      this.#problems.push(taskWarning(number, 'tooManyPairs', { limit: maxPairs }));
      return false;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#problems.push(taskError(number, 'notObject', { found: describeFound(value) }));
    } else if (isHeader(value)) this.#readHeader(line, value, first);
    else if (line.doubled !== undefined) this.#problems.push(doubledField(line, value));
    else this.#readPair(number, value);
    return true;
  }

  end(): ReadTask {
    const { name = this.fallbackName, metric = 'logitDifference', description } = this.#header;
    if (this.#lines.length === 0 && this.#problems.length === 0) {
      this.#problems.push(taskWarning(1, 'noPairs', {}));
    }
    const file = { name, metric, ...(description !== undefined && { description }), lines: this.#lines };
    return { file, problems: this.#problems, faultyHeaders: this.#faultyHeaders };
  }

  #readHeader({ line, doubled }: ParsedLine, value: object, isFirst: boolean): void {
    const parsed = v.safeParse(headerSchema, value);
    const isFaulty = !isFirst || doubled !== undefined || !parsed.success;
    if (!isFaulty) {
      this.#header = parsed.output;
      return;
    }
    this.#faultyHeaders.push(line);
    if (!isFirst) this.#problems.push(taskError(line, 'lateHeader', {}));
    else if (doubled !== undefined) this.#problems.push(doubledField({ line, doubled }, value));
    else if (!parsed.success) {
      this.#problems.push(...problemsOf(line, parsed.issues, Object.keys(headerSchema.entries)));
    }
  }

  #readPair(line: number, value: object): void {
    const parsed = v.safeParse(pairSchema, value);
    const problems = parsed.success
      ? answerProblems(line, parsed.output)
      : problemsOf(line, parsed.issues, Object.keys(pairSchema.entries));
    if (!parsed.success || problems.length > 0) {
      this.#problems.push(...problems);
      return;
    }
    const pair = pairOf(line, parsed.output);
    const key = JSON.stringify([pair.clean, pair.corrupted, pair.answers, pair.wrongAnswers]);
    const before = this.#seen.get(key);
    if (before === undefined) this.#seen.set(key, line);
    else this.#problems.push(taskWarning(line, 'samePair', { line: before }));
    this.#lines.push(pair);
  }
}

interface ParsedLine {
  readonly line: number;
  readonly doubled?: string;
}

/** Of a line that has a key twice: which of the values is meant cannot be told. */
function doubledField({ line, doubled = '' }: ParsedLine, value: object): TaskProblem {
  const field = Object.hasOwn(value, doubled) ? doubled : undefined;
  return taskError(line, 'doubledField', { field: shorten(doubled) }, field);
}

/** A line that tells something of the task and has no prompt. */
function isHeader(value: object): boolean {
  const has = (field: string): boolean => Object.hasOwn(value, field);
  return !has('clean') && !has('corrupted') && Object.keys(headerSchema.entries).some(has);
}

function pairOf(line: number, pair: v.InferOutput<typeof pairSchema>): TaskLine {
  return {
    line,
    clean: pair.clean,
    corrupted: pair.corrupted,
    answers: pair.answers ?? [pair.answer!],
    wrongAnswers: pair.wrongAnswers ?? [pair.wrongAnswer!],
    roles: pair.roles ?? {},
    template: pair.template ?? '',
  };
}

function answerProblems(line: number, pair: v.InferOutput<typeof pairSchema>): TaskProblem[] {
  return (['answer', 'wrongAnswer'] as const).flatMap((field) => {
    const given = [pair[field], pair[`${field}s`]].filter((value) => value !== undefined).length;
    if (given === 1) return [];
    return [
      taskError(line, given === 0 ? 'noAnswer' : 'twoAnswers', { field }, given === 0 ? undefined : field),
    ];
  });
}

/** The faults that a schema found, one for each field. */
function problemsOf(
  line: number,
  issues: readonly v.BaseIssue<unknown>[],
  known: readonly string[],
): TaskProblem[] {
  const byField = new Map<string, TaskProblem>();
  for (const issue of issues) {
    const field = String(issue.path?.[0]?.key ?? '');
    if (!byField.has(field)) byField.set(field, problemOf(line, issue, field, known));
  }
  return [...byField.values()];
}

function problemOf(
  line: number,
  issue: v.BaseIssue<unknown>,
  field: string,
  known: readonly string[],
): TaskProblem {
  if (issue.expected === 'never') {
    return taskError(line, 'unknownField', { field: shorten(field), known: known.join(', ') }, field);
  }
  const expected = Object.hasOwn(expectations, field) ? expectations[field]! : 'something else';
  if (issue.input === undefined) return taskError(line, 'missingField', { field, expected });
  const found = describeFound(issue.input);
  return taskError(line, 'wrongField', { field: fieldPath(issue), expected, found }, field);
}

function fieldPath(issue: v.BaseIssue<unknown>): string {
  return shorten(issue.path?.map(({ key }) => String(key)).join('.') ?? '');
}
