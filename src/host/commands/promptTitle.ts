/** The title of a question: which command asks, and about which prompt, since another document may be in front. */

import * as vscode from 'vscode';
import { formatText } from '../../shared/format.ts';
import type { Prompt } from '../prompt.ts';

/** Characters of the end of a prompt that are shown. */
const shown = 24;

/** `Find Circuit: ioi.prompt.txt “… gave a drink to”`; only the command's name when there is no prompt. */
export function promptTitle(command: string, prompt: Pick<Prompt, 'name' | 'text'> | undefined): string {
  if (!prompt) return command;
  return vscode.l10n.t('{0}: {1} “{2}”', command, prompt.name, lastWords(prompt.text));
}

/** The end of a text, from the beginning of a word on where there is one. */
export function lastWords(text: string): string {
  const letters = Array.from(formatText(text.trimEnd()));
  if (letters.length <= shown) return letters.join('');
  const end = letters.slice(-shown).join('');
  const word = end.indexOf(' ');
  return `…${word < 0 || word === end.length - 1 ? end : end.slice(word)}`;
}
