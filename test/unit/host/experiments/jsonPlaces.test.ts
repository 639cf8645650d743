/** Where values stand in a JSON text: whole texts as JSON reads them, and texts that are being written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonPlaces, placeOf, textAt } from '../../../../src/host/experiments/jsonPlaces.ts';

const text = '{\n  "a": [1, {"b": "x, }"}],\n  "c d": "é\\"",\n  "e": null\n}';

describe('places in JSON', () => {
  it('are those of the values that JSON reads', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        const written = JSON.stringify(value, null, indent);
        for (const { path, start, end } of jsonPlaces(written)) {
          let inner: unknown = value;
          for (const part of path) inner = (inner as Record<string | number, unknown>)[part];
          expect(JSON.stringify(JSON.parse(written.slice(start, end)))).toBe(JSON.stringify(inner));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are found by path, and fall back to what encloses a missing field', () => {
    const at = (...path: (string | number)[]) => {
      const { start, end } = placeOf(text, path)!;
      return text.slice(start, end);
    };
    expect(at('a', 1, 'b')).toBe('"x, }"');
    expect(at('c d')).toBe('"é\\""');
    expect(at('a', 1, 'missing', 3)).toBe('{"b": "x, }"}');
    expect(at('missing')).toBe(text);
  });

  it('tell the text that the cursor is in, and never a key', () => {
    expect(textAt(text, text.indexOf('x, }') + 1)?.path).toEqual(['a', 1, 'b']);
    expect(textAt(text, text.indexOf('"b"') + 1)).toBeUndefined();
    expect(textAt(text, text.indexOf('null') + 1)).toBeUndefined();
  });

  it('are there while a text is not whole', () => {
    expect(textAt('{"saes": ["', 11)?.path).toEqual(['saes', 0]);
    expect(textAt('{"saes": ["bl\n], "x": 1}', 13)?.path).toEqual(['saes', 0]);
    expect(textAt('{"pairs": {"path": ""', 20)?.path).toEqual(['pairs', 'path']);
    for (const broken of ['', '{', '{"a"', '{"a":', '[,,', '}}', '{"a": }', '"\\', '[[[[{{{'])
      jsonPlaces(broken);
    expect(jsonPlaces('['.repeat(100_000)).length).toBeLessThan(200);
  });
});
