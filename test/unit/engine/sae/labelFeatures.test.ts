/** Counts and labels of features against plain counting on a text small enough to count by hand. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { openSaeLens, writeSaeLens } from '../../../../src/engine/sae/formats/saelens.ts';
import { labelFeatures } from '../../../../src/engine/sae/labelFeatures.ts';
import { SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import { plainGpt2 } from '../../../fixtures/plainGpt2.ts';
import {
  plainActivations,
  reluHook,
  type TinyModel,
  tinyDSae,
  tinySaeConfig,
  writeTinyModel,
} from '../../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const tokenText = (id: number) => (id === 9 ? '\n' : ` w${id}`);
let tiny: TinyModel;
let model: Transformer;

beforeAll(async () => {
  tiny = await writeTinyModel(4);
  model = await Transformer.open(tiny.folder, { threads: 1 });
});

afterAll(async () => {
  await model?.release();
  await tiny?.remove();
});

/** An SAE on the token embedding whose feature f is the product with the f-th token's own embedding, above a bound. */
async function tokenDetectors(tokens: readonly number[], bound: number): Promise<SparseAutoencoder> {
  const wte = tiny.weights.get('wte.weight')!.data;
  const W_enc = new Float32Array(12 * tinyDSae);
  const b_enc = new Float32Array(tinyDSae).fill(-1e6);
  tokens.forEach((token, f) => {
    const row = wte.subarray(token * 12, (token + 1) * 12);
    const square = row.reduce((sum, x) => sum + x * x, 0);
    row.forEach((x, d) => {
      W_enc[d * tinyDSae + f] = x / square;
    });
    b_enc[f] = -bound;
  });
  const path = await temporaryFolder();
  const config = { ...tinySaeConfig('hook_embed'), architecture: 'standard' as const };
  await writeSaeLens(path, config, {
    W_enc: floatValue(W_enc, [12, tinyDSae]),
    b_enc: floatValue(b_enc),
    W_dec: floatValue(new Float32Array(12 * tinyDSae), [tinyDSae, 12]),
    b_dec: floatValue(new Float32Array(12)),
  });
  return new SparseAutoencoder(await openSaeLens(path));
}

describe('labelFeatures', () => {
  it('counts how often and how strongly each feature fires', async () => {
    const random = seededRandom('rows');
    const rows = Array.from({ length: 19 }, () => Int32Array.from({ length: 6 }, () => random.int(400)));
    const sae = new SparseAutoencoder(await openSaeLens(join(tiny.folder, 'saes', reluHook)));
    const found = await labelFeatures(model, sae, rows, tokenText);
    const count = new Array<number>(tinyDSae).fill(0);
    const most = new Array<number>(tinyDSae).fill(0);
    for (const row of rows) {
      plainGpt2(tiny.config, tiny.weights, [...row], (name, { data }) => {
        if (name !== reluHook) return;
        for (let p = 0; p < row.length; p++) {
          plainActivations(tiny.saes.get(reluHook)!, data.subarray(p * 12, (p + 1) * 12)).forEach((x, f) => {
            if (x > 0) count[f]!++;
            most[f] = Math.max(most[f]!, x);
          });
        }
      });
    }
    expect(found.tokens).toBe(19 * 6);
    for (let f = 0; f < tinyDSae; f++) {
      expect(found.density[f]).toBeCloseTo(count[f]! / (19 * 6), 3);
      expect(Math.abs(found.maxActivation[f]! - most[f]!)).toBeLessThan(1e-3 * Math.max(1, most[f]!));
    }
    expect(found.labels.map((label) => label !== '')).toEqual(count.map((n) => n > 0));
    await sae.release();
  });

  it('names the tokens that a feature fires on, what came before when it is one, and nothing when it is silent', async () => {
    const sae = await tokenDetectors([7, 9], 0.95);
    const rows = [
      [7, 300, 200, 7],
      [300, 7, 9, 300],
      [200, 300, 7, 200],
    ].map((ids) => Int32Array.from(ids));
    const { labels, labelSource, density } = await labelFeatures(model, sae, rows, tokenText);
    // Token 7 stood after 200 and 300 (twice); 9 is a line break, shown as such.
    expect(labels[0]).toMatch(/^w7 after w300 .*w200$/);
    expect(labels[1]).toBe('"\\n" after w7');
    expect(labels.slice(2)).toEqual(new Array(tinyDSae - 2).fill(''));
    expect(density.slice(0, 3)).toEqual([0.3333, 0.08333, 0]);
    expect(labelSource).toBe('most active tokens');
    await sae.release();
  });

  it('names several tokens when none of them stands for the feature alone', async () => {
    const sae = await tokenDetectors([7], -100);
    const rows = [[7, 300, 200, 9, 8]].map((ids) => Int32Array.from(ids));
    const { labels } = await labelFeatures(model, sae, rows, tokenText);
    expect(labels[0]).toMatch(/^w7 /);
    expect(labels[0]!.endsWith('…')).toBe(true);
    expect(labels[0]).not.toContain('after');
    const signal = AbortSignal.abort();
    expect((await failure(labelFeatures(model, sae, rows, tokenText, { signal }))).code).toBe('cancelled');
    await sae.release();
  });
});
