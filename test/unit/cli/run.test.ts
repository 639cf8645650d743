/** `fovea run` and `fovea export`: what is wrong beforehand, going on after a kill, and scripts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { threeMethods } from '../../fixtures/wordExperiments.ts';
import { runProgram } from './program.ts';

let tiny: TinyModel;
let folder: string;
let program: Bundle;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-run-')));
});
afterAll(async () => {
  await Promise.all([program?.remove(), tiny?.remove()]);
  await rm(folder, { recursive: true, force: true });
});

const textOf = (more: object = {}): string => threeMethods(tiny.folder, more);

describe('the command line', () => {
  it('tells what is wrong with an experiment, and ends with code 1', async () => {
    const file = join(folder, 'check.fovea.json');
    await writeFile(file, textOf({ saes: ['blocks.7.hook_x'] }));
    const check = await runProgram(program.file, ['run', file, '--check']);
    expect([check.code, check.err]).toEqual([1, '']);
    expect(check.out).toMatch(/^error: saes\[0\]: The SAE "blocks\.7\.hook_x"/);
    await writeFile(file, '{"method": {"kind": "none"}}');
    const broken = await runProgram(program.file, ['run', file]);
    expect(broken.code).toBe(1);
    expect(broken.err).toContain('method.kind should be one of patch');
    const wrong = { method: [{ kind: 'none' }, { kind: 'patch', sweep: 'none' }], saes: [1] };
    await writeFile(file, textOf(wrong));
    const all = await runProgram(program.file, ['run', file, '--check']);
    expect(all.code).toBe(1);
    expect(all.out.match(/^error: [^:]+/gm)).toEqual([
      'error: method[0].kind',
      'error: method[1].sweep',
      'error: saes[0]',
    ]);
    const model = await runProgram(program.file, ['run', file, '--model', 'x']);
    expect(model.code).toBe(2);
    expect(model.err).toContain('The experiment itself says "model"');
  });

  it('goes on with --keep after it was killed, and leaves no such file behind', async () => {
    const file = join(folder, 'killed.fovea.json');
    const keep = join(folder, 'killed.keep');
    const model = await realpath('models/mini');
    const clean = 'When Mary and John went to the store, John gave a drink to';
    const corrupted = clean.replace(', John', ', Mary');
    const pairs = { kind: 'pair', clean, corrupted, answers: [' Mary'], wrongAnswers: [' John'] };
    const method = [
      { kind: 'ablate', sweep: 'mlp_out_all_pos', value: 'zero' },
      { kind: 'patch', sweep: 'attn_head_out_by_pos' },
    ];
    await writeFile(file, textOf({ model, pairs, method }));
    const argv = [program.file, 'run', file, '--keep', keep];
    const child = spawn(process.execPath, argv, { stdio: 'ignore' });
    await expect
      .poll(() => existsSync(keep) && readFileSync(keep, 'utf8'), { timeout: 60_000, interval: 10 })
      .toContain('"outcome"');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(join(folder, 'killed.results.json'))).toBe(false);
    const again = await runProgram(program.file, ['run', file, '--keep', keep]);
    expect([again.code, again.err, existsSync(keep)]).toEqual([0, '', false]);
    const results = await readFile(join(folder, 'killed.results.json'), 'utf8');
    expect((await runProgram(program.file, ['run', file])).code).toBe(0);
    expect(await readFile(join(folder, 'killed.results.json'), 'utf8')).toBe(results);
    await writeFile(keep, `${JSON.stringify({ kept: 'experiment', version: 1, build: 'another' })}\n`);
    const anew = await runProgram(program.file, ['run', file, '--keep', keep]);
    expect([anew.code, existsSync(keep)]).toEqual([0, false]);
    expect(anew.err).toContain('kept by another build of Fovea');
    expect(await readFile(join(folder, 'killed.results.json'), 'utf8')).toBe(results);
    const other = await runProgram(program.file, ['run', file, '--keep', file]);
    expect(other.code).toBe(2);
    expect(other.err).toContain('holds no run that could go on');
  }, 120_000);

  it('exports a script, and refuses what has no equivalent', async () => {
    const file = join(folder, 'export.fovea.json');
    await writeFile(file, textOf());
    const script = await runProgram(program.file, ['export', file, '--transformer-lens']);
    expect(script.code).toBe(0);
    expect(script.out).toContain('TransformerBridge.boot_transformers(MODEL');
    await writeFile(file, textOf({ method: { kind: 'acdc', threshold: 1 } }));
    const refused = await runProgram(program.file, ['export', file, '--transformer-lens']);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('it cannot say ACDC (acdc)');
    expect((await runProgram(program.file, ['export', file])).code).toBe(2);
  });
});
