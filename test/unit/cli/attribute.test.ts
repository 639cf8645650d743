/** `fovea attribute` from the outside: circuits of a pair or a task file, files, and messages. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { type Outcome, runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

const prompts = ['When she gave', 'When she words'];
const answers = ['--answer', ' words', '--wrong', ' letter'];

function attribute(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['attribute', '--model', tiny.folder, ...argv]);
}

describe('attribute', () => {
  it('lists the strongest edges and what they do alone', async () => {
    const { code, out, err } = await attribute(...prompts, ...answers, '--method', 'eap', '--edges', '20');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^logitDifference \(1 pair\): clean .*, corrupted .*\n\d+ of 75 edges alone: .*, faithfulness /,
    );
    expect(out).toMatch(/\n(input|[am]\d\S*)->\S+ +[+−]/);
  });

  it('gives all edges as JSON, and the graph as a file', async () => {
    const file = join(await temporaryFolder(), 'graph.json');
    const argv = [...prompts, ...answers, '--edges', '100', '--out', file, '--json'];
    const { code, out, err } = await attribute(...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const found = JSON.parse(out);
    expect(found).toMatchObject({
      total: 75,
      metric: 'logitDifference',
      circuit: { method: { name: 'eap-ig' } },
    });
    expect(found.edges).toHaveLength(75);
    expect(found.eapIg).toBeUndefined();
    const { edges } = JSON.parse(await readFile(file, 'utf8'));
    const again = await attribute(...prompts, ...answers, '--graph', file, '--json');
    expect(JSON.parse(again.out)).toMatchObject({ faithfulness: found.faithfulness, edges: found.edges });
    for (const { name, score } of found.edges) expect(edges[name]).toEqual({ score, in_graph: true });
  });

  it('says the largest score when none reaches the threshold', async () => {
    const { code, out } = await attribute(...prompts, ...answers, '--threshold', '1000');
    expect(code).toBe(0);
    expect(out).toContain('\n0 of 75 edges alone');
    expect(out).toMatch(/No score reaches the threshold: the largest is [\d.]+\.\n$/);
    expect((await attribute(...prompts, ...answers, '--threshold', '0')).out).not.toContain('No score');
  });

  it.each([
    [['--threshold', '0.1', '--edges', '5'], '--edges does nothing here'],
    [['--method', 'eap', '--steps', '5'], '--steps does nothing here'],
    [['--method', 'acdc', '--greedy'], '--greedy does nothing here'],
    [['--pairs', '5'], '--pairs does nothing here'],
  ])('refuses %j, where an option would do nothing', async (argv, words) => {
    const { code, err } = await attribute(...prompts, ...answers, ...argv);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });

  it('writes pairs of a generator', async () => {
    const argv = ['--generate', 'agreement', '--option', 'structure=simple', '--pairs', '3', '--seed', '4'];
    const mini = join(import.meta.dirname, '../../../models/mini');
    const { code, out, err } = await attribute(...argv, '--method', 'eap', '--model', mini);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('(3 pairs)');
  });

  it('searches a circuit of a task file', async () => {
    const file = join(await temporaryFolder(), 'one.task.jsonl');
    const [clean, corrupted] = prompts;
    const row = { clean, corrupted, answers: [' words'], wrongAnswers: [' letter'] };
    await writeFile(file, `${JSON.stringify(row)}\n`);
    const argv = ['--task', file, '--method', 'acdc', '--threshold', '0.00001'];
    const before = await attribute(...argv, '--estimate');
    expect(before.out).toMatch(/^At most \d+ prompts forward, 0 back, at most /);
    const { code, out } = await attribute(...argv);
    expect(code).toBe(0);
    expect(out).toMatch(/^kl \(1 pair\): clean 0, /);
    expect(out).toMatch(/\d+ edges tried/);
  });

  it.each([
    [['only one', ...answers], 'Give two prompts'],
    [[...prompts], 'Name the answers'],
    [[...prompts, ...answers, '--method', 'magic'], 'eap, eap-ig, eap-ig-activations, acdc'],
    [[...prompts, ...answers, '--metric', 'magic'], 'logitDifference'],
    [[...prompts, ...answers, '--edges', 'all'], '--edges takes a whole number'],
    [[...prompts, ...answers, '--threshold', 'much'], '--threshold takes a number'],
    [[...prompts, '--task', 'x.task.jsonl'], 'only one of them'],
  ])('%j ends with 2 and says why', async (argv, words) => {
    const { code, out, err } = await attribute(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(words);
  });

  it('says what keeps a pair from being run', async () => {
    const { code, err } = await attribute('When she gave', 'When', ...answers);
    expect(code).toBe(1);
    expect(err).toMatch(/The pair of prompts cannot be used/);
  });
});
