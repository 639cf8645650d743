/** Texts in Python: whatever a prompt says, it stays a text. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pythonLiteral } from '../../../../src/shared/experiment/pythonText.ts';

const nasty = [
  '"""; import os; os.system("touch /tmp/x") #',
  "' + __import__('os').getcwd() + '",
  'a\\',
  '\\"',
  'line\nbreak\r\n\u2028\u2029',
  '{CLEAN} %s $(x) f"{1}"',
  '\u202eevil\u202c \u200b',
  '🙂 日本語 \u0000 \ud800',
];

/** Reads a literal by the rules of Python's reference, §2.4.1: escapes, and nothing else behind a backslash. */
function readPython(literal: string): string {
  expect(literal).toMatch(/^"(?:[ !#-[\]-~]|\\["\\n]|\\x[\da-f]{2}|\\u[\da-f]{4}|\\U[\da-f]{8})*"$/);
  const escaped = /\\(?:(["\\])|(n)|x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8}))/g;
  return literal.slice(1, -1).replace(escaped, (_, same, line, ...codes) => {
    if (same) return same;
    const code = codes.slice(0, 3).find((digits) => digits !== undefined);
    return line ? '\n' : String.fromCodePoint(Number.parseInt(code, 16));
  });
}

describe('a Python literal', () => {
  it('says what the text says, and never ends before its end', () => {
    for (const text of nasty) expect(readPython(pythonLiteral(text))).toBe(text);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readPython(pythonLiteral(text))).toBe(text);
      }),
    );
  });

  it('knows the other values of a script', () => {
    expect(pythonLiteral([1, -2.5, null, true, ['a', false]])).toBe('[1, -2.5, None, True, ["a", False]]');
    expect(() => pythonLiteral(Number.NaN)).toThrow(RangeError);
  });

  it('has no character that JavaScript would read otherwise than it was written', () => {
    const program = `process.stdout.write(JSON.stringify([${nasty.slice(0, 6).map(pythonLiteral).join(',')}]))`;
    const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(nasty.slice(0, 6));
  });
});
