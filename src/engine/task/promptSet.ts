// Prompt pairs as plain data: a prompt, its counterfactual of the same length, and the two answers to tell apart.

/** Words `start` (inclusive) to `end` (exclusive) of a text, words being separated by single spaces. */
export interface WordSpan {
  readonly start: number;
  readonly end: number;
}

/** One prompt with its counterfactual. Both have the same number of words, so every role is in the same place in both. */
export interface PromptPair {
  /** What is asked, e.g. `indirectObject.abba` or `agreement.rc`. */
  readonly kind: string;
  /** The template the pair was made from; means over a reference distribution are taken per template. */
  readonly template: string;
  readonly clean: string;
  readonly corrupted: string;
  /** The word that continues `clean`, with its leading space if it has one. A single token. */
  readonly answer: string;
  /** The word that the counterfactual suggests instead, or any wrong word where it suggests none. */
  readonly wrongAnswer: string;
  /** All right answers where there is more than one; `answer` is among them. */
  readonly answers?: readonly string[];
  /** All wrong answers where there is more than one; `wrongAnswer` is among them. */
  readonly wrongAnswers?: readonly string[];
  /** What each word is for, e.g. `IO`, `S1`, `S2`, `END`; in both texts. */
  readonly roles: Readonly<Record<string, WordSpan>>;
}

/** A named list of pairs that are evaluated together. */
export interface PromptSet {
  readonly name: string;
  readonly pairs: readonly PromptPair[];
}

/** The words of a text. Texts made here have single spaces only. */
export function wordsOf(text: string): string[] {
  return text.split(' ');
}

/**
 * Where a word span lies in a text.
 * @returns UTF-16 offsets, `end` exclusive, without the punctuation that follows the last word.
 * @throws RangeError when the text has too few words.
 */
export function charactersOf(text: string, span: WordSpan): { readonly start: number; readonly end: number } {
  const words = wordsOf(text);
  if (span.start < 0 || span.end > words.length || span.start >= span.end) {
    throw new RangeError(
      `Words ${span.start} to ${span.end} are not all in a text of ${words.length} words.`,
    );
  }
  const start = words.slice(0, span.start).reduce((sum, word) => sum + word.length + 1, 0);
  const covered = words.slice(span.start, span.end).join(' ');
  return { start, end: start + covered.replace(/[.,;:!?"]+$/, '').length };
}
