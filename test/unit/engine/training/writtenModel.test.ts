/** A model that was trained and written computes in the runtime what it computed in training. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import { meanLoss } from '../../../../src/engine/sae/metrics.ts';
import { languageModelTask } from '../../../../src/engine/training/languageModel.ts';
import { writeLanguageModel } from '../../../../src/engine/training/mini/trainLanguageModel.ts';
import { train } from '../../../../src/engine/training/trainer.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const shape = { nLayers: 2, nHeads: 2, dModel: 16, dMlp: 32, dVocab: 400, nContext: 12, layerNormEps: 1e-5 };
const [rows, rowLength] = [5, 11];
const optimizer = { learningRate: { kind: 'constant' as const, peak: 1e-2, warmup: 0 }, clipNorm: 1 };

describe('writeLanguageModel', () => {
  it('writes what the runtime reads, to the same loss on the same batch', async () => {
    const random = seededRandom('data');
    // A pattern that can be learned, so that the weights move far from where they began.
    const starts = Array.from({ length: rows }, () => random.int(400));
    const batch = Int32Array.from({ length: rows * (rowLength + 1) }, (_, i) => {
      return (starts[Math.floor(i / (rowLength + 1))]! + 7 * (i % (rowLength + 1))) % 400;
    });
    const task = { shape, rows, rowLength, random: seededRandom('weights'), tokens: () => batch };
    const { parameters, metrics } = await train(languageModelTask(task), {
      steps: 30,
      optimizer,
      threads: 1,
    });
    const again = await train(languageModelTask({ ...task, initial: parameters }), {
      steps: 1,
      optimizer,
      threads: 1,
    });
    expect(again.metrics.loss).toBeLessThan(metrics.loss!);
    expect(again.metrics.loss).toBeLessThan(4);

    const folder = await temporaryFolder();
    await writeLanguageModel(folder, shape, parameters);
    const tokenizer = join(import.meta.dirname, '../../../fixtures/parity/tokenizer/tokenizer.json');
    await copyFile(tokenizer, join(folder, 'tokenizer.json'));
    const model = await Transformer.open(folder, { threads: 1 });
    const tokens = Array.from({ length: rows }, (_, r) =>
      batch.slice(r * (rowLength + 1), (r + 1) * (rowLength + 1)),
    );
    const { logits } = await model.run({ tokens });
    expect(Math.abs(meanLoss(logits!, tokens) - again.metrics.loss!)).toBeLessThan(1e-4);
    expect(model.info).toMatchObject({
      family: 'gpt2',
      nLayers: 2,
      nHeads: 2,
      dModel: 16,
      dMlp: 32,
      nContext: 12,
    });
    await model.release();
  });
});
