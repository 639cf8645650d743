/** The quality of an SAE against the formulas written out over whole lists of doubles. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { floatsOf, floatValue } from '../../../../src/engine/graph/value.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import type { SaeConfig } from '../../../../src/engine/sae/format.ts';
import { meanLoss, measureSae } from '../../../../src/engine/sae/metrics.ts';
import { SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { failure } from '../../temporaryFolder.ts';
import { plainDecode, plainEncode, randomSae, rowsOf, saeConfig } from './plainSae.ts';

let model: Transformer;

beforeAll(async () => {
  model = await Transformer.open(join(import.meta.dirname, '../../../fixtures/parity/gpt2'));
});

afterAll(() => model?.release());

function randomPrompts(count: number, length: number): Int32Array[] {
  const random = seededRandom(`${count}x${length}`);
  return Array.from({ length: count }, () => Int32Array.from({ length }, () => random.int(101)));
}

/** Mean of −log p(next token) over all prompts and positions but the last. */
function plainLoss(logits: ArrayLike<number>, prompts: readonly Int32Array[]): number {
  const rows = rowsOf(logits, 101);
  const losses: number[] = [];
  for (const [b, prompt] of prompts.entries()) {
    for (let position = 0; position + 1 < prompt.length; position++) {
      const row = rows[b * prompt.length + position]!;
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
      losses.push(-Math.log(Math.exp(row[prompt[position + 1]!]!) / sum));
    }
  }
  return losses.reduce((total, loss) => total + loss, 0) / losses.length;
}

describe('measureSae', () => {
  it.each([
    [
      'a residual stream',
      { hookName: 'blocks.1.hook_resid_post', architecture: 'jumprelu', dIn: 32, dSae: 24 },
    ],
    ['heads', { hookName: 'blocks.0.attn.hook_z', reshapeActivations: 'hook_z', dIn: 32, dSae: 24 }],
  ] as const)('agrees with the formulas on %s, over several batches', async (_, changes) => {
    const config: SaeConfig = saeConfig(changes);
    const { folder, weights } = await randomSae(config, config.hookName);
    const sae = new SparseAutoencoder(folder);
    onTestFinished(() => sae.release());
    const tokens = randomPrompts(18, 5);
    const hook = config.hookName;
    const clean = await model.run({ tokens, capture: [hook] });
    const value = clean.hooks.get(hook)!;
    const x = rowsOf(floatsOf(value), 32);
    const encoded = x.map((row) => plainEncode(row, config, weights));
    const rebuilt = encoded.map((row) => plainDecode(row, config, weights));
    const mean = x[0]!.map((__, d) => x.reduce((sum, row) => sum + row[d]!, 0) / x.length);
    const squares = (rows: number[][], from: (r: number) => number[]) =>
      rows.reduce((sum, row, r) => sum + row.reduce((s, v, d) => s + (v - from(r)[d]!) ** 2, 0), 0);
    const loss = async (add: number | Float32Array) => {
      const edit = { hook, keep: 0, add: typeof add === 'number' ? add : floatValue(add, value.dims) };
      return plainLoss(floatsOf((await model.run({ tokens, edits: [edit] })).logits!), tokens);
    };
    const [zero, spliced] = [await loss(0), await loss(Float32Array.from(rebuilt.flat()))];
    const expectedLoss = (zero - spliced) / (zero - plainLoss(floatsOf(clean.logits!), tokens));
    const seen = new Set(encoded.flatMap(({ features }) => features.flatMap((f, i) => (f > 0 ? [i] : []))));
    const active = encoded.flatMap(({ features }) => features.filter((f) => f > 0)).length;

    const steps: Progress[] = [];
    const metrics = await measureSae(model, sae, tokens, { report: (step) => steps.push(step) });
    expect(metrics.tokens).toBe(90);
    expect(metrics.l0).toBeCloseTo(active / 90, 6);
    expect(metrics.deadFraction).toBeCloseTo((24 - seen.size) / 24, 6);
    expect(metrics.explainedVariance).toBeCloseTo(
      1 - squares(x, (r) => rebuilt[r]!) / squares(x, () => mean),
      4,
    );
    expect(metrics.ceRecovered / expectedLoss).toBeCloseTo(1, 3);
    expect(steps.map(({ done, total }) => [done, total])).toEqual([
      [16, 18],
      [18, 18],
    ]);
  });

  it('counts features that never fire as dead', async () => {
    const config = saeConfig({ architecture: 'topk', k: 1, dIn: 32, dSae: 50 });
    const { folder } = await randomSae(config, 'dead');
    const sae = new SparseAutoencoder(folder);
    onTestFinished(() => sae.release());
    const metrics = await measureSae(model, sae, randomPrompts(2, 4));
    expect(metrics.l0).toBeLessThanOrEqual(1);
    // Eight tokens with one feature each leave at least 42 of 50 dead.
    expect(metrics.deadFraction).toBeGreaterThanOrEqual(42 / 50);
    expect(metrics.deadFraction).toBeLessThan(1);
  });

  it('can be cancelled', async () => {
    const { folder } = await randomSae(saeConfig({ dIn: 32 }), 'cancelled');
    const sae = new SparseAutoencoder(folder);
    onTestFinished(() => sae.release());
    const controller = new AbortController();
    const report = () => controller.abort();
    const measuring = measureSae(model, sae, randomPrompts(40, 3), { signal: controller.signal, report });
    expect((await failure(measuring)).code).toBe('cancelled');
  });
});

describe('meanLoss', () => {
  it('is the mean cross-entropy of the next token, also for large logits', () => {
    const tokens = [Int32Array.of(1, 0, 2), Int32Array.of(2, 2, 1)];
    const logits = Float32Array.from({ length: 2 * 3 * 101 }, (_, i) => ((i * 37) % 19) / 4);
    expect(meanLoss(floatValue(logits, [2, 3, 101]), tokens)).toBeCloseTo(plainLoss(logits, tokens), 5);
    const shifted = logits.map((logit) => logit + 1024);
    expect(meanLoss(floatValue(shifted, [2, 3, 101]), tokens)).toBeCloseTo(plainLoss(logits, tokens), 3);
  });
});
