// The embedded model against what transformers and SAELens read from the same files (recorded by check_mini.py).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoadedModel } from '../../src/engine/loadedModel.ts';
import { logSoftmax } from '../../src/engine/predictions.ts';
import { openSaeLens } from '../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../src/engine/sae/sparseAutoencoder.ts';

interface Recorded {
  readonly modelSha256: string;
  readonly tokenizations: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly predictions: readonly {
    readonly prompt: string;
    readonly ids: readonly number[];
    readonly top: readonly { readonly id: number; readonly token: string; readonly logProb: number }[];
  }[];
  readonly saes: readonly {
    readonly folder: string;
    readonly hook: string;
    readonly prompts: readonly {
      readonly prompt: string;
      readonly top: readonly { readonly index: number; readonly activation: number }[];
    }[];
  }[];
}

const folder = 'models/mini';
const recorded: Recorded = JSON.parse(readFileSync('test/fixtures/parity/mini.json', 'utf8'));

describe('the embedded model', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await LoadedModel.open(folder);
  });
  afterAll(() => model.release());

  it('is the one whose values were recorded', () => {
    const hash = createHash('sha256').update(readFileSync(join(folder, 'model.safetensors')));
    expect(hash.digest('hex')).toBe(recorded.modelSha256);
  });

  it('gives the ids of Hugging Face for every text', () => {
    expect(recorded.tokenizations.length).toBeGreaterThan(15);
    for (const { text, ids } of recorded.tokenizations) {
      expect(Array.from(model.tokenizer.encode(text).ids), text).toEqual(ids);
    }
  });

  it('predicts what transformers predicts', async () => {
    for (const { prompt, ids, top } of recorded.predictions) {
      const { logits } = await model.transformer.run({ tokens: [Int32Array.from(ids)], logits: 'last' });
      const logProbabilities = logSoftmax(logits!.data as Float32Array);
      for (const { id, logProb } of top) expect(logProbabilities[id], prompt).toBeCloseTo(logProb, 3);
    }
  });

  it('has the strongest features that SAELens finds', async () => {
    expect(recorded.saes).toHaveLength(12);
    for (const { folder: name, hook, prompts } of recorded.saes) {
      const sae = new SparseAutoencoder(await openSaeLens(join(folder, name)));
      for (const { prompt, top } of prompts) {
        const { ids } = model.tokenizer.encode(prompt);
        const run = await model.transformer.run({ tokens: [ids], capture: [hook], logits: 'none' });
        const { k, indices, activations } = await sae.strongest(run.hooks.get(hook)!, top.length);
        const last = (ids.length - 1) * k;
        expect(Array.from(indices.slice(last)), `${hook}: ${prompt}`).toEqual(top.map(({ index }) => index));
        top.forEach(({ activation }, i) => {
          expect(activations[last + i], hook).toBeCloseTo(activation, 2);
        });
      }
      await sae.release();
    }
  });
});
