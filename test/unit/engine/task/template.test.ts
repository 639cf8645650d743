// Filling slots, and where their words are.
import { describe, expect, it } from 'vitest';
import { charactersOf } from '../../../../src/engine/task/promptSet.ts';
import { fill, lastWord, slotSpans, withArticle } from '../../../../src/engine/task/template.ts';

const template = 'When [X] and [Y] went [P] the [PLACE], [X] left';
const slots = { X: 'Mary', Y: 'John', P: 'next to', PLACE: 'store' };

describe('templates', () => {
  it('fills every slot and says which words it became', () => {
    const text = fill(template, slots);
    expect(text).toBe('When Mary and John went next to the store, Mary left');
    const spans = slotSpans(template, slots);
    expect(spans).toEqual({
      X: { start: 1, end: 2 },
      Y: { start: 3, end: 4 },
      P: { start: 5, end: 7 },
      PLACE: { start: 8, end: 9 },
    });
    expect(lastWord(text)).toEqual({ start: 10, end: 11 });
  });

  it('finds the characters of a word span without the punctuation after it', () => {
    const text = fill(template, slots);
    const characters = charactersOf(text, { start: 8, end: 9 });
    expect(text.slice(characters.start, characters.end)).toBe('store');
    const two = charactersOf(text, { start: 5, end: 7 });
    expect(text.slice(two.start, two.end)).toBe('next to');
    expect(() => charactersOf(text, { start: 10, end: 12 })).toThrow(RangeError);
  });

  it('complains about a slot without a word', () => {
    expect(() => fill('The [N1] sleeps', {})).toThrow('N1');
  });

  it('chooses the article by the first letter', () => {
    expect(withArticle('orange')).toBe('an orange');
    expect(withArticle('drink')).toBe('a drink');
  });
});
