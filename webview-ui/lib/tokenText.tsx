/** A token's text as text nodes: blanks before it are visible but quiet. */

import type { JSX } from 'preact';
import { formatToken } from '../../src/shared/format.ts';

/** Longest text drawn; a token may be made of thousands of characters. */
const longest = 60;

/** The token in the editor's font, kept apart from the direction of the text around it. */
export function TokenText({ text }: { readonly text: string }): JSX.Element {
  return <span class="token">{tokenParts(text)}</span>;
}

/** The parts of `TokenText` without the element around them. */
export function tokenParts(text: string): (JSX.Element | string)[] {
  const shown = formatToken(clip(text));
  const blank = /^[·↵⇥␍]+/.exec(shown)?.[0] ?? '';
  // A token of blanks alone is its blanks: there they are not quiet.
  if (blank === '' || blank === shown) return [shown];
  return [<span class="blank">{blank}</span>, shown.slice(blank.length)];
}

function clip(text: string): string {
  if (text.length <= longest) return text;
  return `${text.slice(0, longest)}…`;
}

/** What joins two pictures into one hides nothing. */
const joinsPictures =
  /(?<=\p{Extended_Pictographic}[\uFE0F\u{1F3FB}-\u{1F3FF}]*)\u200D(?=\p{Extended_Pictographic})/u;

/** A label written by others: its spaces stay, hidden and direction-changing characters become visible. */
export function labelText(label: string): string {
  return label.split(' ').map(formatWord).join(' ');
}

function formatWord(word: string): string {
  return word.split(joinsPictures).map(formatToken).join('\u200D');
}

/** The token between single quotes for spoken labels: `' Paris'`. Direction overrides become code points. */
export function spokenToken(text: string): string {
  return `'${labelText(clip(text))}'`;
}
