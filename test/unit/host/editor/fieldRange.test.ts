/** Where a field's value is in a line of JSON. */
import { describe, expect, it } from 'vitest';
import { fieldRange } from '../../../../src/host/editor/fieldRange.ts';

function marked(line: string, field?: string): string {
  const { start, end } = fieldRange(line, field);
  return line.slice(start, end);
}

describe('fieldRange', () => {
  const line =
    '  {"clean": "a, {\\"b\\"}", "answers" : [" x", {"clean": 1}], "roles":{"IO":["b",1]} , "n": 12}  ';

  it('finds the value of a field of the outer object, whatever is in it', () => {
    expect(marked(line, 'clean')).toBe('"a, {\\"b\\"}"');
    expect(marked(line, 'answers')).toBe('[" x", {"clean": 1}]');
    expect(marked(line, 'roles')).toBe('{"IO":["b",1]}');
    expect(marked(line, 'n')).toBe('12');
  });

  it('takes the whole line without its blanks when there is no such field, or no JSON', () => {
    expect(marked(line, 'IO')).toBe(line.trim());
    expect(marked(line, 'x')).toBe(line.trim());
    expect(marked(line)).toBe(line.trim());
    expect(marked('{"clean": "never ends', 'answer')).toBe('{"clean": "never ends');
    expect(marked('{"clean": "never ends', 'clean')).toBe('"never ends');
    expect(marked('"clean" :', 'clean')).toBe('"clean" :');
    expect(marked('', 'clean')).toBe('');
    expect(marked('}{]["clean":1', 'clean')).toContain('1');
  });

  it('does not take a text for a key', () => {
    expect(marked('{"a": "clean", "clean": "b"}', 'clean')).toBe('"b"');
    expect(marked('{"\\u0061": 1}', 'a')).toBe('1');
  });
});
