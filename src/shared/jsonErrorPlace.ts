/** Where a text stops being JSON: engines of JavaScript tell it in different ways, and for long texts not at all. */

/** Counted from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** One piece of JSON with the white space before it: a mark, a text, or a word such as a number. */
const piece = /[ \t\r\n]*(?:([[\]{},:])|("(?:[^"\\\n]|\\.)*")|([\w.+-]+))/y;

type Mark = '[' | ']' | '{' | '}' | ',' | ':';
type Token = Mark | 'text' | 'word';
/** What may come next. */
type Expected = 'value' | 'firstItem' | 'key' | 'firstKey' | 'colon' | 'next';

const values = { text: 'next', word: 'next', '[': 'firstItem', '{': 'firstKey' } as const;

/** What follows a piece, by what was expected before it; nothing where it cannot stand. */
const grammar: Readonly<Record<Expected, Readonly<Partial<Record<Token, Expected>>>>> = {
  value: values,
  firstItem: { ...values, ']': 'next' },
  key: { text: 'colon' },
  firstKey: { text: 'colon', '}': 'next' },
  colon: { ':': 'value' },
  next: { ']': 'next', '}': 'next', ',': 'value' },
};

/** The first place that cannot be JSON; nothing when the whole text is. */
export function jsonErrorPlace(text: string): TextPlace | undefined {
  const open: Token[] = [];
  let expected: Expected = 'value';
  let at = 0;
  do {
    piece.lastIndex = at;
    const found = piece.exec(text);
    const token = found && tokenOf(found);
    const next: Expected | undefined = token ? grammar[expected][token] : undefined;
    if (!found || !token || !next || !nests(token, open)) return placeOf(text, at);
    expected = token === ',' && open.at(-1) === '{' ? 'key' : next;
    at += found[0].length;
  } while (open.length > 0 || expected !== 'next');
  return /^[ \t\r\n]*$/.test(text.slice(at)) ? undefined : placeOf(text, at);
}

function tokenOf([, mark, text, word]: RegExpExecArray): Token | undefined {
  if (mark !== undefined) return mark as Mark;
  if (!isJson(text ?? word ?? '')) return undefined;
  return text === undefined ? 'word' : 'text';
}

/** One text, number, or name such as `true`. */
function isJson(one: string): boolean {
  try {
    JSON.parse(one);
    return true;
  } catch {
    return false;
  }
}

/** Keeps which brackets are open; false for a mark that fits none of them. */
function nests(token: Token, open: Token[]): boolean {
  if (token === '[' || token === '{') open.push(token);
  if (token === ',') return open.length > 0;
  if (token === ']') return open.pop() === '[';
  if (token === '}') return open.pop() === '{';
  return true;
}

/** The place of the first character behind `at` that is no white space. */
function placeOf(text: string, at: number): TextPlace {
  const space = /[ \t\r\n]*/y;
  space.lastIndex = at;
  const before = text.slice(0, at + (space.exec(text)?.[0].length ?? 0));
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
}
