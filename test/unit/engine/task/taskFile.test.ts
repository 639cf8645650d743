/** Task files: what is read, every fault at its line, hostile files, and that writing and reading agree. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  maxPairs,
  readTaskFile,
  readTaskText,
  type TaskFile,
  writeTaskFile,
} from '../../../../src/engine/task/taskFile.ts';
import { describeTaskProblem } from '../../../../src/shared/taskProblem.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const pair = { clean: 'A b c', corrupted: 'A d c', answer: ' e', wrongAnswer: ' f' };

function read(...lines: readonly (object | string)[]) {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  return readTaskText('some/name.task.jsonl', text);
}

/** Problems as `line severity: text`. */
function problems(...lines: readonly (object | string)[]): string[] {
  return read(...lines).problems.map(
    (problem) => `${problem.line} ${problem.severity}: ${describeTaskProblem(problem)}`,
  );
}

describe('a task file', () => {
  it('has a header that is optional, and pairs with the lines they stand in', () => {
    const header = { name: 'my task', metric: 'kl', description: 'what it is about' };
    const sets = { clean: 'x', corrupted: 'y', answers: [' a', ' b'], wrongAnswers: [' c'] };
    const roles = { IO: 'A', 'S1+1': ['b', 1], END: [4, 5] };
    const { file, problems } = read(header, '', { ...pair, roles, template: 't' }, { ...sets, note: 'mine' });
    expect(problems).toEqual([]);
    const { answer: _answer, wrongAnswer: _wrong, ...prompts } = pair;
    expect(file).toEqual({
      name: 'my task',
      metric: 'kl',
      description: 'what it is about',
      lines: [
        { line: 3, ...prompts, answers: [' e'], wrongAnswers: [' f'], roles, template: 't' },
        { line: 4, ...sets, roles: {}, template: '' },
      ],
    });
    expect(read(pair).file).toMatchObject({ name: 'name', metric: 'logitDifference' });
  });

  it('is read from disk as from a text, compressed or not, with a byte order mark or without', async () => {
    const folder = await temporaryFolder();
    const text = `\ufeff${JSON.stringify({ name: 'n' })}\r\n${JSON.stringify(pair)}\r\n`;
    await writeFile(join(folder, 'a.task.jsonl'), text);
    await writeFile(join(folder, 'a.task.jsonl.gz'), gzipSync(text));
    const plain = await readTaskFile(join(folder, 'a.task.jsonl'));
    expect(plain).toEqual(readTaskText('a.task.jsonl', text));
    expect(plain.file.lines).toHaveLength(1);
    expect(await readTaskFile(join(folder, 'a.task.jsonl.gz'))).toEqual(plain);
    expect((await failure(readTaskFile(join(folder, 'b.task.jsonl')))).code).toBe('file.missing');
  });

  it('reads what it writes', () => {
    const file: TaskFile = {
      name: 'n',
      metric: 'probabilityDifference',
      description: 'd',
      lines: [
        {
          line: 2,
          clean: 'a "b"\n',
          corrupted: 'ü 😀',
          answers: [' x'],
          wrongAnswers: [' y', ' z'],
          roles: {},
          template: '',
        },
        {
          line: 3,
          clean: 'a',
          corrupted: 'b',
          answers: [' x', ' w'],
          wrongAnswers: [' y'],
          roles: { END: ['a', -1] },
          template: 't',
        },
      ],
    };
    expect(readTaskText('other.task.jsonl', writeTaskFile(file))).toEqual({
      file,
      problems: [],
      faultyHeaders: [],
    });
  });
});

describe('a field that is given twice', () => {
  it('is a fault of the line, wherever it is', () => {
    const line =
      '{"clean": "A b", "corrupted": "C b", "answer": " Mary", "wrongAnswer": " x", "answer": " Tom"}';
    expect(problems(line)).toEqual(['1 error: "answer" is given twice in this line. Keep one of them.']);
    const roles =
      '{"clean": "A b", "corrupted": "C b", "answer": " a", "wrongAnswer": " x", "roles": {"N": "A", "N": "b"}}';
    expect(problems(roles)).toEqual(['1 error: "N" is given twice in this line. Keep one of them.']);
    expect(read(line).file.lines).toEqual([]);
    expect(read('{"metric": "kl", "metric": "accuracy"}', pair)).toMatchObject({ faultyHeaders: [1] });
  });
});

