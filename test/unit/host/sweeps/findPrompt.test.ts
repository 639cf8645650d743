/** Prompts found again in documents: as they are, or inside lines of a task, escapes and all. */
import { describe, expect, it } from 'vitest';
import {
  commonRoles,
  findInText,
  firstTaskLine,
  readTaskLine,
  roleRange,
} from '../../../../src/host/sweeps/findPrompt.ts';

const pair = {
  clean: 'She said "né\n" to Mary and Mary',
  corrupted: 'He said',
  answer: ' a',
  wrongAnswers: [' b', ' c'],
  roles: { IO: 'Mary', S2: ['Mary', 2], END: [26, 31] },
};
const line = JSON.stringify(pair);

describe('readTaskLine', () => {
  it('reads answers in both spellings, and nothing from lines that hold no pair', () => {
    expect(readTaskLine(line, 3)).toMatchObject({ line: 3, answers: [' a'], wrongAnswers: [' b', ' c'] });
    expect(readTaskLine('{"name":"t"}', 0)).toBeUndefined();
    expect(readTaskLine('{', 0)).toBeUndefined();
    expect(readTaskLine('null', 0)).toBeUndefined();
    expect(firstTaskLine(['{"name":"t"}', '', line])?.line).toBe(2);
  });
});

describe('findInText', () => {
  it('finds a part of a prompt in plain text', () => {
    const text = `before\n${pair.clean}`;
    const start = pair.clean.indexOf('to');
    const found = findInText(text, pair.clean, 'clean', { start, end: start + 2 });
    expect(found && text.slice(found.start, found.end)).toBe('to');
  });

  it('finds it in a line of JSON, where escapes are longer than what they stand for', () => {
    const escaped = line.replace('é', '\\u00e9');
    const text = `{"name":"t"}\n${escaped}\n`;
    for (const word of ['said', 'to', 'Mary and']) {
      const start = pair.clean.indexOf(word);
      const found = findInText(text, pair.clean, 'clean', { start, end: start + word.length });
      expect(found && text.slice(found.start, found.end)).toBe(word);
    }
    const quoted = pair.clean.indexOf('"');
    const found = findInText(text, pair.clean, 'clean', { start: quoted, end: quoted + 4 });
    expect(found && text.slice(found.start, found.end)).toBe('\\"n\\u00e9\\n');
  });

  it('looks for the corrupted prompt in its own field, and finds nothing that is gone', () => {
    const found = findInText(line, pair.corrupted, 'corrupted', { start: 0, end: 2 });
    expect(found && line.slice(found.start, found.end)).toBe('He');
    expect(findInText(line, 'other', 'clean', { start: 0, end: 1 })).toBeUndefined();
  });
});

describe('roles', () => {
  it('stand for words, the one that is meant of several, and characters', () => {
    const read = readTaskLine(line, 0)!;
    const text = (name: string) => {
      const range = roleRange(read, name);
      return range && [range.start, pair.clean.slice(range.start, range.end)];
    };
    expect(text('IO')).toEqual([pair.clean.indexOf('Mary'), 'Mary']);
    expect(text('S2')).toEqual([pair.clean.lastIndexOf('Mary'), 'Mary']);
    expect(text('END')).toEqual([26, pair.clean.slice(26, 31)]);
    expect(text('none')).toBeUndefined();
    expect(text('toString')).toBeUndefined();
  });

  it('are common when every pair has them', () => {
    const other = JSON.stringify({ ...pair, roles: { S2: 'Mary', END: 'Mary' } });
    expect(commonRoles(['{"name":"t"}', line, other])).toEqual(['S2', 'END']);
    expect(commonRoles([line, JSON.stringify({ ...pair, roles: undefined })])).toEqual([]);
  });
});
