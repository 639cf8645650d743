/** `fovea task` from the outside: pairs that are written can be checked, and what is wrong with a file ends in code 1. */
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

function task(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['task', '--model', join(root, 'models/mini'), ...argv]);
}

describe('fovea task', () => {
  it('writes pairs that it can check, the same ones for the same seed', async () => {
    const generate = ['generate', 'ioi', '--count', '6', '--seed', '4', '--option', 'counterfactual=swapped'];
    const [first, second] = await Promise.all([task(...generate), task(...generate)]);
    expect(first).toEqual({ code: 0, out: second.out, err: '' });
    expect(first.out.trim().split('\n')).toHaveLength(7);
    const path = join(await temporaryFolder(), 'mine.task.jsonl');
    await writeFile(path, first.out);
    const { code, out, err } = await task('check', path, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({
      name: 'ioi',
      pairs: 6,
      lines: 6,
      problems: [],
      behaviour: { pairs: 6 },
    });
  });

  it('finds nothing wrong with the example, and shows the model’s behaviour by template', async () => {
    const { code, out } = await task('check', join(root, 'examples/indirectObject.task.jsonl'));
    expect(code).toBe(0);
    expect(out).toContain('indirect objects: 12 of 12 pairs can be run with mini.');
    expect(out).toMatch(/ABBA: .* 100 % +\+/);
    expect(out).toMatch(/all +12 +100 %/);
  });

  it('names file, line and remedy of what is wrong, and ends with code 1', async () => {
    const example = await readFile(join(root, 'examples/indirectObject.task.jsonl'), 'utf8');
    const path = join(await temporaryFolder(), 'mine.task.jsonl');
    await writeFile(path, `${example}{"clean": "a"}\nnot json\n`);
    const { code, out } = await task('check', path, '--measure', '0');
    expect(code).toBe(1);
    expect(out).toContain(`${path}:14: error: "corrupted" is missing.`);
    expect(out).toContain(`${path}:15: error: This line is no JSON`);
    expect(out).toContain('12 of 14 pairs can be run');
  });

  it('ends with code 1 where there is no pair to run', async () => {
    const path = join(await temporaryFolder(), 'none.task.jsonl');
    for (const content of ['', '\n\n', '{"name": "n"}\n']) {
      await writeFile(path, content);
      const { code, out } = await task('check', path);
      expect(code).toBe(1);
      expect(out).toContain('0 of 0 pairs can be run');
    }
  });

  it('refuses command lines that say nothing it knows', async () => {
    const wrong = [['check'], ['generate', 'poems'], ['generate', 'ioi', '--option', 'split']];
    for (const argv of wrong) expect((await task(...argv)).code, argv.join(' ')).toBe(2);
    const { code, err } = await task('generate', 'ioi', '--option', 'split=none');
    expect(code).toBe(1);
    expect(err).toMatch(/"none" of "split".*heldOut, train/);
  });
});
