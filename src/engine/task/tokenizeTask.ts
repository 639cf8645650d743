/** Turns the pairs of a task file into tokens of one model, and tells for every line why a pair cannot be run there. */
import { type TaskProblem, taskError, taskWarning } from '../../shared/taskProblem.ts';
import { shorten } from '../files/fileErrors.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { Breather } from './breather.ts';
import { type PairEncodings, placeRoles } from './placeRoles.ts';
import type { TokenPair, TokenTask } from './task.ts';
import type { TaskFile, TaskLine } from './taskFile.ts';

/** What a task has to know of a model; a `LoadedModel` with its context length has it. */
export interface TaskModel {
  readonly tokenizer: Tokenizer;
  /** The token that is put before prompts, when the model's policy wants one. */
  readonly bos: number | undefined;
  /** Tokens that the model reads at most. */
  readonly nContext: number;
}

/** The pairs that can be run, and what is wrong with the others. */
export interface TokenizedTask {
  readonly task: TokenTask;
  /** The line each pair comes from, `[pair]`. */
  readonly lines: readonly number[];
  /** In the order of the lines. */
  readonly problems: readonly TaskProblem[];
}

/** Tokenizes every pair; those with an error are left out. @throws cancelled */
export async function tokenizeTask(
  file: TaskFile,
  model: TaskModel,
  signal?: AbortSignal,
): Promise<TokenizedTask> {
  const breather = new Breather(signal);
  const pairs: TokenPair[] = [];
  const lines: number[] = [];
  const problems: TaskProblem[] = [];
  for (const line of file.lines) {
    await breather.pause();
    const read = tokenizePair(line, model);
    problems.push(...read.problems);
    if (!read.pair) continue;
    pairs.push(read.pair);
    lines.push(line.line);
  }
  return { task: { name: file.name, pairs }, lines, problems };
}

interface TokenizedPair {
  /** Absent when there is an error. */
  readonly pair?: TokenPair;
  readonly problems: readonly TaskProblem[];
}

/** The tokens of one pair, or all that is wrong with it. */
export function tokenizePair(line: TaskLine, model: TaskModel): TokenizedPair {
  const before = model.bos === undefined || model.nContext < 2 ? [] : [model.bos];
  const room = model.nContext - before.length;
  const { tokenizer } = model;
  const clean = tokenizer.encode(line.clean, { maxTokens: room + 1 });
  const corrupted = tokenizer.encode(line.corrupted, { maxTokens: room + 1 });
  const answers = answerIds(line, 'answer', tokenizer);
  const wrong = answerIds(line, 'wrongAnswer', tokenizer);
  const lengths = lengthProblems(line, { clean, corrupted }, room, tokenizer);
  // Positions of prompts of unequal length mean nothing to each other.
  const roles = lengths.length === 0 ? placeRoles(line, { clean, corrupted }, tokenizer) : noRoles;
  const problems = [
    ...lengths,
    ...answers.problems,
    ...wrong.problems,
    ...sharedAnswers(line, answers.ids, wrong.ids),
    ...roles.problems,
  ];
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  const pair = {
    clean: Int32Array.of(...before, ...clean.ids),
    corrupted: Int32Array.of(...before, ...corrupted.ids),
    answers: [...new Set(answers.ids.values())],
    wrongAnswers: [...new Set(wrong.ids.values())],
    roles: Object.fromEntries(roles.places.map(([role, index]) => [role, before.length + index])),
    template: line.template,
  };
  return { pair, problems };
}

const noRoles = { places: [], problems: [] };

/** Ids of the answers by their texts. */
function answerIds(
  line: TaskLine,
  kind: 'answer' | 'wrongAnswer',
  tokenizer: Tokenizer,
): { readonly ids: ReadonlyMap<string, number>; readonly problems: readonly TaskProblem[] } {
  const texts = kind === 'answer' ? line.answers : line.wrongAnswers;
  const field = texts.length === 1 ? kind : `${kind}s`;
  const ids = new Map<string, number>();
  const problems: TaskProblem[] = [];
  for (const text of texts) {
    const id = tokenizer.idOf(text);
    if (id === undefined) {
      const data = { text: shorten(text), pieces: piecesOf(text, tokenizer) };
      problems.push(taskError(line.line, 'answerPieces', data, field));
      continue;
    }
    ids.set(text, id);
    if (lacksSpace(line.clean, text, id, tokenizer)) {
      problems.push(taskWarning(line.line, 'answerWithoutSpace', { text: shorten(text) }, field));
    }
  }
  return { ids, problems };
}

