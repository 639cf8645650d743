/** The texts of this webview: the host's translations when the page carries them, else English. */

import { fill, mergeStrings, type ViewStrings } from '../../src/shared/viewStrings.ts';

/** Id of the `<script type="application/json">` element that holds the translations. */
const stringsElement = 'fovea-strings';

/** All texts of the view. */
export const strings: ViewStrings = mergeStrings(readTranslations());

function readTranslations(): unknown {
  const text = globalThis.document?.getElementById(stringsElement)?.textContent;
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // A page without readable translations is still a page in English.
    return undefined;
  }
}

/** The text under `key` with its places filled. */
export function say(key: keyof ViewStrings, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(strings[key], values);
}

/** A whole number with thousands marked: `1,024`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}
