/** `fovea shift` from the outside: features in a table, numbers after ablation, and what is wrong with a command line. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type Outcome, runProgram } from './program.ts';

const root = join(import.meta.dirname, '../../..');
const few = ['--train', '40', '--test', '40', '--features', '12', '--sae', 'blocks.2.hook_resid_post'];
let program: Bundle;

beforeAll(async () => {
  program = await bundle('src/cli/main.ts');
}, 60_000);
afterAll(() => program?.remove());

function shift(...argv: string[]): Promise<Outcome> {
  return runProgram(program.file, ['shift', '--model', join(root, 'models/mini'), ...argv]);
}

describe('fovea shift', () => {
  it('lists the features of the classifier, as a table or as JSON', async () => {
    const [table, data] = await Promise.all([shift(...few, 'pilot', 'dancer'), shift(...few, '--json')]);
    expect({ code: table.code, err: table.err }).toEqual({ code: 0, err: '' });
    expect(table.out).toContain('pilot and dancer');
    expect(table.out.match(/^blocks\.2\.hook_resid_post /gm)).toHaveLength(12);
    const { features, professions, before } = JSON.parse(data.out);
    expect([features.length, professions, before.groups.length]).toEqual([12, ['professor', 'nurse'], 4]);
  });

  it('ablates the features that are named', async () => {
    const { code, out, err } = await shift(
      ...few,
      '--ablate',
      'blocks.2.hook_resid_post:441,blocks.2.hook_resid_post:296',
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('2 features ablated.');
    for (const row of [
      'before',
      'ablated',
      'ablated, trained again',
      'random features',
      'balanced training',
    ]) {
      expect(out).toMatch(new RegExp(`^${row} .*%`, 'm'));
    }
  });

  it('says what is wrong with a command line', async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['pilot'], /two professions/],
      [['--sae', 'blocks.9.hook_resid_post'], /blocks\.2\.hook_resid_post/],
      [['--ablate', 'nothing'], /HOOK:INDEX/],
      [['--train', 'many'], /whole number/],
    ];
    for (const [argv, message] of wrong) {
      const { code, err } = await shift(...argv);
      expect(code).toBe(2);
      expect(err).toMatch(message);
    }
    const { code, err } = await shift(...few, 'astronaut', 'nurse');
    expect(code).toBe(1);
    expect(err).toMatch(/astronaut/);
  });
});
