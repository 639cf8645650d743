/** `fovea train sae` from the outside: a folder that opens as an SAE, honest numbers, and messages for what cannot be. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { runProgram } from './program.ts';

const hook = 'blocks.1.hook_resid_pre';
let program: Bundle;
let tiny: TinyModel;

beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});

afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

function train(...argv: string[]) {
  return runProgram(program.file, ['train', 'sae', '--model', tiny.folder, ...argv]);
}

const small = ['--features', '24', '--k', '4', '--steps', '3'];

describe('train sae', () => {
  it('writes an SAE that opens, that the model’s list finds, and reports its quality', async () => {
    const out = join(await temporaryFolder(), 'new', 'sae');
    const { code, out: text, err } = await train('--hook', hook, '--out', out, ...small, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const metrics = JSON.parse(text);
    expect(metrics).toMatchObject({ out, hook, l0: 4 });
    expect(metrics.tokens).toBeGreaterThan(1000);
    expect(metrics.explainedVariance).toBeLessThan(1);
    expect(metrics.deadFraction).toBeGreaterThanOrEqual(0);
    const { config } = await openSaeLens(out);
    expect(config).toMatchObject({ architecture: 'topk', k: 4, dIn: 12, dSae: 24, hookName: hook });
    const features = ['features', 'gave', '--model', tiny.folder, '--sae', out, '--json'];
    expect(JSON.parse((await runProgram(program.file, features)).out).sae).toBe(hook);
  });

  it('gives the same SAE for the same seed and text, and another for another', async () => {
    const folder = await temporaryFolder();
    const corpus = join(folder, 'text.txt');
    // One paragraph of many pages, as books without blank lines are.
    await writeFile(corpus, 'She gave the letter to El when words counts if it was so. '.repeat(4000));
    const runs = [
      ['1', 'a'],
      ['1', 'b'],
      ['2', 'c'],
    ] as const;
    const weights: number[][] = [];
    for (const [seed, name] of runs) {
      const out = join(folder, name);
      const { code, err } = await train(
        '--hook',
        hook,
        '--out',
        out,
        ...small,
        '--corpus',
        corpus,
        '--seed',
        seed,
      );
      expect({ code, err }).toEqual({ code: 0, err: '' });
      weights.push([...(await (await openSaeLens(out)).read('W_enc'))]);
    }
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).not.toEqual(weights[0]);
  });

  it.each([
    [['--hook', 'blocks.9.hook_resid_post'], 'layers 0 to 1'],
    [['--hook', 'blocks.0.attn.hook_pattern'], 'one row per position'],
    [['--hook', 'unembed.hook_out'], 'one row per position'],
    [['--hook', hook, '--k', '99'], 'larger than d_sae'],
    [['--hook', hook, '--corpus', '/nowhere.txt'], '/nowhere.txt'],
  ])('fails with 1 for %j', async (argv, words) => {
    const out = join(await temporaryFolder(), 'sae');
    const { code, err } = await train('--out', out, ...small, ...argv);
    expect(code).toBe(1);
    expect(err).toContain(words);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('refuses a text that is too short with its length', async () => {
    const corpus = join(await temporaryFolder(), 'short.txt');
    await writeFile(corpus, 'She gave words.\n\nWhen?');
    const { code, err } = await train('--hook', hook, '--out', '/nowhere/sae', ...small, '--corpus', corpus);
    expect(code).toBe(1);
    expect(err).toMatch(/it has \d+ tokens, and training needs at least \d+/);
  });
});
