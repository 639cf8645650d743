/**
 * Models of every architecture, written as llama.cpp's converter does (test/parity/record_gguf_models.py): their weights
 * come out to the bit as Hugging Face stores them, and the models compute what Hugging Face's do.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openGguf } from '../../../../../src/engine/files/gguf.ts';
import { ggufArchitectures } from '../../../../../src/engine/model/gguf/ggufArchitectures.ts';
import { GgufMetadata } from '../../../../../src/engine/model/gguf/ggufMetadata.ts';
import { ggufNumbers } from '../../../../../src/engine/model/gguf/ggufNumbers.ts';
import { nameTensors } from '../../../../../src/engine/model/gguf/ggufTensors.ts';
import { openModelFiles } from '../../../../../src/engine/model/modelFiles.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { temporaryFolder } from '../../../temporaryFolder.ts';

const folder = join(import.meta.dirname, '../../../../fixtures/parity/gguf');

interface Recorded {
  readonly tensors: Readonly<Record<string, { shape: readonly number[]; sha256: string }>>;
  readonly logits: readonly number[];
}

const { tokens, models }: { tokens: readonly number[]; models: Readonly<Record<string, Recorded>> } =
  JSON.parse(readFileSync(join(folder, 'models.json'), 'utf8'));
const names = Object.keys(models);
const fileOf = (name: string) => join(folder, 'models', `${name}.gguf`);

async function tensorsOf(name: string) {
  const gguf = await openGguf(fileOf(name));
  const metadata = new GgufMetadata(gguf);
  const heads = metadata.requireCount('.attention.head_count');
  const named = nameTensors(gguf, ggufArchitectures[metadata.architecture]!, {
    architecture: metadata.architecture,
    layers: metadata.requireCount('.block_count'),
    heads,
    keyHeads: metadata.count('.attention.head_count_kv') ?? heads,
    headSize: metadata.count('.attention.key_length') ?? metadata.requireCount('.embedding_length') / heads,
  });
  return { gguf, named };
}

describe('a GGUF file', () => {
  it('of every architecture that can be opened has been recorded', async () => {
    const architectures = new Set(names.map((name) => name.split('-')[0]));
    expect([...architectures].sort()).toEqual(Object.keys(ggufArchitectures).sort());
  });

  it.each(names)('of %s holds the weights of the Hugging Face model under their names', async (name) => {
    const { gguf, named } = await tensorsOf(name);
    const found: Record<string, { shape: readonly number[]; sha256: string }> = {};
    for (const tensor of named) {
      const hash = createHash('sha256');
      for await (const piece of ggufNumbers(gguf, tensor)) {
        hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
      }
      found[tensor.name] = { shape: tensor.shape, sha256: hash.digest('hex').slice(0, 16) };
    }
    expect(found).toEqual(models[name]!.tensors);
  });

  it.each(names)('of %s gives the logits of the Hugging Face model', async (name) => {
    const storage = await temporaryFolder();
    const model = await Transformer.open(fileOf(name), { threads: 1, storage });
    try {
      const { logits } = await model.run({ tokens: [Int32Array.from(tokens)], logits: 'last' });
      const worst = Math.max(
        ...models[name]!.logits.map((logit, i) => Math.abs(logit - Number(logits!.data[i]))),
      );
      expect(logits!.data.length).toBe(models[name]!.logits.length);
      expect(worst).toBeLessThan(1e-4 * Math.max(1, ...models[name]!.logits.map(Math.abs)));
    } finally {
      await model.release();
    }
    // Quantised weights, and those that are laid out otherwise for the most part; all others are used in place.
    const converted = (await readdir(storage)).length > 0;
    expect(converted).toBe(['llama', 'llama-q8_0', 'gpt2', 'gptneox'].includes(name));
  });

  it('alone in a folder is the model of that folder', async () => {
    const place = await temporaryFolder();
    await copyFile(fileOf('qwen2'), join(place, 'some.gguf'));
    const { path, config } = await openModelFiles(place, { storage: join(place, 'storage') });
    expect(path).toBe(place);
    expect(config.content).toMatchObject({ model_type: 'qwen2', num_hidden_layers: 2 });
  });
});
