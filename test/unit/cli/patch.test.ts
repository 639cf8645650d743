/** `fovea patch` from the outside: tables, JSON, and what it says of lines that are wrong. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepGrid } from '../../../src/shared/patchingApi.ts';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, topKHook, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { runProgram } from './program.ts';

const pair = ['When she gave words letter', 'When she gave letter letter'];
const answers = ['--answer', ' words', '--wrong', ' letter'];
let program: Bundle;
let tiny: TinyModel;
beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});
afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

const patch = (...argv: string[]) => runProgram(program.file, ['patch', '--model', tiny.folder, ...argv]);

describe('patch', () => {
  it('prints a row for each layer, the token over each position, and the same numbers as JSON', async () => {
    const { code, out, err } = await patch(...pair, ...answers);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('logitDifference (1 pair): clean');
    expect(out).toContain('Patching clean values into the corrupted run: 0 as corrupted, 1 as clean');
    expect(out).toContain('Rows: layer; columns: pos');
    const lines = out.trimEnd().split('\n').slice(-2);
    const grid = JSON.parse((await patch(...pair, ...answers, '--json')).out) as SweepGrid;
    const width = grid.axes[1]!.labels.length;
    lines.forEach((line, layer) => {
      const row = grid.values.slice(layer * width, (layer + 1) * width);
      expect(line.trim().split(/\s+/)).toEqual([`${layer}`, ...Array.from(row, (value) => value.toFixed(3))]);
    });
  });

  it('lists the senders of paths, strongest first', async () => {
    const { out } = await patch(...pair, ...answers, '--paths', 'v:1.0');
    const shares = [...out.matchAll(/([+−]?[\d.]+) %/g)].map(([, number]) =>
      Math.abs(Number(number!.replace('−', '-'))),
    );
    expect(shares.length).toBe(8);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
  });

  it('takes means by position and template under the names of experiments, too', async () => {
    const ablated = async (how: string) => (await patch(...pair, ...answers, '--ablate', how, '--json')).out;
    for (const [short, long] of [
      ['position', 'meanByPosition'],
      ['template', 'meanByTemplate'],
    ] as const) {
      const out = await ablated(short);
      expect(JSON.parse(out).values.length).toBeGreaterThan(0);
      expect(await ablated(long)).toBe(out);
    }
  });

  it('says which pairs of a task are left out, on standard error and as JSON, and refuses a faulty header', async () => {
    const file = join(await temporaryFolder(), 'two.task.jsonl');
    const line = { clean: pair[0], corrupted: pair[1], answer: ' words', wrongAnswer: ' letter' };
    const lines = [line, { ...line, corrupted: 'When' }].map((one) => JSON.stringify(one));
    await writeFile(file, lines.join('\n'));
    const { code, err, out } = await patch('--task', file, '--sweep', 'attn_out_all_pos', '--json');
    expect(code).toBe(0);
    expect(err).toMatch(/^Warning: 1 of 2 pairs left out: line 2: The clean prompt has \d+ tokens/);
    expect(JSON.parse(out)).toMatchObject({ pairCount: 1, leftOut: { leftOut: 1, of: 2 } });
    await writeFile(file, ['{"metric": "foo"}', ...lines].join('\n'));
    const refused = await patch('--task', file);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('its header cannot be used; line 1');
  });

  it('warns of means that rest on one prompt, as text and as JSON', async () => {
    const { err, out } = await patch(...pair, ...answers, '--ablate', 'meanByTemplate', '--json');
    expect(err).toMatch(/^Warning: Some means or draws rest on one prompt/);
    expect(JSON.parse(out)).toMatchObject({
      referencePrompts: 1,
      warning: expect.stringContaining('one prompt'),
    });
    const zero = await patch(...pair, ...answers, '--ablate', 'zero', '--json');
    expect(zero.err).toBe('');
    expect(JSON.parse(zero.out)).not.toHaveProperty('referencePrompts');
  });

  it('takes means of the reference that it is told, and features by their numbers', async () => {
    const argv = [...pair, ...answers, '--ablate', 'meanByPosition', '--json'];
    const [clean, corrupted] = [await patch(...argv, '--reference', 'clean'), await patch(...argv)];
    // The clean prompt's own values change nothing.
    for (const value of JSON.parse(clean.out).values) expect(value).toBeCloseTo(0, 5);
    expect(JSON.parse(corrupted.out).values.some((value: number) => Math.abs(value) > 1e-3)).toBe(true);
    const named = await patch(
      ...pair,
      ...answers,
      '--feature',
      '3,1',
      '--sae',
      topKHook,
      '--by-position',
      '--json',
    );
    const axes = JSON.parse(named.out).axes as { name: string; labels: string[] }[];
    expect(axes.find(({ name }) => name === 'feature')?.labels).toEqual(['3', '1', 'error']);
    expect(axes.map(({ name }) => name)).toContain('pos');
    const paths = await patch(...pair, ...answers, '--paths', 'logits', '--from', '0.1,mlp 1', '--json');
    expect(JSON.parse(paths.out).axes[0].labels).toEqual(['0.1', 'mlp 1']);
  });

  it('goes on from the cells of a file', async () => {
    const keep = join(await temporaryFolder(), 'cells.json');
    const first = await patch(...pair, ...answers, '--keep', keep, '--json');
    expect(first).toMatchObject({ code: 0, err: '' });
    const kept = JSON.parse(await readFile(keep, 'utf8'));
    expect(kept.cells).toHaveLength(JSON.parse(first.out).values.length);
    // Another number shows that it is taken from the file and not measured again.
    kept.cells.find(([cell]: number[]) => cell === 0)[1] = JSON.parse(first.out).clean;
    await writeFile(keep, JSON.stringify(kept));
    expect(JSON.parse((await patch(...pair, ...answers, '--keep', keep, '--json')).out).values[0]).toBe(1);
    const other = await patch(...pair, ...answers, '--noising', '--keep', keep);
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining('no cells of this very sweep') });
  });

  it('prints and keeps what is finished when it is cancelled', async () => {
    const folder = await temporaryFolder();
    const keep = join(folder, 'cells.json');
    const argv = ['--generate', 'ioi', '--pairs', '200', '--sweep', 'attn_head_out_all_pos'];
    const child = spawn(
      process.execPath,
      [
        program.file,
        'patch',
        '--model',
        join(import.meta.dirname, '../../../models/mini'),
        ...argv,
        '--keep',
        keep,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text.out += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      text.err += piece;
    });
    // The file is there as soon as the first cells are.
    const stop = setInterval(() => {
      if (!existsSync(keep)) return;
      clearInterval(stop);
      child.kill('SIGINT');
    }, 5);
    const code = await new Promise((resolve) => child.on('close', resolve));
    clearInterval(stop);
    expect(code).toBe(130);
    expect(text.out).toContain('Rows: layer; columns: head');
    expect(text.err).toMatch(/Only \d+ of \d+ cells are known\.\nCancelled\.\n$/);
    expect(JSON.parse(await readFile(keep, 'utf8')).cells.length).toBeGreaterThan(0);
  });

  it.each([
    [['--ablate', 'zero', '--noising'], '--noising does nothing here. Ablation changes the clean run'],
    [['--paths', 'logits', '--noising'], '--noising does nothing here. Paths go from'],
    [['--paths', 'logits', '--ablate', 'zero'], '--ablate does nothing here'],
    [
      ['--sweep', 'attn_out_all_pos', '--role', 'END'],
      '--role does nothing here. This sweep changes all positions',
    ],
    [['--features', '3', '--role', 'END'], '--role does nothing here'],
    [['--pairs', '4'], '--pairs does nothing here'],
    [['--at', '3'], '--at does nothing here'],
    [['--ablate', 'zero', '--reference', 'clean'], '--reference does nothing here'],
    [['--seed', '3'], '--seed does nothing here'],
    [['--option', 'a=b'], '--option does nothing here'],
  ])('refuses %j, where an option would do nothing', async (argv, words) => {
    const { code, err } = await patch(...pair, ...answers, ...argv);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });

  it('says of a single pair that it has no roles', async () => {
    const { code, err } = await patch(...pair, ...answers, '--role', 'END');
    expect(code).toBe(1);
    expect(err).toContain('the pair names no roles');
  });

  it('names what is missing or unknown', async () => {
    const told = async (...argv: string[]) => {
      const { code, err } = await patch(...argv);
      expect(code).toBe(2);
      return err;
    };
    expect(await told(pair[0]!, ...answers)).toContain('two prompts in quotes');
    expect(await told(...pair)).toContain('Name the answers');
    expect(await told(...pair, ...answers, '--sweep', 'resid')).toContain('attn_head_out_all_pos');
    expect(await told(...pair, ...answers, '--ablate', 'all')).toContain('--ablate takes zero');
    expect(await told(...pair, ...answers, '--paths', 'x:1.2')).toContain('q:9.9');
  });
});
