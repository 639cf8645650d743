/** From carets and characters to tokens, against a plain search. */

// The token under a place in the text.
import { describe, expect, it } from 'vitest';
import { tokenAtCharacter, tokenBeforeCaret } from '../../../src/host/tokenAt.ts';
import type { TokenStrip } from '../../../src/shared/domain.ts';

function stripOf(spans: readonly (readonly [number, number])[]): TokenStrip {
  const tokens = spans.map(([start, end], id) => ({ id, text: `${id}`, start, end }));
  return { tokens, used: { start: 0, end: tokens.at(-1)?.end ?? 0 }, truncated: false, exact: true };
}

const plain = stripOf([
  [0, 4],
  [4, 9],
  [9, 13],
]);

describe('tokenBeforeCaret', () => {
  it('agrees with a plain search for the last token that starts before the caret', () => {
    for (let caret = 0; caret <= 13; caret++) {
      let expected = 0;
      plain.tokens.forEach((token, position) => {
        if (token.start < caret) expected = position;
      });
      expect(tokenBeforeCaret(plain, caret), `caret ${caret}`).toBe(expected);
    }
  });

  it('finds nothing outside the text that is read', () => {
    expect(tokenBeforeCaret(plain, -1)).toBe(-1);
    expect(tokenBeforeCaret(plain, 14)).toBe(-1);
    expect(tokenBeforeCaret(stripOf([]), 0)).toBe(-1);
  });

  it('takes the last of several tokens that make up one character', () => {
    const emoji = stripOf([
      [0, 2],
      [2, 4],
      [2, 4],
      [2, 4],
      [4, 5],
    ]);
    expect(tokenBeforeCaret(emoji, 4)).toBe(3);
    expect(tokenBeforeCaret(emoji, 3)).toBe(3);
    expect(tokenBeforeCaret(emoji, 5)).toBe(4);
  });

  it('skips a prepended token without text', () => {
    const prepended = stripOf([
      [0, 0],
      [0, 4],
      [4, 9],
    ]);
    expect(tokenBeforeCaret(prepended, 0)).toBe(1);
    expect(tokenBeforeCaret(prepended, 4)).toBe(1);
    expect(tokenBeforeCaret(prepended, 9)).toBe(2);
  });

  it('skips several tokens without text, and points at none of them', () => {
    const several = stripOf([
      [0, 0],
      [0, 0],
      [0, 4],
      [4, 4],
      [4, 5],
    ]);
    expect(tokenBeforeCaret(several, 0)).toBe(2);
    expect(tokenBeforeCaret(several, 4)).toBe(2);
    expect(tokenBeforeCaret(several, 5)).toBe(4);
    expect([0, 3, 4, 5].map((offset) => tokenAtCharacter(several, offset))).toEqual([2, 2, 4, -1]);
  });

  it('knows the place of the token before a text that was cut', () => {
    const cut = {
      ...stripOf([
        [0, 0],
        [40, 44],
        [44, 46],
      ]),
      used: { start: 40, end: 46 },
      truncated: true,
    };
    expect(tokenBeforeCaret(cut, 0)).toBe(-1);
    expect(tokenBeforeCaret(cut, 40)).toBe(1);
    expect(tokenBeforeCaret(cut, 46)).toBe(2);
  });
});

describe('tokenAtCharacter', () => {
  it('finds the token over a character, and nothing past the end', () => {
    expect([0, 3, 4, 8, 9, 12, 13].map((offset) => tokenAtCharacter(plain, offset))).toEqual([
      0, 0, 1, 1, 2, 2, -1,
    ]);
  });
});
