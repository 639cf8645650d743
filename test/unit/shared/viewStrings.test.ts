/** Texts of the views: filling places, and translations that are incomplete or hostile. */

import { describe, expect, it } from 'vitest';
import { fill, mergeStrings, viewStrings } from '../../../src/shared/viewStrings.ts';

describe('view strings', () => {
  it('fill every place and leave braces inside values alone', () => {
    expect(fill('{a} over {b} over {a}', { a: '{b}', b: 2 })).toBe('{b} over 2 over {b}');
  });

  it('leave a place empty that has no value, even one named like an inherited property', () => {
    expect(fill('<{missing}{constructor}>', {})).toBe('<>');
  });

  it('take translations that are strings and English for the rest', () => {
    const merged = mergeStrings({ pin: 'Anheften', unpin: 7, unknown: 'x' });
    expect(merged.pin).toBe('Anheften');
    expect(merged.unpin).toBe(viewStrings.unpin);
    expect(Object.keys(merged)).toEqual(Object.keys(viewStrings));
  });

  it('are English when there is no translation', () => {
    for (const nothing of [undefined, null, 'text', 3]) expect(mergeStrings(nothing)).toBe(viewStrings);
  });
});
