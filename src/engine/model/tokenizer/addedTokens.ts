/** Finds tokens that are written out in a text, such as `<|endoftext|>`, before anything else is done to it. */
import type { AddedToken } from '../tokenizerFile.ts';
import { type AlignedText, sliceAligned } from './alignedText.ts';

/** A part of a text: an added token with its id, or what lies between two of them. */
export interface Section {
  readonly text: AlignedText;
  readonly id?: number;
}

/** A token to look for, as it is written in the text that is searched. */
export interface WrittenToken {
  readonly written: string;
  readonly token: AddedToken;
}

interface Branch {
  readonly next: Map<number, Branch>;
  token?: AddedToken;
}

/** Splits texts at `tokens`; of several that start at one place the longest counts, as in the Rust library. */
export function addedTokenSplitter(
  tokens: readonly WrittenToken[],
): (source: AlignedText) => readonly Section[] {
  const root: Branch = { next: new Map() };
  for (const { written, token } of tokens) if (written !== '') plant(root, written, token);
  if (root.next.size === 0) return (source) => (source.text === '' ? [] : [{ text: source }]);
  return (source) => split(source, root);
}

function plant(root: Branch, written: string, token: AddedToken): void {
  let branch = root;
  for (let i = 0; i < written.length; i++) {
    const unit = written.charCodeAt(i);
    const next = branch.next.get(unit) ?? { next: new Map() };
    branch.next.set(unit, next);
    branch = next;
  }
  branch.token = token;
}

function split(source: AlignedText, root: Branch): Section[] {
  const { text } = source;
  const sections: Section[] = [];
  let done = 0;
  for (let i = 0; i < text.length; ) {
    const match = longest(root, text, i);
    const wanted = match && (!match.token.single_word || standsAlone(text, i, match.end));
    if (!match || !wanted) {
      i = match ? match.end : i + 1;
      continue;
    }
    const from = match.token.lstrip ? spaceBefore(text, i, done) : Math.max(i, done);
    const to = match.token.rstrip ? spaceAfter(text, match.end) : match.end;
    if (done < from) sections.push({ text: sliceAligned(source, done, from) });
    sections.push({ text: sliceAligned(source, from, to), id: match.token.id });
    done = to;
    i = to;
  }
  if (done < text.length)
    sections.push({ text: done === 0 ? source : sliceAligned(source, done, text.length) });
  return sections;
}

function longest(root: Branch, text: string, from: number): { token: AddedToken; end: number } | undefined {
  let found: { token: AddedToken; end: number } | undefined;
  let branch = root.next.get(text.charCodeAt(from));
  for (let i = from + 1; branch; i++) {
    if (branch.token) found = { token: branch.token, end: i };
    branch = i < text.length ? branch.next.get(text.charCodeAt(i)) : undefined;
  }
  return found;
}

const word = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_C}]/u;

function standsAlone(text: string, from: number, to: number): boolean {
  const before = from > 0 ? (/.$/su.exec(text.slice(Math.max(0, from - 2), from))?.[0] ?? '') : '';
  const after = to < text.length ? String.fromCodePoint(text.codePointAt(to)!) : '';
  return !word.test(before) && !word.test(after);
}

const space = /\p{White_Space}/u;

function spaceBefore(text: string, from: number, least: number): number {
  let at = from;
  while (at > least && space.test(text[at - 1]!)) at--;
  return at;
}

function spaceAfter(text: string, from: number): number {
  let at = from;
  while (at < text.length && space.test(text[at]!)) at++;
  return at;
}
