// The list of words that must be single tokens, and that its order makes years split as the prompts need.
import { describe, expect, it } from 'vitest';
import { singleTokenWords, yearTokens } from '../../../../src/engine/task/singleTokenWords.ts';

/** Byte-pair encoding in its plainest form: merge the pair learned first, until none is left. */
function encode(text: string, merges: readonly (readonly [string, string])[]): string[] {
  let pieces = [...text];
  for (;;) {
    const ranks = pieces
      .slice(1)
      .map((right, i) => merges.findIndex(([a, b]) => a === pieces[i] && b === right));
    const known = ranks.filter((rank) => rank >= 0);
    if (known.length === 0) return pieces;
    const at = ranks.indexOf(Math.min(...known));
    pieces = [...pieces.slice(0, at), `${pieces[at]}${pieces[at + 1]}`, ...pieces.slice(at + 2)];
  }
}

describe('singleTokenWords', () => {
  it('has no duplicates, and each is one word with a leading space or two digits', () => {
    const words = singleTokenWords();
    expect(new Set(words).size).toBe(words.length);
    for (const word of words) expect(word).toMatch(/^ [A-Za-z]+$|^ \d{1,2}$|^\d\d$/);
  });

  it('is a list a small vocabulary can hold', () => {
    expect(singleTokenWords().length).toBeLessThan(750);
  });

  it('splits every year into its century and its last two digits, when merges are learned in this order', () => {
    const merges = yearTokens().map((token) => [token.slice(0, -1), token.slice(-1)] as const);
    for (let year = 1100; year < 2000; year++) {
      expect(encode(` ${year}`, merges)).toEqual([` ${String(year).slice(0, 2)}`, String(year).slice(2)]);
    }
  });
});
