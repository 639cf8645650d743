/** Roles of a pair: which words of the clean prompt they name, where those are in the corrupted one, and how to write them. */
import type { TaskProblemCode, TaskProblemData } from '../../shared/taskProblem.ts';

/**
 * How a role is written in a task file. `"Mary"`: whole words that occur once in the clean prompt. `["John", 2]`: the
 * second time they occur; `-1` is the last. `[12, 16]`: UTF-16 characters of the clean prompt, the end exclusive.
 */
export type RoleText = string | readonly [string, number] | readonly [number, number];

/** A part of a text: UTF-16 offsets, the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Why a role cannot be used. */
export type RoleFault = {
  readonly [C in TaskProblemCode]: { readonly code: C; readonly data: TaskProblemData[C] };
}[TaskProblemCode];

/** Where `role` is in the clean prompt, or why it is nowhere. */
export function locateRole(name: string, role: RoleText, clean: string): Span | RoleFault {
  if (typeof role === 'string') return onlyOccurrence(name, role, clean);
  const [first, second] = role;
  return typeof first === 'string'
    ? chosenOccurrence(name, first, second, clean)
    : charactersOf(name, { start: first, end: second }, clean);
}

function onlyOccurrence(role: string, words: string, clean: string): Span | RoleFault {
  const found = occurrences(clean, words);
  if (found.length === 1) return found[0]!;
  return found.length === 0
    ? { code: 'roleMissing', data: { role, words } }
    : { code: 'roleSeveral', data: { role, words, count: found.length } };
}

function chosenOccurrence(role: string, words: string, occurrence: number, clean: string): Span | RoleFault {
  const found = occurrences(clean, words);
  if (found.length === 0) return { code: 'roleMissing', data: { role, words } };
  const span = found.at(occurrence > 0 ? occurrence - 1 : occurrence);
  if (span && occurrence !== 0) return span;
  return { code: 'roleOccurrence', data: { role, words, occurrence, count: found.length } };
}

function charactersOf(role: string, { start, end }: Span, clean: string): Span | RoleFault {
  const { length } = clean;
  const covered = clean.slice(start, end);
  const blank = covered.length - covered.trimStart().length;
  const inside = start >= 0 && start < end && end <= length && blank < covered.length;
  // A space before or behind the words is part of no role.
  if (inside) return { start: start + blank, end: start + covered.trimEnd().length };
  return { code: 'roleOutside', data: { role, start, end, length } };
}

const wordCharacter = /[\p{L}\p{N}\p{M}_]/u;

/** Where `words` are in `text` as whole words: nothing that belongs to a word is right before or behind them. */
function occurrences(text: string, words: string): Span[] {
  const found: Span[] = [];
  const plain = words.trim();
  if (plain === '') return found;
  for (let start = text.indexOf(plain); start >= 0; start = text.indexOf(plain, start + 1)) {
    const end = start + plain.length;
    if (!joins(text, start) && !joins(text, end)) found.push({ start, end });
  }
  return found;
}

/** Whether the characters on both sides of `at` belong to one word. */
function joins(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? '';
  const behind = [...text.slice(at, at + 2)][0] ?? '';
  return wordCharacter.test(before) && wordCharacter.test(behind);
}

/** How a span is written so that people can read it: as words where it is whole words, otherwise as characters. */
export function writeRole(clean: string, span: Span): RoleText {
  const words = clean.slice(span.start, span.end);
  const found = occurrences(clean, words);
  const at = found.findIndex(({ start, end }) => start === span.start && end === span.end);
  if (at < 0) return [span.start, span.end];
  if (found.length === 1) return words;
  // "The last one" stays true when words before it are changed.
  return [words, at === found.length - 1 && found.length > 2 ? -1 : at + 1];
}

/**
 * Where the corrupted prompt has the last word of what `span` of the clean one covers, up to the span's end. Words are
 * matched in order: all of them when both prompts have as many, otherwise those before and behind the part that differs.
 * What ends with its word does so in both: beside "The clerks", the "clerk" of "The clerk" is all of "clerks". Undefined
 * when it cannot be told.
 */
export function alignSpan(clean: string, corrupted: string, { end }: Span): Span | undefined {
  const [from, to] = [wordSpans(clean), wordSpans(corrupted)];
  const index = from.findIndex((word) => end <= word.end);
  const word = from[index];
  if (!word) return undefined;
  const texts = (text: string, words: readonly Span[]) => words.map((one) => text.slice(one.start, one.end));
  const other = to[alignIndex(texts(clean, from), texts(corrupted, to), index) ?? -1];
  if (!other) return undefined;
  const ends = endsInWord(
    clean.slice(word.start, word.end),
    corrupted.slice(other.start, other.end),
    end - word.start,
  );
  const alike = ends.find((at) => joins(corrupted, other.start + at) === joins(clean, end)) ?? ends[0];
  return alike === undefined ? undefined : { start: other.start, end: other.start + alike };
}

/**
 * Where in `other` the place `at` of `word` can be: as far from the start when both begin alike, as far from the end when
 * both end alike.
 */
function endsInWord(word: string, other: string, at: number): readonly number[] {
  const behind = word.length - at;
  const fromStart = at <= commonStart(word, other) ? [at] : [];
  const endAlike = behind <= commonStart(reversed(word), reversed(other)) && behind < other.length;
  return endAlike ? [...fromStart, other.length - behind] : fromStart;
}

function wordSpans(text: string): Span[] {
  return Array.from(text.matchAll(/\S+/g), ({ index, 0: word }) => ({
    start: index,
    end: index + word.length,
  }));
}

function alignIndex(from: readonly string[], to: readonly string[], index: number): number | undefined {
  if (from.length === to.length) return index;
  if (index < commonStart(from, to)) return index;
  const behind = from.length - index;
  return behind <= commonStart(from.toReversed(), to.toReversed()) ? to.length - behind : undefined;
}

function commonStart(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  const most = Math.min(a.length, b.length);
  let count = 0;
  while (count < most && a[count] === b[count]) count++;
  return count;
}

function reversed(text: string): readonly string[] {
  return text.split('').reverse();
}
