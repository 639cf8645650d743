/** A narrowed prompt follows the edits around it; checked against marks on single characters. */

// Token ranges move with the text that is typed before them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shiftRange, type TextChange } from '../../../../src/host/editor/shiftRange.ts';

/** Applies changes to a list of marks, one for each character, as an editor would. */
function applyToMarks(marks: boolean[], changes: readonly TextChange[]): boolean[] {
  const result = [...marks];
  for (const change of [...changes].sort((a, b) => b.rangeOffset - a.rangeOffset)) {
    result.splice(change.rangeOffset, change.rangeLength, ...Array.from(change.text, () => false));
  }
  return result;
}

describe('shiftRange', () => {
  const range = { start: 10, end: 20 };

  it.each([
    ['typing before it', { rangeOffset: 3, rangeLength: 0, text: 'ab' }, { start: 12, end: 22 }],
    ['typing inside', { rangeOffset: 15, rangeLength: 0, text: 'ab' }, { start: 10, end: 22 }],
    ['typing at its end', { rangeOffset: 20, rangeLength: 0, text: 'ab' }, { start: 10, end: 22 }],
    ['typing at its start', { rangeOffset: 10, rangeLength: 0, text: 'ab' }, { start: 10, end: 22 }],
    ['typing after it', { rangeOffset: 21, rangeLength: 0, text: 'ab' }, { start: 10, end: 20 }],
    ['deleting inside', { rangeOffset: 12, rangeLength: 3, text: '' }, { start: 10, end: 17 }],
    ['deleting over its end', { rangeOffset: 18, rangeLength: 5, text: '' }, { start: 10, end: 18 }],
    ['deleting over its start', { rangeOffset: 8, rangeLength: 5, text: '' }, { start: 8, end: 15 }],
    ['deleting all of it', { rangeOffset: 5, rangeLength: 30, text: '' }, { start: 5, end: 5 }],
  ])('follows %s', (_, change, expected) => {
    expect(shiftRange(range, [change])).toEqual(expected);
  });

  it('keeps every character that was inside and is still there', () => {
    const change = fc.record({
      rangeOffset: fc.nat(30),
      rangeLength: fc.nat(6),
      text: fc.string({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(change, change, (one, other) => {
        const changes = one.rangeOffset + one.rangeLength <= other.rangeOffset ? [one, other] : [one];
        const marks = Array.from({ length: 40 }, (_, index) => index >= range.start && index < range.end);
        const after = applyToMarks(marks, changes);
        const moved = shiftRange(range, changes);
        after.forEach((isInside, index) => {
          if (isInside) expect(index >= moved.start && index < moved.end).toBe(true);
        });
        expect(moved.end).toBeLessThanOrEqual(after.length);
      }),
    );
  });
});
