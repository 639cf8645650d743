/** Makes hostile text safe in VS Code's Markdown: no markup, no links, no HTML, no disguised direction. */

import { formatToken } from '../../shared/format.ts';

/** Longer texts are cut; a token of a model can be hundreds of characters long. */
const longest = 120;

const special = /[\\`*_{}[\]()#+\-.!|~<>&$^=:;@"'/]/g;

/** Text that Markdown shows as it is: every character with a meaning becomes a numeric entity. */
export function escapeMarkdown(text: string): string {
  return shorten(visibleText(text)).replace(special, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text as a code span, with spaces made visible; the fence is longer than any run of backticks inside. */
export function codeSpan(text: string): string {
  const inside = shorten(formatToken(text));
  const runs = inside.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(0, ...runs.map((run) => run.length)) + 1);
  const pad = inside.startsWith('`') || inside.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${inside}${pad}${fence}`;
}

/** Control characters made visible, spaces left as they are. */
function visibleText(text: string): string {
  return text.split(' ').map(formatToken).join(' ');
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length > longest ? `${characters.slice(0, longest).join('')}…` : text;
}