describe('faults', () => {
  it('are told at their line, each with what to do, and do not hide other lines', () => {
    const found = problems(
      { name: 'n', metric: 'loss' },
      pair,
      '{"clean": "a", ',
      [1, 2],
      { ...pair, corrupted: 3 },
      { clean: 'a', corrupted: 'b', answers: [], wrongAnswer: ' x' },
      { clean: 'a', corrupted: 'b', answer: ' a' },
      { ...pair, answers: [' e'] },
      { ...pair, wrong: ' f' },
      { clean: 'z', answer: ' e', wrongAnswer: ' f' },
      { ...pair, roles: { IO: [1, 2, 3] } },
      { ...pair, roles: { 'a b': 'A' } },
    );
    const expected: readonly [string, RegExp][] = [
      ['1 error', /"metric" should be one of logitDifference, .*, but is "loss"/],
      ['3 error', /is no JSON: .*Write one JSON object on each line/],
      ['4 error', /is an object with "clean".*but this one is \[1, 2\]/],
      ['5 error', /"corrupted" should be a text.*, but is 3/],
      ['6 error', /"answers" should be a list of texts, but is \[\]/],
      ['7 error', /"wrongAnswer" is missing. Add a text, or a list of texts as "wrongAnswers"/],
      ['8 error', /Both "answer" and "answers" are given/],
      ['9 error', /no field "wrong".*clean, corrupted, answer/],
      ['10 error', /"corrupted" is missing. Add it/],
      ['11 error', /"roles.IO" should be names in letters.*, but is \[1, 2, 3\]/],
      ['12 error', /"roles.a b" should be names in letters/],
    ];
    expect(found).toHaveLength(expected.length);
    expected.forEach(([start, text], i) => {
      expect(found[i]).toContain(`${start}: `);
      expect(found[i]).toMatch(text);
    });
    expect(read({ ...pair, clean: 3 }, pair).file.lines.map(({ line }) => line)).toEqual([2]);
  });

  it('include a pair that is there twice, and a file without pairs', () => {
    expect(problems(pair, { ...pair, answer: ' g' }, pair)).toEqual([
      expect.stringMatching(/^3 warning: .*same as the one in line 1/),
    ]);
    expect(problems('')).toEqual([expect.stringMatching(/^1 warning: This file has no pairs/)]);
  });

  it('include a header that is not the first line', () => {
    expect(problems(pair, { name: 'late' })[0]).toMatch(/^2 error: A header can only be the first line/);
  });
});

describe('hostile files', () => {
  it('neither pollute objects nor overflow the stack nor flood messages', () => {
    const found = problems(
      '{"__proto__": {"clean": "x"}, "clean": "a", "corrupted": "b", "answer": "c", "wrongAnswer": "d"}',
      `${'['.repeat(100_000)}`,
      { ...pair, roles: { constructor: 'A', toString: 'b' } },
      { ...pair, ['x'.repeat(5000)]: 1 },
      { ...pair, clean: { deep: 'y'.repeat(5000) } },
      '{"clean": "a", "corrupted": "b", "answer": "c", "wrongAnswer": "d", "roles": {"__proto__": "a"}}',
    );
    expect(({} as Record<string, unknown>).clean).toBeUndefined();
    for (const problem of found) expect(problem.length).toBeLessThan(500);
    expect(found.map((problem) => problem.split(' ')[0])).toEqual(expect.arrayContaining(['2', '4', '5']));
    const { roles } = read({ ...pair, roles: { toString: 'b' } }).file.lines[0]!;
    expect(Object.getPrototypeOf(roles)).toBe(Object.prototype);
  });

  it('of too many pairs or too long lines are cut, and it is said where', () => {
    const many = Array.from({ length: maxPairs + 5 }, (_, i) => ({ ...pair, answer: ` e${i}` }));
    const { file, problems: found } = read(...many);
    expect(file.lines).toHaveLength(maxPairs);
    expect(found).toMatchObject([{ line: maxPairs + 1, code: 'tooManyPairs', severity: 'warning' }]);
    const [long] = problems({ ...pair, clean: 'x'.repeat(2 ** 20) });
    expect(long).toMatch(/^1 error: This line is longer than 1048576 bytes/);
  });
});
