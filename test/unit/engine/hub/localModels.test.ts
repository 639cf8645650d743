/** What is found on disk without a network: caches that Python made, folders, GGUF files, and caches with tricks in them. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Hub } from '../../../../src/engine/hub/hub.ts';
import { weightsIndex } from '../../../../src/engine/hub/wantedFiles.ts';
import { EngineError } from '../../../../src/shared/errors.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const commits = ['1'.repeat(40), '2'.repeat(40)] as const;
const config = JSON.stringify({ model_type: 'gpt2' });
const whole = { 'config.json': config, 'tokenizer.json': '{}', 'model.safetensors': 'weights' };

interface Place {
  readonly home: string;
  readonly cache: string;
  readonly hub: Hub;
}

async function emptyCache(checkConfig?: (path: string, content: unknown) => void): Promise<Place> {
  const home = await temporaryFolder();
  const hub = new Hub({
    storage: join(home, 'storage'),
    env: { HF_HOME: home },
    checkConfig,
    fetch: async () => {
      throw new Error('Nothing may be asked of the network.');
    },
  });
  return { home, cache: join(home, 'hub'), hub };
}

/** Writes a snapshot the way `huggingface_hub` does: content in blobs, relative links, the commit in refs. */
async function writeSnapshot(
  cache: string,
  repo: string,
  commit: string,
  files: Readonly<Record<string, string>>,
  ref: string | null = 'main',
): Promise<string> {
  const folder = join(cache, `models--${repo.replace('/', '--')}`);
  const snapshot = join(folder, 'snapshots', commit);
  await mkdir(join(folder, 'blobs'), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    const blob = Buffer.from(`${commit} ${path}`).toString('hex').slice(0, 200);
    const target = join(snapshot, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(join(folder, 'blobs', blob), content);
    const up = '../'.repeat(path.split('/').length + 1);
    await symlink(`${up}blobs/${blob}`, target);
  }
  if (ref !== null) {
    await mkdir(dirname(join(folder, 'refs', ref)), { recursive: true });
    await writeFile(join(folder, 'refs', ref), commit);
  }
  return snapshot;
}

describe('a model of the cache', () => {
  it('is located by its branch or commit when all its files are there', async () => {
    const { cache, hub } = await emptyCache();
    const path = await writeSnapshot(cache, 'acme/whole', commits[0], whole);
    const what = { kind: 'model' } as const;
    expect(await hub.locateCached({ repo: 'acme/whole', what })).toEqual({ path });
    expect(await hub.locateCached({ repo: 'acme/whole', revision: commits[0], what })).toEqual({ path });
    expect(await hub.locateCached({ repo: 'acme/whole', revision: 'dev', what })).toEqual({});
    expect(await hub.locateCached({ repo: 'acme/other', what })).toEqual({});
  });

  it.each(Object.keys(whole))('is not whole without its %s', async (name) => {
    const { cache, hub } = await emptyCache();
    const path = await writeSnapshot(cache, 'acme/part', commits[0], whole);
    await rm(join(path, name));
    expect(await hub.locateCached({ repo: 'acme/part', what: { kind: 'model' } })).toEqual({});
    await symlink('../../blobs/none', join(path, name));
    expect(await hub.locateCached({ repo: 'acme/part', what: { kind: 'model' } })).toEqual({});
  });

  it('is whole only with every shard that its index names', async () => {
    const { cache, hub } = await emptyCache();
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const { 'model.safetensors': _, ...small } = whole;
    const files = { ...small, [shards[0] as string]: 'a', [shards[1] as string]: 'b' };
    const locate = (repo: string) => hub.locateCached({ repo, what: { kind: 'model' } });
    const index = (names: readonly (string | undefined)[]) =>
      JSON.stringify({ weight_map: Object.fromEntries(names.map((name, i) => [`w${i}`, name])) });
    const path = await writeSnapshot(cache, 'acme/a', commits[0], {
      ...files,
      [weightsIndex]: index(shards),
    });
    expect(await locate('acme/a')).toEqual({ path });
    await rm(join(path, shards[1] as string));
    expect(await locate('acme/a')).toEqual({});
    await writeSnapshot(cache, 'acme/b', commits[0], { ...files, [weightsIndex]: index(['../../../x']) });
    expect(await locate('acme/b')).toEqual({});
    await writeSnapshot(cache, 'acme/c', commits[0], { ...files, [weightsIndex]: 'no JSON' });
    expect(await locate('acme/c')).toEqual({});
  });

  it('is listed once, as main was last seen, with the size of its weights', async () => {
    const { cache, hub } = await emptyCache();
    const path = await writeSnapshot(cache, 'acme/two', commits[0], whole);
    await writeSnapshot(cache, 'acme/two', commits[1], { 'config.json': config }, null);
    await writeSnapshot(cache, 'gpt2', commits[1], { 'config.json': config });
    await writeSnapshot(cache, 'acme/saes', commits[0], { 'blocks.0/cfg.json': '{}', 'config.json': '{}' });
    await mkdir(join(cache, 'datasets--acme--words', 'snapshots', commits[0]), { recursive: true });
    const found = await hub.listLocalModels({ folders: [] });
    expect(found).toEqual([
      {
        path,
        name: 'acme/two',
        source: 'cache',
        commit: commits[0],
        bytes: 7,
        family: 'gpt2',
        problem: undefined,
      },
      expect.objectContaining({ name: 'gpt2', bytes: 0, problem: expect.stringContaining('tokenizer.json') }),
    ]);
  });

  it('is listed by its GGUF files when it holds those', async () => {
    const { cache, hub } = await emptyCache();
    const files = { 'config.json': config, 'tokenizer.json': '{}', 'tiny.Q8_0.gguf': 'GGUF' };
    const snapshot = await writeSnapshot(cache, 'acme/tiny', commits[0], files);
    expect(await hub.listLocalModels({ folders: [] })).toEqual([
      {
        path: join(snapshot, 'tiny.Q8_0.gguf'),
        name: 'acme/tiny/tiny.Q8_0.gguf',
        source: 'gguf',
        bytes: 4,
        commit: commits[0],
      },
    ]);
  });

  it('says of what kind it is when that cannot be run', async () => {
    const { cache, hub } = await emptyCache((path) => {
      throw new EngineError('model.unsupported', { path, architecture: 'gpt2', supported: 'none' });
    });
    await writeSnapshot(cache, 'acme/a', commits[0], whole);
    const [model] = await hub.listLocalModels({ folders: [] });
    expect(model?.problem).toBe('Models of the kind "gpt2" cannot be run yet');
  });

  it('knows the folder of an SAE from the list that Python keeps of the commit', async () => {
    const { cache, hub } = await emptyCache();
    const files = { 'blocks.0/cfg.json': '{}', 'blocks.0/sae.safetensors': 'x', 'blocks.1/cfg.json': '{}' };
    const path = await writeSnapshot(cache, 'acme/saes', commits[0], files);
    const locate = (folder: string) =>
      hub.locateCached({ repo: 'acme/saes', what: { kind: 'folder', path: folder } });
    expect(await locate('blocks.0')).toEqual({});
    const listed = [...Object.keys(files), 'blocks.1/sae.safetensors'];
    const tree = { format_version: 1, files: Object.fromEntries(listed.map((file) => [file, { size: 1 }])) };
    await mkdir(join(cache, 'models--acme--saes', 'trees'));
    await writeFile(join(cache, 'models--acme--saes', 'trees', `${commits[0]}.json`), JSON.stringify(tree));
    expect(await locate('blocks.0')).toEqual({ path: join(path, 'blocks.0') });
    expect(await locate('blocks.1')).toEqual({});
  });
});

describe('a cache with tricks in it', () => {
  it('does not lead to another folder by what stands in refs', async () => {
    const { cache, hub } = await emptyCache();
    await writeSnapshot(cache, 'acme/a', commits[0], whole);
    await writeSnapshot(cache, 'acme/b', commits[1], whole);
    const elsewhere = `../../models--acme--b/snapshots/${commits[1]}`;
    for (const content of [elsewhere, `${commits[0]}/../${commits[0]}`, 'x'.repeat(1000), '']) {
      await writeFile(join(cache, 'models--acme--a', 'refs', 'main'), content);
      expect(await hub.locateCached({ repo: 'acme/a', what: { kind: 'model' } })).toEqual({});
    }
  });

  it('does not pass off files of other places as a model', async () => {
    const { cache, hub, home } = await emptyCache();
    const path = await writeSnapshot(cache, 'acme/a', commits[0], whole);
    await writeFile(join(home, 'secret'), '{}');
    await rm(join(path, 'tokenizer.json'));
    await symlink(join(home, 'secret'), join(path, 'tokenizer.json'));
    expect(await hub.locateCached({ repo: 'acme/a', what: { kind: 'model' } })).toEqual({});
  });

  it('may lie on another disk as a whole', async () => {
    const { cache, hub, home } = await emptyCache();
    await writeSnapshot(join(home, 'disk'), 'acme/a', commits[0], whole);
    await mkdir(cache);
    await symlink(join(home, 'disk', 'models--acme--a'), join(cache, 'models--acme--a'));
    const { path } = await hub.locateCached({ repo: 'acme/a', what: { kind: 'model' } });
    expect(path).toBe(join(cache, 'models--acme--a', 'snapshots', commits[0]));
  });
});

describe('models below folders', () => {
  it('are found with their GGUF files, to some depth, each once, and in folders laid out as a cache', async () => {
    const { home, hub } = await emptyCache();
    const folder = join(home, 'models');
    const write = async (name: string, files: Readonly<Record<string, string>>) => {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(join(folder, name), { recursive: true });
        await writeFile(join(folder, name, path), content);
      }
    };
    await write('.', { 'loose.gguf': 'abcd' });
    await write('one', whole);
    await write('group/two', { 'config.json': config, 'pytorch_model.bin': 'x' });
    await write('notes', { 'config.json': '{"name":"no model"}' });
    await write('a/b/c/deep', whole);
    await write('.hidden', whole);
    await symlink(folder, join(folder, 'group', 'circle'));
    const cached = await writeSnapshot(join(folder, 'copy'), 'acme/a', commits[0], whole);
    const found = await hub.listLocalModels({
      folders: [folder, join(folder, 'one'), join(home, 'missing')],
    });
    expect(found.map(({ name, source, path, bytes }) => ({ name, source, path, bytes }))).toEqual([
      { name: 'loose.gguf', source: 'gguf', path: join(folder, 'loose.gguf'), bytes: 4 },
      { name: 'acme/a', source: 'cache', path: cached, bytes: 7 },
      { name: 'two', source: 'folder', path: join(folder, 'group', 'two'), bytes: 0 },
      { name: 'one', source: 'folder', path: join(folder, 'one'), bytes: 7 },
    ]);
    expect(found.find(({ name }) => name === 'two')?.problem).toContain('no safetensors');
  });
});
