/** `fovea study` from the outside: an estimate, a report in a file, and what is wrong with a command line. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { type Outcome, runProgram } from './program.ts';

const root = join(import.meta.dirname, '../../..');
let program: Bundle;

beforeAll(async () => {
  program = await bundle('src/cli/main.ts');
});
afterAll(() => program?.remove());

function study(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['study', '--model', join(root, 'models/mini'), ...argv]);
}

describe('fovea study', () => {
  it('writes the report of the heads, as Markdown or as JSON', async () => {
    const folder = await temporaryFolder();
    const few = ['ioi', '--pairs', '12', '--paths', '6', '--circuit', '0', '--seed', '2'];
    const [page, data] = [join(folder, 'report.md'), join(folder, 'report.json')];
    const outcomes = await Promise.all([study(...few, '--out', page), study(...few, '--out', data)]);
    for (const { code, err } of outcomes) expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(outcomes[0]!.out).toContain(page);
    const report = await readFile(page, 'utf8');
    expect(report).toContain('# Indirect objects in ');
    expect(report).toContain('## Heads by class');
    expect(report).not.toContain('## Circuit');
    const { pairs, heads, behaviour } = JSON.parse(await readFile(data, 'utf8'));
    expect({ pairs, heads: heads.length }).toEqual({ pairs: 12, heads: 32 });
    expect(behaviour.accuracy).toBeCloseTo(1, 5);
  });

  it('says beforehand how long it takes', async () => {
    const { code, out, err } = await study('ioi', '--pairs', '12', '--estimate', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { tokens, seconds, bytes } = JSON.parse(out);
    expect(bytes).toBeGreaterThan(1e6);
    expect(tokens).toBeGreaterThan(1000);
    expect(seconds).toBeGreaterThan(0);
  });

  it('says first that a model does not do the task, and which pairs are left out', async () => {
    const example = await readFile(join(root, 'examples/indirectObject.task.jsonl'), 'utf8');
    const lines = example
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const exchanged = lines.map((line) =>
      line.clean ? { ...line, answer: line.wrongAnswer, wrongAnswer: line.answer } : line,
    );
    const path = join(await temporaryFolder(), 'exchanged.task.jsonl');
    const content = [...exchanged, { clean: 'a' }].map((line) => JSON.stringify(line));
    await writeFile(path, content.join('\n'));
    const argv = ['ioi', '--task', path, '--paths', '4', '--circuit', '0'];
    const { code, out, err } = await study(...argv);
    expect(code).toBe(0);
    expect(err).toMatch(/^Warning: 1 of 13 pairs left out: line 14: /);
    expect(err).toContain('Warning: The mean logit difference IO − S is not above 0.');
    expect(out.split('\n\n')[1]).toMatch(/^\*\*This model does not do the task\./);
    const refused = await study(...argv, '--pairs', '5');
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('--pairs does nothing here') });
  });

  it('keeps what it measured, and goes on from that', async () => {
    const folder = await temporaryFolder();
    const keep = join(folder, 'parts.json');
    const few = ['ioi', '--pairs', '12', '--paths', '6', '--circuit', '0', '--keep', keep, '--json'];
    const first = await study(...few);
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: '' });
    const parts = JSON.parse(await readFile(keep, 'utf8'));
    expect(parts.queries).toHaveLength(32);
    // Another number shows that it is taken from the file and not measured again.
    parts.behaviour.logitDifference = 99;
    await writeFile(keep, JSON.stringify(parts));
    expect(JSON.parse((await study(...few)).out).behaviour.logitDifference).toBe(99);
    await writeFile(keep, '[]');
    const { code, err } = await study(...few);
    expect(code).toBe(2);
    expect(err).toContain('holds no study that could go on');
  });

  it('asks which study', async () => {
    const { code, err } = await study('agreement');
    expect(code).toBe(2);
    expect(err).toContain('ioi');
  });
});
