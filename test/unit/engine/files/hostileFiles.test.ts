/** What an attacker puts in place of a file or inside one, each attack by its name, against every reader it reaches. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { openGguf } from '../../../../src/engine/files/gguf.ts';
import { readJson } from '../../../../src/engine/files/json.ts';
import { readJsonLines } from '../../../../src/engine/files/jsonLines.ts';
import { openNpz } from '../../../../src/engine/files/npz.ts';
import { openTensorFile } from '../../../../src/engine/files/openTensorFile.ts';
import { openSafetensors, writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { openSafetensorsFolder } from '../../../../src/engine/files/safetensorsFolder.ts';
import { openTorch } from '../../../../src/engine/files/torchFile.ts';
import { openLegacyTorch } from '../../../../src/engine/files/torchLegacyFile.ts';
import { sampleWeights } from '../../../../src/engine/files/weightsSample.ts';
import { openZip } from '../../../../src/engine/files/zip.ts';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import { placeWeights } from '../../../../src/engine/graph/weights.ts';
import { readModelConfig } from '../../../../src/engine/model/config.ts';
import { readTokenizerFiles } from '../../../../src/engine/model/tokenizerFile.ts';
import { openSae } from '../../../../src/engine/sae/formats/registry.ts';
import { readYaml } from '../../../../src/engine/sae/formats/yamlFile.ts';
import { ggufBytes } from '../../../fixtures/ggufBytes.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const parity = join(import.meta.dirname, '../../../fixtures/parity');

async function firstLine(path: string): Promise<unknown> {
  for await (const line of readJsonLines(path)) return line;
  return undefined;
}

const readers: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
  ['openSafetensors', openSafetensors],
  ['openTensorFile', openTensorFile],
  ['openNpz', openNpz],
  ['openTorch', openTorch],
  ['openLegacyTorch', openLegacyTorch],
  ['openZip', openZip],
  ['openGguf', openGguf],
  ['sampleWeights', (path) => sampleWeights(path, () => undefined)],
  ['readJson', (path) => readJson(path, v.unknown())],
  ['readYaml', (path) => readYaml(path, v.unknown())],
  ['readJsonLines', firstLine],
];

describe.each(readers)('%s', (_, read) => {
  it('refuses a pipe without waiting for its other end', async () => {
    const path = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(await failure(read(path))).toMatchObject({
      code: 'file.malformed',
      data: { path, field: 'file' },
    });
  });

  it('refuses a device, and a link to one', async () => {
    const link = join(await temporaryFolder(), 'link');
    await symlink('/dev/zero', link);
    for (const path of ['/dev/zero', link]) {
      expect(await failure(read(path))).toMatchObject({ code: 'file.malformed', data: { field: 'file' } });
    }
  });

  it('refuses a folder', async () => {
    const path = await temporaryFolder();
    expect(await failure(read(path))).toMatchObject({
      code: 'file.malformed',
      data: { path, field: 'file' },
    });
  });

  it('tells a file that is not there, and a circle of links', async () => {
    const folder = await temporaryFolder();
    expect((await failure(read(join(folder, 'gone')))).code).toBe('file.missing');
    await symlink(join(folder, 'b'), join(folder, 'a'));
    await symlink(join(folder, 'a'), join(folder, 'b'));
    expect((await failure(read(join(folder, 'a')))).code).toBe('file.unreadable');
  });
});

describe('sizes that a file only claims', () => {
  /** A file of 2^40 bytes that takes none on the disk. */
  async function sparse(start: Uint8Array): Promise<string> {
    const path = join(await temporaryFolder(), 'sparse');
    await writeFile(path, start);
    await truncate(path, 2 ** 40);
    return path;
  }

  async function growth(work: () => Promise<unknown>): Promise<number> {
    const before = process.memoryUsage().rss;
    await work();
    return process.memoryUsage().rss - before;
  }

  it('are not allocated for a tensor of a terabyte in a file that has one', async () => {
    const length = 2 ** 40 - 4096;
    const header = JSON.stringify({
      a: { dtype: 'F32', shape: [length / 4], data_offsets: [0, length] },
    }).padEnd(4088);
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(4088n);
    const path = await sparse(Buffer.concat([start, Buffer.from(header)]));
    const file = await openSafetensors(path);
    const grown = await growth(async () => {
      expect(await failure(file.read('a'))).toMatchObject({ code: 'file.unreadable', data: { path } });
    });
    expect(grown).toBeLessThan(64 * 2 ** 20);
  });

  it('are not allocated for headers, pickles and directories of a terabyte', async () => {
    const starts = [
      Buffer.from('PK\x03\x04'),
      Buffer.from('8002 8a0a 6cfc9c46f9206aa85019 2e'.replaceAll(' ', ''), 'hex'),
      Buffer.concat([Buffer.from('ffffffffff000000', 'hex'), Buffer.from('{')]),
    ];
    for (const start of starts) {
      const path = await sparse(start);
      const grown = await growth(async () => {
        expect((await failure(openTensorFile(path))).code).toBe('file.malformed');
        await sampleWeights(path, () => undefined);
      });
      expect(grown).toBeLessThan(128 * 2 ** 20);
    }
    const json = await sparse(Buffer.from('{'));
    expect(await failure(readJson(json, v.unknown()))).toMatchObject({ data: { field: 'file size' } });
    expect(await failure(readYaml(json, v.unknown()))).toMatchObject({ data: { field: 'file size' } });
  });

  it('are not allocated for a GGUF file that counts 2^60 tensors or entries', async () => {
    for (const at of [8, 16]) {
      const bytes = ggufBytes({ 'general.architecture': { type: 'text', value: 'llama' } }, []);
      bytes.writeBigUInt64LE(2n ** 60n, at);
      const path = join(await temporaryFolder(), 'a.gguf');
      await writeFile(path, bytes);
      const grown = await growth(async () => {
        expect((await failure(openGguf(path))).code).toBe('file.malformed');
      });
      expect(grown).toBeLessThan(64 * 2 ** 20);
    }
  });

  it('are refused in a GGUF file whose shape overflows or whose tensors overlap', async () => {
    const data = new Uint8Array(128);
    const part = (name: string, dims: readonly number[]) => ({ name, dims, type: 0, data });
    const huge = 2 ** 52;
    const cases: readonly [Buffer, string][] = [
      [ggufBytes({}, [part('a', [huge, huge])]), 'a.offset'],
      [ggufBytes({}, [part('a', [1000])]), 'a.offset'],
    ];
    for (const [bytes, field] of cases) {
      const path = join(await temporaryFolder(), 'a.gguf');
      await writeFile(path, bytes);
      expect(await failure(openGguf(path))).toMatchObject({ code: 'file.malformed', data: { path, field } });
    }
    const overlapping = ggufBytes({}, [part('a', [32]), part('b', [32])]);
    overlapping.writeBigUInt64LE(64n, overlapping.indexOf('b') + 1 + 4 + 8 + 4);
    const path = join(await temporaryFolder(), 'a.gguf');
    await writeFile(path, overlapping);
    expect((await failure(openGguf(path))).message).toMatch(/overlap|behind/);
  });
});

