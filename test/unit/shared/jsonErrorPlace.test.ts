/** Where a text stops being JSON, held against `JSON.parse`, which knows whether it does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonErrorPlace } from '../../../src/shared/jsonErrorPlace.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('jsonErrorPlace', () => {
  it.each([
    ['{"a": 1,\n<<<<<<< HEAD\n "b": 2}', 2, 1],
    ['{\n  "a": [1, 2,]\n}', 2, 14],
    ['{"a" 1}', 1, 6],
    ['{"a": 01}', 1, 7],
    ['{"a": 1}\n}', 2, 1],
    ['', 1, 1],
    ['["open', 1, 2],
    ['[1\n', 2, 1],
  ])('finds the place in %j', (text, line, column) => {
    expect(jsonErrorPlace(text)).toEqual({ line, column });
  });

  it('says of any text what JSON.parse says: whether it is JSON', () => {
    fc.assert(fc.property(fc.json(), (text) => jsonErrorPlace(text) === undefined));
    const letters = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '1',
      '-',
      '.5',
      'e2',
      'true',
      ' ',
      '\n',
      '"',
    );
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        return (jsonErrorPlace(text) === undefined) === isJson(text);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
});
