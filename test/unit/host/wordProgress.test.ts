/** How far work is, as the status bar says it. */
import { describe, expect, it } from 'vitest';
import { wordSeconds } from '../../../src/host/commands/confirmSearch.ts';
import { lastWords } from '../../../src/host/commands/promptTitle.ts';
import { wordDone } from '../../../src/host/wordProgress.ts';

describe('progress in words', () => {
  it.each([
    [3.3076923076923075, 9, 'Edges 36 %'],
    [8.99, 9, 'Edges 99 %'],
    [9, 9, 'Edges 100 %'],
    [0, 0, 'Edges'],
  ])('of %d of %d is %s', (done, total, words) => {
    expect(wordDone({ done, total, what: 'Edges' })).toBe(words);
  });
});

describe('a time that is estimated', () => {
  it.each([
    [0.0855, undefined, 'Less than 1 s'],
    [1.4, undefined, 'About 1 s'],
    [40.2, 'atMost', 'At most 40 s'],
    [600, undefined, 'About 10 min'],
  ] as const)('of %d seconds is told as people say it', (seconds, bound, words) => {
    expect(wordSeconds(seconds, bound)).toBe(words);
  });
});

describe('the end of a prompt', () => {
  it('begins with a whole word, and is the prompt when that is short', () => {
    expect(lastWords('When Mary and John went to the store, John gave a drink to')).toBe(
      '… John gave a drink to',
    );
    expect(lastWords('a drink to\n')).toBe('a drink to');
    expect(lastWords('x'.repeat(40))).toBe(`…${'x'.repeat(24)}`);
  });
});
