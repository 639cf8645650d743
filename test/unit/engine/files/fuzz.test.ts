/**
 * Damaged files of every kind, thousands of them: each is read or refused by an error that names the file, the field and
 * what was expected, in a process of little memory that neither ends, hangs nor grows.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundle } from '../../../fixtures/bundle.ts';
import { runFuzz } from '../../../fixtures/fuzz/runFuzz.ts';

/** Another seed finds other faults: `FOVEA_FUZZ_SEED=… FOVEA_FUZZ_FACTOR=10 npx vitest run files/fuzz`. */
const seed = process.env.FOVEA_FUZZ_SEED ?? 'fovea-1';
const factor = Number(process.env.FOVEA_FUZZ_FACTOR ?? 1);

/** Bytes that the process may take beyond what it had before its first case. */
const mostGrowth = 320 * 2 ** 20;

let built: Bundle;
beforeAll(async () => {
  built = await bundle('test/fixtures/fuzz/fuzzChild.ts');
});
afterAll(() => built.remove());

describe('a reader of damaged files', () => {
  it.for([
    ['safetensors', 1200],
    ['sharded safetensors', 800],
    ['gguf', 1200],
    ['gguf model', 500],
    ['npz', 600],
    ['zip', 1200],
    ['torch', 700],
    ['torch before 1.6', 1500],
    ['model config', 2000],
    ['SAELens folders', 800],
    ['SAEs of other layouts', 800],
    ['tokenizer', 800],
    ['JSON lines', 800],
    ['labels', 800],
    ['kept labels', 800],
    ['tasks', 800],
    ['circuits', 800],
  ] as const)(
    'of %s reads or refuses each of %i',
    { timeout: 120_000 },
    async ([target, planned], { signal }) => {
      const cases = planned * factor;
      const report = await runFuzz({ bundle: built.file, target, seed, cases }, signal);
      expect(report.failures.map(({ seed, message }) => `${seed}: ${message}`)).toEqual([]);
      expect(report.cases).toBe(cases);
      // Damage that never leaves a readable file, or never breaks one, would test nothing.
      expect(report.accepted).toBeGreaterThan(0);
      expect(report.accepted).toBeLessThan(cases);
      expect(report.after - report.before).toBeLessThan(mostGrowth);
    },
  );
});
