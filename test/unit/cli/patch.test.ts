/** `fovea patch` from the outside: tables, JSON, and what it says of lines that are wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepGrid } from '../../../src/shared/patchingApi.ts';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
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
    expect(out).toContain('logitDifference: clean');
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
