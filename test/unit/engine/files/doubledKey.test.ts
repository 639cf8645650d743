/** Keys that an object has twice, against a reader that compares what parsing keeps with what was written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { doubledKey } from '../../../../src/engine/files/doubledKey.ts';

describe('doubledKey', () => {
  it.each([
    ['{"a": 1, "b": 2, "a": 3}', 'a'],
    ['{"a": {"x": 1}, "b": {"x": [1, "x", "x"], "y": "a"}}', undefined],
    ['{"roles": {"IO": "a", "S": "b", "IO": "c"}}', 'IO'],
    ['[{"a": 1}, {"a": 2}]', undefined],
    ['{"a": "\\"a\\": 1, \\"a\\"", "b": "{\\"c"}', undefined],
    ['{"\\u0061": 1, "a": 2}', 'a'],
    ['{"__proto__": 1, "__proto__": 2}', '__proto__'],
    ['{"": 1, "": 2}', ''],
    ['"a"', undefined],
  ])('of %s is %s', (text, key) => {
    expect(doubledKey(text)).toBe(key);
  });

  it('is none in whatever is written out of a value', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => doubledKey(JSON.stringify(value)) === undefined));
  });

  it('is found wherever a field is written again', () => {
    const fields = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
    fc.assert(
      fc.property(fields, (value) => {
        const inner = JSON.stringify(value).slice(1, -1);
        return doubledKey(`[{${inner},${inner}}]`) !== undefined;
      }),
    );
  });
});
