// Sentences with slots: "[X] and [Y] went to the [PLACE]". Filling one also says which words the slots became.
import type { WordSpan } from './promptSet.ts';
import { wordsOf } from './promptSet.ts';

/** What goes into each slot of a template, by the name in brackets. */
export type Slots = Readonly<Record<string, string>>;

const slotPattern = /\[([A-Z][A-Z0-9_]*)\]/g;

/**
 * Fills every slot.
 * @throws Error when the template names a slot that was not given.
 */
export function fill(template: string, slots: Slots): string {
  return template.replace(slotPattern, (_, name: string) => {
    const word = slots[name];
    if (word === undefined) throw new Error(`The template "${template}" needs a word for ${name}.`);
    return word;
  });
}

/** The words that each slot of a template became; of a slot that occurs twice, the first. */
export function slotSpans(template: string, slots: Slots): Record<string, WordSpan> {
  const spans: Record<string, WordSpan> = {};
  for (const match of template.matchAll(slotPattern)) {
    const name = match[1] as string;
    const start = wordsOf(fill(template.slice(0, match.index), slots)).length - 1;
    spans[name] ??= { start, end: start + wordsOf(slots[name] as string).length };
  }
  return spans;
}

/** The last word of a text, where the answer is predicted. */
export function lastWord(text: string): WordSpan {
  const count = wordsOf(text).length;
  return { start: count - 1, end: count };
}

/** A noun phrase with its indefinite article: "a drink", "an orange". Right for words spelled as they sound. */
export function withArticle(phrase: string): string {
  return `${/^[aeiou]/i.test(phrase) ? 'an' : 'a'} ${phrase}`;
}

/** The text with its first letter as a capital. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