describe('JSON that is made to hurt', () => {
  const file = async (name: string, text: string) => {
    const path = join(await temporaryFolder(), name);
    await writeFile(path, text);
    return path;
  };

  it('is refused when it nests deeper than whoever walks through it can go', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
      ['{"type":"Sequence","normalizers":[', ']}'],
    ] as const) {
      const depth = 50_000;
      const path = await file('a.json', `${open.repeat(depth)}1${close.repeat(depth)}`);
      const error = await failure(readJson(path, v.unknown()));
      expect(error).toMatchObject({ code: 'file.malformed', data: { path, field: 'the content' } });
      expect(error.message).toContain('nests deeper than 100 levels');
    }
  });

  it('is read when brackets stand only inside its texts', async () => {
    const value = { a: '['.repeat(1000), [`"${'{'.repeat(500)}\\`]: '\\"[[', deep: [[[['\\\\']]]] };
    const path = await file('a.json', JSON.stringify(value));
    expect(await readJson(path, v.unknown())).toEqual(value);
  });

  it('is refused by a message of bounded length when a wrong value is a list of lists', async () => {
    const path = await file('a.json', `{"a":${'['.repeat(90)}${']'.repeat(90)}}`);
    const error = await failure(readJson(path, v.object({ a: v.string() })));
    expect(error.data).toMatchObject({ field: 'a', found: '[a list]' });
  });

  it('changes no prototype by keys such as __proto__', async () => {
    const folder = await temporaryFolder();
    const key = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}';
    const config = await readFile(join(parity, 'gpt2', 'config.json'), 'utf8');
    await writeFile(join(folder, 'config.json'), config.replace('{', `{${key},`));
    expect((await readModelConfig(folder)).nLayers).toBeGreaterThan(0);
    const tokenizer = await readFile(join(parity, 'tokenizer', 'tokenizer.json'), 'utf8');
    await writeFile(join(folder, 'tokenizer.json'), tokenizer.replace('{', `{${key},`));
    await readTokenizerFiles(folder);
    await cp(join(parity, 'saes', 'standard'), join(folder, 'sae'), { recursive: true });
    const cfg = join(folder, 'sae', 'cfg.json');
    for (const text of [
      await readFile(cfg, 'utf8'),
      await readFile(join(parity, 'saes', 'legacy_flat', 'cfg.json'), 'utf8'),
    ]) {
      await writeFile(cfg, text.replace('{', `{${key},`));
      expect((await openSae(join(folder, 'sae'))).config.dIn).toBe(32);
    }
    expect('polluted' in {}).toBe(false);
    expect('polluted' in (() => undefined)).toBe(false);
  });

  it('is refused as YAML when it nests without end or its aliases unfold without end', async () => {
    const deep = await file('a.yaml', '['.repeat(100_000));
    expect((await failure(readYaml(deep, v.unknown()))).code).toBe('file.malformed');
    const flow = await file('b.yaml', `${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    expect((await failure(readYaml(flow, v.unknown()))).code).toBe('file.malformed');
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(',')}]`,
    );
    const laughs = await file('c.yaml', `l0: &l0 x\n${levels.join('\n')}\n`);
    expect((await failure(readYaml(laughs, v.unknown()))).code).toBe('file.malformed');
  });
});

