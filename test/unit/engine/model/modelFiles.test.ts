/** What a model comes down to: its name and hash, weights in shards, and files that are no model. */
import { mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import type { Value } from '../../../../src/engine/graph/value.ts';
import { openModelFiles } from '../../../../src/engine/model/modelFiles.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { type TinyModel, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

let tiny: TinyModel;

beforeAll(async () => {
  tiny = await writeTinyModel(5);
});

afterAll(() => tiny?.remove());

/** The tiny model once more, its tensors dealt out over three shards. */
async function sharded(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    await writeFile(join(folder, name), await readFile(join(tiny.folder, name)));
  }
  const whole = await openSafetensors(join(tiny.folder, 'model.safetensors'));
  const shards: Record<string, Value>[] = [{}, {}, {}];
  const weight_map: Record<string, string> = {};
  const shardName = (i: number) => `model-0000${i + 1}-of-00003.safetensors`;
  for (const [i, name] of [...whole.tensors.keys()].entries()) {
    shards[i % 3]![name] = await whole.read(name);
    weight_map[name] = shardName(i % 3);
  }
  for (const [i, tensors] of shards.entries()) await writeSafetensors(join(folder, shardName(i)), tensors);
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
  return folder;
}

async function logits(folder: string): Promise<readonly number[]> {
  const model = await Transformer.open(folder, { threads: 1 });
  try {
    const result = await model.run({ tokens: [Int32Array.of(3, 1, 4, 1, 5)], logits: 'last' });
    return Array.from(result.logits!.data as Float32Array);
  } finally {
    await model.release();
  }
}

const ggufModels = join(import.meta.dirname, '../../../fixtures/parity/gguf/models');

describe('openModelFiles', () => {
  it('gives config, weights and tokenizer of a folder', async () => {
    const files = await openModelFiles(tiny.folder);
    expect(files.path).toBe(tiny.folder);
    expect(files.name).toBe(basename(tiny.folder));
    expect(files.config).toMatchObject({
      path: join(tiny.folder, 'config.json'),
      content: { model_type: 'gpt2' },
    });
    expect(files.hash).toMatch(/^[0-9a-f]{16}$/);
    const { size } = await openSafetensors(join(tiny.folder, 'model.safetensors')).then(
      async ({ tensors }) => ({
        size: [...tensors.values()].reduce((sum, { length }) => sum + length, 0),
      }),
    );
    expect(files.weights.float32Bytes).toBe(size);
    expect((await files.readTokenizer()).tokenizer.model.type).toBe('BPE');
  });

  it('calls a folder of the Hugging Face cache by its repository', async () => {
    const snapshot = join(await temporaryFolder(), 'models--some--model-1', 'snapshots', 'abcdef');
    await mkdir(snapshot, { recursive: true });
    for (const name of ['config.json', 'model.safetensors']) {
      await writeFile(join(snapshot, name), await readFile(join(tiny.folder, name)));
    }
    const files = await openModelFiles(snapshot);
    expect(files.name).toBe('some/model-1');
    expect(files.hash).toBe((await openModelFiles(tiny.folder)).hash);
    expect((await failure(files.readTokenizer())).code).toBe('tokenizer.missing');
  });

  it('calls a GGUF file of the Hugging Face cache by its name, and knows it by the blob behind it', async () => {
    const cache = join(await temporaryFolder(), 'models--some--model-GGUF');
    const [blob, snapshot] = [join(cache, 'blobs', 'ab'.repeat(32)), join(cache, 'snapshots', 'abcdef')];
    await mkdir(join(cache, 'blobs'), { recursive: true });
    await mkdir(snapshot, { recursive: true });
    await writeFile(blob, await readFile(join(ggufModels, 'llama.gguf')));
    await symlink(`../../blobs/${'ab'.repeat(32)}`, join(snapshot, 'Small.Q4_1.gguf'));
    const files = await openModelFiles(join(snapshot, 'Small.Q4_1.gguf'));
    expect(files).toMatchObject({ name: 'Small.Q4_1', path: join(snapshot, 'Small.Q4_1.gguf') });
    expect(files.id).toBe(await realpath(blob));
  });

  it('runs a model in shards like the same model in one file', async () => {
    expect(await logits(await sharded())).toEqual(await logits(tiny.folder));
  });

  it('gives another hash when the config, the index or a shard is another one', async () => {
    const folder = await sharded();
    const hashes = new Set([(await openModelFiles(folder)).hash]);
    const config = join(folder, 'config.json');
    await writeFile(config, `${await readFile(config, 'utf8')}\n`);
    hashes.add((await openModelFiles(folder)).hash);
    const index = join(folder, 'model.safetensors.index.json');
    await writeFile(index, `${await readFile(index, 'utf8')}\n`);
    hashes.add((await openModelFiles(folder)).hash);
    const shard = join(folder, 'model-00003-of-00003.safetensors');
    const bytes = await readFile(shard);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(shard, bytes);
    hashes.add((await openModelFiles(folder)).hash);
    expect(hashes.size).toBe(4);
  });

  it('asks for one of several GGUF files of a folder', async () => {
    const folder = await temporaryFolder();
    for (const name of ['b.gguf', 'a.GGUF']) await writeFile(join(folder, name), 'x');
    const error = await failure(openModelFiles(folder));
    expect(error.code).toBe('request.invalid');
    expect(error.message).toMatch(/2 GGUF files.*a\.GGUF, b\.gguf/);
  });

  it('refuses a file that is no GGUF file, and what is not there', async () => {
    const path = join(tiny.folder, 'model.safetensors');
    expect((await failure(openModelFiles(path))).message).toMatch(/first four bytes should be GGUF/);
    expect((await failure(openModelFiles(join(tiny.folder, 'none')))).code).toBe('file.missing');
  });

  it('asks to convert a folder whose weights could run code', async () => {
    const folder = await sharded();
    await rm(join(folder, 'model.safetensors.index.json'));
    await writeFile(join(folder, 'pytorch_model.bin'), 'x');
    expect((await failure(openModelFiles(folder))).code).toBe('model.notSafetensors');
  });
});