/** Whether an answer glues to the prompt's last word although it is a word of its own as well. */
function lacksSpace(prompt: string, text: string, id: number, tokenizer: Tokenizer): boolean {
  if (!/^\p{L}/u.test(text) || !/[\p{L}\p{N}]$/u.test(prompt)) return false;
  const spaced = tokenizer.idOf(` ${text}`);
  return spaced !== undefined && spaced !== id;
}

function sharedAnswers(
  { line }: TaskLine,
  answers: ReadonlyMap<string, number>,
  wrong: ReadonlyMap<string, number>,
): TaskProblem[] {
  const right = new Set(answers.values());
  return [...wrong]
    .filter(([, id]) => right.has(id))
    .map(([text]) => taskError(line, 'answerInBoth', { text: shorten(text) }, 'wrongAnswer'));
}

function lengthProblems(
  line: TaskLine,
  { clean, corrupted }: PairEncodings,
  room: number,
  tokenizer: Tokenizer,
): TaskProblem[] {
  const [a, b] = [clean.ids.length, corrupted.ids.length];
  const fields = [
    ['clean', a],
    ['corrupted', b],
  ] as const;
  const empty = fields.filter(([, length]) => length === 0);
  if (empty.length > 0) return empty.map(([field]) => taskError(line.line, 'emptyPrompt', { field }, field));
  const long = fields.filter(([, length]) => length > room);
  if (long.length > 0) {
    return long.map(([field]) => taskError(line.line, 'tooLong', { field, limit: room }, field));
  }
  if (a !== b) return [unequalLengths(line, a, b, tokenizer)];
  const same = clean.ids.every((id, i) => id === corrupted.ids[i]);
  return same ? [taskError(line.line, 'sameTexts', {}, 'corrupted')] : [];
}

/** Characters of words that are named as those to blame. */
const mostNamed = 40;

/** Names the first word that is to blame, when words can be compared one by one, and the words that differ when not. */
function unequalLengths(line: TaskLine, clean: number, corrupted: number, tokenizer: Tokenizer): TaskProblem {
  const [from, to] = [line.clean.split(/(?=\s)/), line.corrupted.split(/(?=\s)/)];
  const tokens = (text: string): readonly string[] => tokenizer.pieces(text);
  const at =
    from.length === to.length
      ? from.findIndex((word, i) => word !== to[i] && tokens(word).length !== tokens(to[i]!).length)
      : -1;
  const [word, other] = at < 0 ? differing(from, to) : [from[at]!, to[at]!];
  // Of prompts that have little in common, where they begin to differ says more than all their words.
  if (Math.max(word.length, other.length) > mostNamed) {
    const first = from.findIndex((one, i) => one !== to[i]);
    const begins = { word: shorten((from[first] ?? '').trim()), other: shorten((to[first] ?? '').trim()) };
    return taskError(line.line, 'unequalLengths', { clean, corrupted, ...begins }, 'corrupted');
  }
  const data = {
    clean,
    corrupted,
    word: shorten(word.trim()),
    pieces: piecesOf(word, tokenizer),
    other: shorten(other.trim()),
    otherPieces: piecesOf(other, tokenizer),
  };
  return taskError(line.line, 'unequalWords', data, 'corrupted');
}

/** What is left of two texts in words without those that both begin and end with; never the empty text. */
function differing(from: readonly string[], to: readonly string[]): readonly [string, string] {
  const most = Math.min(from.length, to.length);
  let [start, end] = [0, 0];
  while (start < most && from[start] === to[start]) start += 1;
  while (end < most - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  // A word that only one of them has is told with the one before it, or behind.
  if (start === most - end) {
    if (start > 0) start -= 1;
    else end -= 1;
  }
  const middle = (words: readonly string[]) => words.slice(start, words.length - end).join('');
  return [middle(from), middle(to)];
}

/** `"·Ing" + "rid"`, for messages. */
function piecesOf(text: string, tokenizer: Tokenizer): string {
  const shown = tokenizer.pieces(text.slice(0, 200)).map((piece) => JSON.stringify(piece));
  return shorten((shown.length > 8 ? [...shown.slice(0, 8), '…'] : shown).join(' + '), 200) || 'empty';
}
