/** Results are written so that the same content is the same text, and a changed number is one changed line. */
import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  type JsonValue,
  rounded,
  roundedShare,
  toJson,
} from '../../../../src/shared/experiment/canonicalJson.ts';

describe('canonical JSON', () => {
  it('is the JSON of its content, with rows and small objects on lines of their own', () => {
    const value: JsonValue = {
      name: 'a "b"\n',
      rows: [
        [1, 2.5],
        [null, -3],
      ],
      edges: [
        { name: 'a->b', score: 1 },
        { name: 'b->c', score: 2 },
      ],
      axes: [{ name: 'pos', labels: ['0', '1'] }],
      empty: [],
      nothing: {},
    };
    const text = canonicalJson(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(text.split('\n')).toContain('    [1, 2.5],');
    expect(text.split('\n')).toContain('    { "name": "b->c", "score": 2 }');
    expect(text.split('\n')).toContain('    { "name": "pos", "labels": ["0", "1"] }');
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('breaks objects that are too long for a line', () => {
    const text = canonicalJson({ first: 'x'.repeat(100), second: 'y'.repeat(100) });
    expect(text.split('\n').length).toBe(5);
  });

  it('turns what engines give into JSON: typed arrays, missing fields, numbers that are none', () => {
    expect(toJson({ a: Float32Array.of(0.5, Number.NaN), b: undefined, c: [undefined], d: true })).toEqual({
      a: [0.5, null],
      c: [null],
      d: true,
    });
  });

  it('keeps six digits of measurements and all of whole numbers', () => {
    expect(rounded(1.23456789)).toBe(1.23457);
    expect(rounded(-1234567.8)).toBe(-1234570);
    expect(rounded(1234567)).toBe(1234567);
    expect(rounded(3e-10)).toBe(0);
    expect(roundedShare(0.1234567)).toBe(0.12346);
    expect(Object.is(roundedShare(-1e-9), 0)).toBe(true);
    expect(roundedShare(Number.NaN)).toBe(null);
  });
});
