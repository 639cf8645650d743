/** Where weights are used: in place or converted, by memory, size and disk; and that both give the same numbers. */
import { copyFile, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WeightFiles } from '../../../../src/engine/files/safetensorsFolder.ts';
import { conversionFolder } from '../../../../src/engine/model/convertedWeights.ts';
import { openModelFiles } from '../../../../src/engine/model/modelFiles.ts';
import { placedWeights } from '../../../../src/engine/model/placedWeights.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { tinyConfig, tinyWeights, writeTinyGpt2 } from '../../../fixtures/tinyGpt2.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const files = (path: string): WeightFiles => ({ path, files: [], tensors: new Map() });

/** Which way is taken for a model of `widened` bytes of 16-bit weights once they are float32. */
async function way(widened: number, memory: number, converted = async () => files('converted')) {
  const size = { path: '/m', float32Bytes: widened, widenedBytes: widened };
  const places = { size, inPlace: async () => files('in place'), converted };
  return (await placedWeights(places, { memory })).path;
}

const full = async () => {
  throw new EngineError('disk.full', { path: '/m', folder: '/f', needed: '1', available: '0' });
};

describe('16-bit weights', () => {
  it('are used in place when they are few and memory suffices, else converted', async () => {
    expect(await way(100e6, 1e9)).toBe('in place');
    expect(await way(100e6, 200e6)).toBe('converted');
    expect(await way(5e9, 100e9)).toBe('converted');
  });

  it('are used in place when there is no disk for a conversion but memory suffices', async () => {
    expect(await way(5e9, 100e9, full)).toBe('in place');
    expect((await failure(way(5e9, 8e9, full))).code).toBe('disk.full');
  });

  it('are not converted when not even that would fit into memory', async () => {
    let isConverted = false;
    const converting = way(5e9, 6e9, async () => {
      isConverted = true;
      return files('converted');
    });
    expect(await failure(converting)).toMatchObject({ code: 'model.tooLarge', data: { needed: '6.5 GB' } });
    expect(isConverted).toBe(false);
  });
});

/** A tiny model stored as bfloat16: the upper halves of its float32 numbers. */
async function halfModel(): Promise<string> {
  const folder = await writeTinyGpt2(tinyConfig, tinyWeights(tinyConfig, 3));
  const path = join(folder, 'model.safetensors');
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { dtype: string; data_offsets: number[] }
  >;
  for (const [name, tensor] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    tensor.dtype = 'BF16';
    tensor.data_offsets = tensor.data_offsets.map((offset) => offset / 2);
  }
  const data = new Uint16Array(new Uint8Array(bytes.subarray(start)).buffer).filter((_, i) => i % 2 === 1);
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  await writeFile(path, Buffer.concat([length, padded, new Uint8Array(data.buffer)]));
  return folder;
}

async function logits(folder: string, storage: string, memory: number) {
  const model = await Transformer.open(folder, { threads: 1, storage, memory });
  try {
    const { logits } = await model.run({ tokens: [Int32Array.of(3, 1, 4, 1, 5)], logits: 'all' });
    return { logits: Array.from(logits!.data as Float32Array), info: model.info };
  } finally {
    await model.release();
  }
}

describe('a model in 16 bits', () => {
  it('gives the same numbers and facts in place and converted', async () => {
    const folder = await halfModel();
    const storage = join(await temporaryFolder(), 'storage');
    const { float32Bytes } = (await openModelFiles(folder, { storage })).weights;
    const inPlace = await logits(folder, storage, 10 * float32Bytes);
    await expect(readdir(storage)).rejects.toThrow();
    const converted = await logits(folder, storage, 2 * float32Bytes);
    expect(await readdir(join(storage, 'widened'))).toHaveLength(1);
    expect(converted.info).toEqual(inPlace.info);
    expect(converted.info.precision).toBe('bfloat16');
    for (const [i, logit] of converted.logits.entries()) expect(logit).toBeCloseTo(inPlace.logits[i]!, 5);
  });

  it('is refused before anything is written when its config or its shapes are wrong, or it would not fit', async () => {
    const folder = await halfModel();
    const storage = join(await temporaryFolder(), 'storage');
    const { float32Bytes } = (await openModelFiles(folder, { storage })).weights;
    expect((await failure(logits(folder, storage, float32Bytes))).code).toBe('model.tooLarge');
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, n_embd: 2 * config.n_embd }));
    expect((await failure(logits(folder, storage, 2 * float32Bytes))).code).toBe('model.wrongShape');
    await expect(readdir(storage)).rejects.toThrow();
  });
});

