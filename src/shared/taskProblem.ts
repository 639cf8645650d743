/** What can be wrong with a line of a task file: a code with data, and the one template that puts it into words. */

/** What each code carries. Every template below uses these names in braces. */
export interface TaskProblemData {
  notJson: { reason: string };
  notObject: { found: string };
  wrongField: { field: string; expected: string; found: string };
  missingField: { field: string; expected: string };
  unknownField: { field: string; known: string };
  doubledField: { field: string };
  noAnswer: { field: string };
  twoAnswers: { field: string };
  lateHeader: Record<string, never>;
  noPairs: Record<string, never>;
  tooManyPairs: { limit: number };
  sameTexts: Record<string, never>;
  samePair: { line: number };
  emptyPrompt: { field: string };
  tooLong: { field: string; limit: number };
  unequalLengths: { clean: number; corrupted: number; word: string; other: string };
  unequalWords: {
    clean: number;
    corrupted: number;
    word: string;
    pieces: string;
    other: string;
    otherPieces: string;
  };
  answerPieces: { text: string; pieces: string };
  answerInBoth: { text: string };
  answerWithoutSpace: { text: string };
  roleMissing: { role: string; words: string };
  roleSeveral: { role: string; words: string; count: number };
  roleOccurrence: { role: string; words: string; count: number; occurrence: number };
  roleOutside: { role: string; start: number; end: number; length: number };
  roleInToken: { role: string; field: string; words: string; token: string };
  roleNotAligned: { role: string; words: string };
  roleMoved: { role: string; clean: number; corrupted: number };
}

export type TaskProblemCode = keyof TaskProblemData;

/** English templates: what is wrong, and what to do. The host translates them, the command line prints them. */
export const taskProblemTemplates: { readonly [C in TaskProblemCode]: string } = {
  notJson: 'This line {reason}. Write one JSON object on each line, with all quotes closed.',
  notObject:
    'Each line is an object with "clean", "corrupted", "answer" and "wrongAnswer", but this one is {found}.',
  wrongField: '"{field}" should be {expected}, but is {found}.',
  missingField: '"{field}" is missing. Add it: {expected}.',
  unknownField: 'There is no field "{field}". Correct or remove it; a line may have {known}.',
  doubledField: '"{field}" is given twice in this line. Keep one of them.',
  noAnswer: '"{field}" is missing. Add a text, or a list of texts as "{field}s".',
  twoAnswers: 'Both "{field}" and "{field}s" are given. Keep one of them.',
  lateHeader:
    'A header can only be the first line. Move it there, or give this line its "clean" and "corrupted".',
  noPairs:
    'This file has no pairs. Write one JSON object on each line: {"clean": …, "corrupted": …, "answer": …, "wrongAnswer": …}.',
  tooManyPairs: 'Pairs from this line on are not read: a task has at most {limit}. Split the file.',
  sameTexts: 'Both prompts are the same, so nothing can be told from them. Change "corrupted".',
  samePair: 'This pair is the same as the one in line {line}, and counts twice. Remove one of them.',
  emptyPrompt: '"{field}" has no tokens. Write a prompt.',
  tooLong: '"{field}" has more tokens than the {limit} that the model reads. Shorten both prompts.',
  unequalLengths:
    'The clean prompt has {clean} tokens and the corrupted one {corrupted}; they differ from "{word}" and "{other}" on. Change words until both have as many.',
  unequalWords:
    'The clean prompt has {clean} tokens and the corrupted one {corrupted}: "{word}" is {pieces}, but "{other}" is {otherPieces}. Choose words of as many tokens.',
  answerPieces:
    '"{text}" is not one token of this model (it is {pieces}). Choose an answer that is; most words start with a space.',
  answerInBoth: '"{text}" is among the answers and among the wrong ones. Remove it from one of them.',
  answerWithoutSpace:
    '"{text}" continues the last word of the prompt. Write " {text}" with a space if a new word is meant.',
  roleMissing:
    'Role {role}: "{words}" are no whole words of the clean prompt. Correct them, or give the characters as [start, end].',
  roleSeveral:
    'Role {role}: "{words}" occurs {count} times in the clean prompt. Say which: ["{words}", 1] for the first, ["{words}", -1] for the last.',
  roleOccurrence:
    'Role {role}: there is no occurrence {occurrence} of "{words}" in the clean prompt, which has {count} of them. Count from 1, or from -1 backward.',
  roleOutside:
    'Role {role}: characters {start} to {end} are no part of the clean prompt, which has {length}. Correct [start, end]; the end is exclusive.',
  roleInToken:
    'Role {role}: in "{field}", "{words}" is only a part of the token {token}. Choose words that this model keeps apart, or let the role cover the whole token.',
  roleNotAligned:
    'Role {role}: what takes the place of "{words}" in the corrupted prompt cannot be told. Give both prompts the same number of words, or remove the role.',
  roleMoved:
    'Role {role} is token {clean} of the clean prompt, but token {corrupted} of the corrupted one. Choose words of as many tokens before it.',
};

/** Something wrong with one line. An error keeps the pair from being used, a warning does not. */
export interface TaskProblem<C extends TaskProblemCode = TaskProblemCode> {
  /** Counts from 1. */
  readonly line: number;
  /** The field it is about, where it is one. */
  readonly field?: string;
  readonly severity: 'error' | 'warning';
  readonly code: C;
  readonly data: TaskProblemData[C];
}

/** A problem in English. */
export function describeTaskProblem({ code, data }: TaskProblem): string {
  const values = data as Record<string, unknown>;
  return taskProblemTemplates[code].replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  );
}

/** A problem that keeps a pair from being used. */
export function taskError<C extends TaskProblemCode>(
  line: number,
  code: C,
  data: TaskProblemData[C],
  field?: string,
): TaskProblem {
  return { line, severity: 'error', code, data, ...(field !== undefined && { field }) };
}

/** A problem that is worth a look. */
export function taskWarning<C extends TaskProblemCode>(
  line: number,
  code: C,
  data: TaskProblemData[C],
  field?: string,
): TaskProblem {
  return { ...taskError(line, code, data, field), severity: 'warning' };
}
