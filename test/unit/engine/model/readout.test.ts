/** Predictions read off the residual stream against a plain softmax and sort of the model's logits. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { Readout } from '../../../../src/engine/model/readout.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';

const dVocab = 101;
const tokens = Int32Array.of(48, 87, 1, 44, 58, 79, 42);

let model: Transformer;
let readout: Readout;
let residual: Float32Array;
let rows: number[][];

beforeAll(async () => {
  model = await Transformer.open(join(import.meta.dirname, '../../../fixtures/parity/gpt2'));
  readout = new Readout(model.graph, model.config);
  const run = await model.run({ tokens: [tokens] });
  residual = floatsOf(run.residuals[3]!);
  const logits = floatsOf(run.logits!);
  rows = Array.from(tokens, (_, p) => [...logits.subarray(p * dVocab, (p + 1) * dVocab)]);
});

afterAll(async () => {
  await readout?.release();
  await model?.release();
});

describe('a Readout', () => {
  it('gives the best tokens, the log of the softmax denominator, and the logits of targets', async () => {
    const targets = Int32Array.from(tokens, (_, p) => (p * 31) % dVocab);
    const { k, ids, logits, logSumExp, targetLogits } = await readout.predict(residual, 5, targets);
    expect(k).toBe(5);
    expect(ids).toHaveLength(tokens.length * 5);
    for (const [p, row] of rows.entries()) {
      const ranked = row.map((logit, id) => ({ logit, id })).sort((a, b) => b.logit - a.logit);
      expect([...ids.subarray(p * 5, p * 5 + 5)]).toEqual(ranked.slice(0, 5).map(({ id }) => id));
      for (let i = 0; i < 5; i++) expect(logits[p * 5 + i]).toBeCloseTo(ranked[i]!.logit, 4);
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
      expect(logSumExp[p]).toBeCloseTo(Math.log(sum), 4);
      const probability = Math.exp(targetLogits[p]! - logSumExp[p]!);
      expect(probability).toBeCloseTo(Math.exp(row[targets[p]!]!) / sum, 5);
    }
  });

  it('takes any number of rows and gives no more tokens than there are', async () => {
    const last = residual.subarray(residual.length - 32);
    const { k, ids, targetLogits } = await readout.predict(last, 500);
    expect(k).toBe(dVocab);
    expect(new Set(ids).size).toBe(dVocab);
    expect(targetLogits).toHaveLength(1);
    expect(ids[0]).toBe(rows.at(-1)!.indexOf(Math.max(...rows.at(-1)!)));
  });
});