const recorded = join(import.meta.dirname, '../../../fixtures/parity/gguf/models/llama-q8_0.gguf');

describe('conversions', () => {
  const place = async (name: string) => {
    const folder = await temporaryFolder();
    const path = join(folder, name);
    await copyFile(recorded, path);
    return { folder, path, storage: join(folder, 'storage') };
  };
  const folderOf = (storage: string, path: string) => conversionFolder(storage, { kind: 'gguf', path });

  it('are not begun for a model that would not fit into memory', async () => {
    const { path, storage } = await place('a.gguf');
    expect((await failure(Transformer.open(path, { storage, memory: 1000 }))).code).toBe('model.tooLarge');
    await expect(stat(storage)).rejects.toThrow();
  });

  it('are removed at the next one when their source is gone or another one', async () => {
    const { folder, path, storage } = await place('a.gguf');
    const [gone, changed, kept] = ['b.gguf', 'c.gguf', 'd.gguf'].map((name) => join(folder, name));
    for (const other of [gone!, changed!, kept!]) {
      await copyFile(recorded, other);
      await openModelFiles(other, { storage });
    }
    await rm(gone!);
    await utimes(changed!, 1, 1);
    await openModelFiles(path, { storage });
    const names = (await readdir(join(storage, 'gguf'))).sort();
    expect(names).toEqual([path, kept!].map((model) => folderOf(storage, model).slice(-16)).sort());
  });

  it('are removed beyond a bound, the one first that was not used for longest, but none that may be open', async () => {
    const { folder, path, storage } = await place('a.gguf');
    const others = ['b.gguf', 'c.gguf', 'd.gguf'].map((name) => join(folder, name));
    for (const other of others) {
      await copyFile(recorded, other);
      await openModelFiles(other, { storage });
    }
    const dayBefore = (days: number) => Date.now() / 1000 - days * 86_400 - 60;
    const record = (model: string) => join(folderOf(storage, model), 'conversion.json');
    await utimes(record(others[0]!), dayBefore(2), dayBefore(2));
    await utimes(record(others[1]!), dayBefore(9), dayBefore(9));
    const { size } = await stat(
      join(folderOf(storage, path), '..', folderOf(storage, others[0]!).slice(-16), 'model.safetensors'),
    );
    await openModelFiles(path, { storage, keptBytes: 3.5 * size });
    const left = async () => {
      const names = new Set(await readdir(join(storage, 'gguf')));
      return [...others, path].map((model) => names.has(folderOf(storage, model).slice(-16)));
    };
    expect(await left()).toEqual([true, false, true, true]);
    const last = join(folder, 'e.gguf');
    await copyFile(recorded, last);
    await openModelFiles(last, { storage, keptBytes: 1 });
    expect(await left()).toEqual([false, false, true, true]);
  });

  it('of one model that two processes want are made once, and both can use them', async () => {
    const { path, storage } = await place('a.gguf');
    const seen: number[] = [];
    const report = ({ done }: { readonly done: number }) => seen.push(done);
    const [one, other] = await Promise.all([
      openModelFiles(path, { storage, report }),
      openModelFiles(path, { storage, report }),
    ]);
    const { float32Bytes } = one.weights;
    expect(seen.filter((done) => done === float32Bytes)).toHaveLength(1);
    expect(one.weights.parameters).toBe(other.weights.parameters);
    expect((await readdir(join(storage, 'gguf'))).filter((name) => name.endsWith('.lock'))).toEqual([]);
    const model = await Transformer.open(path, { threads: 1, storage });
    await model.run({ tokens: [Int32Array.of(3, 1)], logits: 'last' });
    await model.release();
  });
});