describe('names and links that lead elsewhere', () => {
  async function secret(): Promise<string> {
    const path = join(await temporaryFolder(), 'secret.safetensors');
    await writeSafetensors(path, { W: floatValue([1, 2, 3, 4]) });
    return path;
  }

  it.each([
    '../secret.safetensors',
    '/etc/passwd.safetensors',
    'a/../../b.safetensors',
    '..\\b.safetensors',
    'C:b.safetensors',
  ])('are refused in the index of shards: %s', async (name) => {
    const folder = await temporaryFolder();
    await writeFile(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { W: name } }),
    );
    const error = await failure(openSafetensorsFolder(folder));
    expect(error).toMatchObject({
      code: 'file.malformed',
      data: { path: join(folder, 'model.safetensors.index.json') },
    });
  });

  it('are refused when a shard, or the only file of a model, is a link out of its folder', async () => {
    const outside = await secret();
    const folder = await temporaryFolder();
    await symlink(outside, join(folder, 'model-1.safetensors'));
    const index = join(folder, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: { W: 'model-1.safetensors' } }));
    expect((await failure(openSafetensorsFolder(folder))).code).toBe('file.malformed');
    await rename(join(folder, 'model-1.safetensors'), join(folder, 'model.safetensors'));
    expect((await failure(openSafetensorsFolder(folder))).code).toBe('file.malformed');
  });

  it('are refused when weights or config of an SAE are links out of its folder', async () => {
    for (const name of ['sae_weights.safetensors', 'cfg.json', 'sparsity.safetensors']) {
      const outside = await temporaryFolder();
      const folder = join(await temporaryFolder(), 'sae');
      await cp(join(parity, 'saes', 'standard'), folder, { recursive: true });
      await cp(join(folder, name === 'cfg.json' ? name : 'sae_weights.safetensors'), join(outside, 'x'));
      await rename(join(folder, name), join(outside, 'old')).catch(() => undefined);
      await symlink(join(outside, 'x'), join(folder, name));
      expect(await failure(openSae(folder))).toMatchObject({
        code: 'file.malformed',
        data: { expected: 'a file of this folder' },
      });
    }
  });

  it('are followed from a snapshot of the Hugging Face cache to its blobs', async () => {
    const repository = join(await temporaryFolder(), 'models--a--b');
    const snapshot = join(repository, 'snapshots', 'abc', 'sae');
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(repository, 'blobs'));
    for (const name of ['cfg.json', 'sae_weights.safetensors']) {
      await cp(join(parity, 'saes', 'standard', name), join(repository, 'blobs', `blob-${name}`));
      await symlink(join('../../../blobs', `blob-${name}`), join(snapshot, name));
    }
    const sae = await openSae(snapshot);
    expect((await sae.read('b_dec')).length).toBe(32);
  });

  it('never reach the runtime: external data is named by a plain file name in a folder whose links are resolved', async () => {
    const outside = await secret();
    const folder = await temporaryFolder();
    const link = join(folder, 'innocent.safetensors');
    await symlink(outside, link);
    const { offset } = (await openSafetensors(outside)).tensors.get('W')!;
    for (const file of [link, join(folder, '..', basename(folder), 'innocent.safetensors')]) {
      const placed = await placeWeights([{ name: 'W', file, offset, length: 16 }]);
      expect(placed.folder).toBe(join(outside, '..'));
      expect(placed.places.get('W')).toEqual({ fileName: 'secret.safetensors' });
    }
    const beyond = placeWeights([{ name: 'W', file: outside, offset, length: 1000 }]);
    expect(await failure(beyond)).toMatchObject({ code: 'file.malformed', data: { field: 'the length' } });
  });

  it('are refused when the file behind them was replaced since', async () => {
    const file = await secret();
    const { stamp, tensors } = await openSafetensors(file);
    const { offset, length } = tensors.get('W')!;
    await writeSafetensors(file, { W: floatValue([9, 9, 9, 9]), X: floatValue([1]) });
    const placed = placeWeights([{ name: 'W', file, offset, length, stamp }]);
    expect((await failure(placed)).code).toBe('file.changed');
  });
});
