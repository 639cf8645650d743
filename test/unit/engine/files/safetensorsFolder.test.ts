/** Weights of a folder, whole or in shards: found where the index says, and refused where an index or a link misleads. */
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { openSafetensorsFolder } from '../../../../src/engine/files/safetensorsFolder.ts';
import { floatValue } from '../../../../src/engine/graph/value.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const a = floatValue([1, 2], [2]);
const b = floatValue([3, 4, 5, 6], [2, 2]);
const goodMap = { a: first, b: second };

/** Two shards and an index that says `map`. */
async function sharded(map: unknown = goodMap, folder?: string): Promise<string> {
  const place = folder ?? (await temporaryFolder());
  await writeSafetensors(join(place, first), { a });
  await writeSafetensors(join(place, second), { b });
  const index = { metadata: { total_size: 24 }, weight_map: map };
  await writeFile(join(place, 'model.safetensors.index.json'), JSON.stringify(index));
  return place;
}

async function refusal(folder: string): Promise<string> {
  const error = await failure(openSafetensorsFolder(folder));
  expect(error.code).toBe('file.malformed');
  return error.message;
}

describe('openSafetensorsFolder', () => {
  it('finds the tensors of one file', async () => {
    const folder = await temporaryFolder();
    await writeSafetensors(join(folder, 'model.safetensors'), { a, b });
    const { files, tensors, path } = await openSafetensorsFolder(folder);
    expect(files).toEqual([join(folder, 'model.safetensors')]);
    expect(path).toBe(files[0]);
    expect(tensors.get('b')).toMatchObject({ file: files[0], shape: [2, 2], dtype: 'F32', length: 16 });
  });

  it('finds each tensor in its shard', async () => {
    const folder = await sharded();
    const { files, tensors, path } = await openSafetensorsFolder(folder);
    expect(path).toBe(join(folder, 'model.safetensors.index.json'));
    expect(files).toEqual([join(folder, first), join(folder, second)]);
    expect(tensors.get('a')!.file).toBe(files[0]);
    expect(tensors.get('b')!.file).toBe(files[1]);
    expect(tensors.get('a')!.stamp).not.toBe(tensors.get('b')!.stamp);
  });

  it.each([
    ['..', `../${second}`],
    ['an absolute path', `/tmp/${second}`],
    ['a folder', `shards/${second}`],
    ['a backslash', `..\\${second}`],
    ['a drive', `C:${second}`],
    ['another format', 'model.bin'],
    ['no text', 7],
    ['nothing', null],
  ])('refuses an index that names a file by %s', async (_, name) => {
    const folder = await sharded({ a: first, b: name });
    // The file that is named would be there.
    await mkdir(join(folder, 'shards'));
    await writeSafetensors(join(folder, 'shards', second), { b });
    expect(await refusal(folder)).toMatch(/weight_map\["b"\] should be the name of a \.safetensors file/);
  });

  it.each([
    ['no map', null],
    ['a list', [first]],
    ['an empty map', {}],
  ])('refuses an index with %s', async (_, map) => {
    expect(await refusal(await sharded(map))).toMatch(/weight_map/);
  });

  it('says which shard is missing', async () => {
    const folder = await sharded();
    await rm(join(folder, second));
    expect(await refusal(folder)).toMatch(/index\.json.*model-00002-of-00002\.safetensors is.*missing/);
  });

  it('says which tensor its shard lacks, and where it is', async () => {
    expect(await refusal(await sharded({ ...goodMap, c: first }))).toMatch(
      /c should be a tensor in .*00001.*missing/,
    );
    expect(await refusal(await sharded({ a: first, b: first }))).toMatch(/b should be a tensor in .*00001/);
    expect(await refusal(await sharded({ a: second, b: second }))).toMatch(/a should be a tensor in .*00002/);
  });

  it('refuses a tensor that two shards hold', async () => {
    const folder = await sharded();
    await writeSafetensors(join(folder, first), { a, b });
    expect(await refusal(folder)).toMatch(/b should be in one shard only, but is .*00001.*00002/);
  });

  it('refuses damage in a shard and names the shard', async () => {
    const folder = await sharded();
    await writeFile(join(folder, second), 'not a shard');
    expect(await refusal(folder)).toContain(join(folder, second));
  });

  it.each(['model.safetensors', first])(
    'refuses %s when it is a link that leaves the folder',
    async (name) => {
      const folder = name === first ? await sharded() : await temporaryFolder();
      const outside = await temporaryFolder();
      await writeSafetensors(join(outside, 'secret'), { a });
      await rm(join(folder, name), { force: true });
      await symlink(join(outside, 'secret'), join(folder, name));
      expect(await refusal(folder)).toMatch(/a file of this folder.*a link that leads out of it/);
    },
  );

  it('follows a link inside the folder, and one from a snapshot of the Hugging Face cache to its blobs', async () => {
    const cache = join(await temporaryFolder(), 'models--owner--name');
    const snapshot = join(cache, 'snapshots', 'abc');
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(cache, 'blobs'));
    await sharded(goodMap, snapshot);
    await rename(join(snapshot, first), join(cache, 'blobs', '1111'));
    await symlink('../../blobs/1111', join(snapshot, first));
    await rename(join(snapshot, second), join(snapshot, 'elsewhere.safetensors'));
    await symlink('elsewhere.safetensors', join(snapshot, second));
    const { tensors } = await openSafetensorsFolder(snapshot);
    expect(tensors.get('a')!.file).toBe(join(cache, 'blobs', '1111'));
    expect(tensors.get('b')!.file).toBe(join(snapshot, 'elsewhere.safetensors'));
  });

  it('refuses a link from a snapshot to anything else of the cache', async () => {
    const cache = await temporaryFolder();
    const snapshot = join(cache, 'models--owner--name', 'snapshots', 'abc');
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(cache, 'models--owner--name', 'blobs'));
    await writeSafetensors(join(cache, 'other'), { a });
    await symlink('../../../other', join(snapshot, 'model.safetensors'));
    expect(await refusal(snapshot)).toMatch(/leads out of it/);
  });

  it.each(['pytorch_model.bin', 'pytorch_model.bin.index.json', 'model.pt', 'tf_model.h5'])(
    'asks to convert a folder that holds only %s',
    async (name) => {
      const folder = await temporaryFolder();
      await writeFile(join(folder, name), 'x');
      const error = await failure(openSafetensorsFolder(folder));
      expect(error).toMatchObject({ code: 'model.notSafetensors', data: { found: name } });
      expect(error.message).toMatch(/safe_serialization=True/);
    },
  );

  it('misses the file in a folder without weights', async () => {
    const folder = await temporaryFolder();
    const error = await failure(openSafetensorsFolder(folder));
    expect(error).toMatchObject({ code: 'file.missing', data: { path: join(folder, 'model.safetensors') } });
    expect((await failure(openSafetensorsFolder(join(folder, 'none')))).code).toBe('file.missing');
  });
});
