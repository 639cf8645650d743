/** `fovea shift` from the outside: features in a table, numbers after ablation, and what is wrong with a command line. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { type Outcome, runProgram } from './program.ts';

const root = join(import.meta.dirname, '../../..');
const few = ['--train', '16', '--test', '16', '--features', '12', '--sae', 'blocks.2.hook_resid_post'];
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
    expect(out).toContain('2 features ablated; skylines and random draws ablate as many.');
    for (const row of [
      'Original',
      'SHIFT',
      'SHIFT \\+ retrain',
      'Concept bottleneck',
      'Neuron skyline',
      'Feature skyline',
      'Oracle',
    ]) {
      expect(out).toMatch(new RegExp(`^${row} +\\d+\\.\\d `, 'm'));
    }
    expect(out).toMatch(/^Random features +\d+\.\d \(\d+\.\d–\d+\.\d\)/m);
  });

  it('only tells what it would take', async () => {
    const [text, data] = await Promise.all([
      shift(...few, '--estimate'),
      shift(...few, '--estimate', '--ablate-to', 'zero', '--json'),
    ]);
    expect({ code: text.code, err: text.err }).toEqual({ code: 0, err: '' });
    expect(text.out).toMatch(/^Finding features: \d+ prompts forward, 0 back, about [\d.]+ s and \d+ MB$/m);
    expect(text.out).toMatch(/^Ablating and training again: \d+ prompts forward/m);
    const { find, ablate } = JSON.parse(data.out);
    // The classifier reads the very stream of the SAE: no steps, and nothing to run back.
    expect([find.forward, find.backward]).toEqual([4 * 16 + 16, 0]);
    expect(ablate.forward).toBe(16 + 8 * 16 + 2 * 16 + 16);
  });

  it('says what is wrong with a command line', async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['pilot'], /two professions/],
      [['--sae', 'blocks.9.hook_resid_post'], /blocks\.2\.hook_resid_post/],
      [['--ablate', 'nothing'], /HOOK:INDEX/],
      [['--train', 'many'], /whole number/],
      [['--ablate-to', 'nothing'], /mean or zero/],
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
