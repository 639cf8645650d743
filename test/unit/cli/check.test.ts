/** `fovea check` from the outside: what it says of a family, of recorded weights, and of a recording that does not fit. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type TinyModel, writeTinyModel } from '../../fixtures/tinyModel.ts';
import { runProgram } from './program.ts';

let program: Bundle;
let tiny: TinyModel;
beforeAll(async () => {
  [program, tiny] = await Promise.all([bundle('src/cli/main.ts'), writeTinyModel(7)]);
});
afterAll(async () => {
  await program?.remove();
  await tiny?.remove();
});

const check = (...argv: string[]) => runProgram(program.file, ['check', '--model', tiny.folder, ...argv]);

const recordLogit = (token: number, logit: number) =>
  writeFile(
    join(tiny.folder, 'fovea-parity.json'),
    JSON.stringify({
      format: 'fovea-parity-1',
      reference: 'another library 1.0',
      tokens: [token],
      positions: [{ position: 0, ids: [0], logits: [logit] }],
    }),
  );

describe('check', () => {
  it('tells what small models of the family showed when these weights have no recording', async () => {
    const { code, out } = await check();
    expect(code).toBe(0);
    expect(out).toContain('these weights were not');
    expect(out).toMatch(/transformers 5\.\d.*: largest difference of a logit \d\.\de-\d/);
    expect(out).toMatch(/TransformerLens 3\.\d.*: largest difference of a hook \d\.\de-\d of its range/);
    expect(JSON.parse((await check('--json')).out)).toMatchObject({
      family: 'gpt2',
      verdict: 'same',
      parity: { compared: 'family' },
    });
  });

  it('says so when these weights are read otherwise than recorded', async () => {
    await recordLogit(1, 1000);
    const { code, out } = await check();
    expect(code).toBe(0);
    expect(out).toContain('These very weights were compared.');
    expect(out).toMatch(/another library 1\.0: largest difference of a logit \d\.\de\+[23]/);
    expect(out).toContain('That is more than rounding');
    expect(JSON.parse((await check('--json')).out)).toMatchObject({ verdict: 'different' });
  });

  it('tells what is wrong with a recording that does not fit, and opens the model all the same', async () => {
    await recordLogit(100_000, 0);
    const { code, out } = await check();
    expect(code).toBe(0);
    expect(out).toContain('these weights were not');
    expect(out).toContain('tokens should be ids below');
  });

  it('takes no words', async () => {
    const { code, err } = await check('prompt');
    expect(code).toBe(2);
    expect(err).toContain('--model FOLDER');
  });
});
