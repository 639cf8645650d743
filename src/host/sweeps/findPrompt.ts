/** Where a prompt stands in the text of a document: as it is, or as a field of a line of a task file. Pure. */

import { fieldRange } from '../editor/fieldRange.ts';

/** A pair of prompts as a line of a task file has it. */
export interface TaskLine {
  /** Counted from 0. */
  readonly line: number;
  readonly clean: string;
  readonly corrupted: string;
  readonly answers: readonly string[];
  readonly wrongAnswers: readonly string[];
  /** As they are written: words, words and which of them, or characters. */
  readonly roles: Readonly<Record<string, unknown>>;
}

/** UTF-16 offsets in the document, the end exclusive. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** Reads a line of a task file; nothing when it holds no pair. What is wrong with a pair, the engine says. */
export function readTaskLine(text: string, line: number): TaskLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { clean, corrupted, roles } = fields;
  if (typeof clean !== 'string' || typeof corrupted !== 'string') return undefined;
  return {
    line,
    clean,
    corrupted,
    answers: textsOf(fields.answers ?? fields.answer),
    wrongAnswers: textsOf(fields.wrongAnswers ?? fields.wrongAnswer),
    roles: typeof roles === 'object' && roles !== null ? (roles as Record<string, unknown>) : {},
  };
}

/** The first pair at `from` or after it. */
export function firstTaskLine(lines: readonly string[], from = 0): TaskLine | undefined {
  for (let line = from; line < lines.length; line++) {
    const found = readTaskLine(lines[line] ?? '', line);
    if (found) return found;
  }
  return undefined;
}

/** The names of the roles that every pair has, in the order of the first; nothing when a line has none. */
export function commonRoles(lines: readonly string[]): readonly string[] {
  const pairs = lines.map(readTaskLine).filter((pair) => pair !== undefined);
  const [first] = pairs;
  return Object.keys(first?.roles ?? {}).filter((role) =>
    pairs.every(({ roles }) => Object.hasOwn(roles, role)),
  );
}

/**
 * Where characters `part` of `prompt` stand in a document: first as text, else inside the `field` of a line of JSON,
 * where escapes take more characters than they stand for.
 */
export function findInText(
  text: string,
  prompt: string,
  field: 'clean' | 'corrupted',
  part: TextRange,
): TextRange | undefined {
  const at = text.indexOf(prompt);
  if (at >= 0) return { start: at + part.start, end: at + part.end };
  let before = 0;
  for (const [number, line] of text.split('\n').entries()) {
    if (readTaskLine(line, number)?.[field] === prompt) {
      const offsets = literalOffsets(line, fieldRange(line, field).start);
      const [start, end] = [offsets[part.start], offsets[part.end]];
      if (start !== undefined && end !== undefined) return { start: before + start, end: before + end };
    }
    before += line.length + 1;
  }
  return undefined;
}

/** For every UTF-16 unit that a JSON text stands for, and for its end: where that is in the line. */
function literalOffsets(line: string, quote: number): readonly number[] {
  const offsets: number[] = [];
  let at = quote + 1;
  while (at < line.length && line[at] !== '"') {
    offsets.push(at);
    if (line[at] !== '\\') at += 1;
    else at += line[at + 1] === 'u' ? 6 : 2;
  }
  return [...offsets, at];
}

/** The characters of a role in the clean prompt of a line; nothing when it has none. */
export function roleRange({ clean, roles }: TaskLine, name: string): TextRange | undefined {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (typeof role === 'string') return occurrence(clean, role, 1);
  if (!Array.isArray(role)) return undefined;
  const [first, second] = role as readonly unknown[];
  if (typeof second !== 'number') return undefined;
  if (typeof first === 'number') return { start: first, end: second };
  return typeof first === 'string' ? occurrence(clean, first, second) : undefined;
}

/** The whole word's `number`-th occurrence, counted from 1; from the end when it is negative. */
function occurrence(text: string, word: string, number: number): TextRange | undefined {
  const starts: number[] = [];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const isInside = /[\p{L}\p{N}]/u;
    const before = text[at - 1] ?? ' ';
    const after = text[at + word.length] ?? ' ';
    if (!isInside.test(before) && !isInside.test(after)) starts.push(at);
  }
  const start = number < 0 ? starts.at(number) : starts[number - 1];
  return start === undefined ? undefined : { start, end: start + word.length };
}

function textsOf(value: unknown): readonly string[] {
  return [value].flat().filter((text) => typeof text === 'string');
}
