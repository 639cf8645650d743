/** Downloads from a hub on this machine: what is asked for, what lands in the cache, and what happens when it goes wrong. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { weightsIndex } from '../../../../src/engine/hub/wantedFiles.ts';
import { failure } from '../../temporaryFolder.ts';
import {
  commit,
  fetchModel,
  modelRepo,
  noise,
  repoFolder,
  repoName,
  startFixture,
  text,
  wanted,
  weights,
} from './hubFixture.ts';
import { blobOf, type SeenRequest } from './hubServer.ts';

const model = { repo: repoName, what: { kind: 'model' } } as const;
const weightsBlob = blobOf(weights);
/** Two of the files have the same content. */
const wantedBlobs = new Set(wanted.map((name) => blobOf(modelRepo.files[name] as Uint8Array)));
const blobAt = async (path: string) => blobOf(await readFile(path));
const contentOf = (seen: readonly SeenRequest[]) =>
  seen.filter(({ url, host }) => host === 'content' || url.includes('/resolve/'));

describe('a plan', () => {
  it('names the commit, the files of the model with their sizes, and asks for no content', async () => {
    const { server, hub, cache } = await startFixture();
    const plan = await hub().planDownload(model);
    expect(plan).toMatchObject({
      repo: repoName,
      revision: 'main',
      commit,
      endpoint: server.endpoint,
      cache,
    });
    expect(plan.files.map(({ path }) => path).sort()).toEqual(wanted);
    expect(plan.files.find(({ path }) => path === 'model.safetensors')).toEqual({
      path: 'model.safetensors',
      size: weights.length,
      blob: weightsBlob,
      cached: false,
    });
    const bytes = wanted.reduce((sum, path) => sum + (modelRepo.files[path]?.length ?? 0), 0);
    expect(plan).toMatchObject({
      bytes,
      toDownload: bytes,
      path: join(cache, repoFolder, 'snapshots', commit),
    });
    expect(contentOf(server.seen)).toEqual([]);
    expect(existsSync(cache)).toBe(false);
  });

  it('follows the pages of the list on the endpoint, also when a mirror passes on links of the hub', async () => {
    const { server, hub } = await startFixture();
    server.linkBase = 'https://huggingface.co';
    const plan = await hub().planDownload(model);
    expect(plan.files).toHaveLength(wanted.length);
    expect(server.seen.filter(({ url }) => url.includes('cursor='))).toHaveLength(2);
  });

  it('is pinned to the commit of the revision', async () => {
    const { server, hub } = await startFixture();
    const plan = await hub().planDownload({ ...model, revision: 'refs/pr/1' });
    expect(plan).toMatchObject({ revision: 'refs/pr/1', commit });
    expect(server.seen[0]?.url).toContain('/revision/refs%2Fpr%2F1');
    expect(server.seen.filter(({ url }) => url.includes(`/tree/${commit}`)).length).toBeGreaterThan(0);
  });

  it('follows a repository that was renamed', async () => {
    const { server, hub } = await startFixture();
    server.renamed.set('acme/old-name', repoName);
    const plan = await hub().planDownload({ repo: 'acme/old-name', what: { kind: 'model' } });
    expect(plan).toMatchObject({ repo: 'acme/old-name', commit });
    await hub().download({ plan });
    expect(existsSync(join(plan.path, 'model.safetensors'))).toBe(true);
  });

  it('takes sharded weights with their index, and old tokenizer files only without tokenizer.json', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const files = Object.fromEntries(
      ['config.json', ...shards, weightsIndex, 'vocab.json', 'merges.txt', 'vocab.txt'].map((path, i) => [
        path,
        noise(50 + i, i + 1),
      ]),
    );
    const { server, hub } = await startFixture({ commit, files });
    const names = async () => (await hub().planDownload(model)).files.map(({ path }) => path).sort();
    expect(await names()).toEqual(
      ['config.json', 'merges.txt', ...shards, weightsIndex, 'vocab.json'].sort(),
    );
    server.repos.set(repoName, { commit, files: { ...files, 'tokenizer.json': text('{}') } });
    expect(await names()).toEqual(['config.json', ...shards, weightsIndex, 'tokenizer.json'].sort());
  });

  it('says what a repository without safetensors holds instead, and offers its GGUF files one by one', async () => {
    const files = {
      'config.json': text('{}'),
      'tiny.Q8_0.gguf': noise(1500),
      'pytorch_model.bin': noise(20),
    };
    const { hub, cache } = await startFixture({ commit, files });
    const error = await failure(hub().planDownload(model));
    expect(error).toMatchObject({ code: 'hub.noSafetensors', data: { gguf: ['tiny.Q8_0.gguf'] } });
    expect(error.message).toContain('pytorch_model.bin');
    const plan = await hub().planDownload({ repo: repoName, what: { kind: 'file', path: 'tiny.Q8_0.gguf' } });
    const { path } = await hub().download({ plan });
    expect(path).toBe(join(cache, repoFolder, 'snapshots', commit, 'tiny.Q8_0.gguf'));
    expect(await readFile(path)).toEqual(Buffer.from(files['tiny.Q8_0.gguf']));
  });
});

describe('a download', () => {
  it('lays the files out as huggingface_hub does, with the content of the hub', async () => {
    const { hub, cache } = await startFixture();
    const path = await fetchModel(hub());
    expect(path).toBe(join(cache, repoFolder, 'snapshots', commit));
    expect((await readdir(path)).sort()).toEqual(wanted);
    for (const name of wanted) {
      const bytes = modelRepo.files[name] as Uint8Array;
      expect(await blobAt(join(path, name))).toBe(blobOf(bytes));
      expect(await readlink(join(path, name))).toBe(join('..', '..', 'blobs', blobOf(bytes)));
    }
    expect(await readFile(join(cache, repoFolder, 'refs', 'main'), 'utf8')).toBe(commit);
    expect((await readdir(join(cache, repoFolder, 'blobs'))).sort()).toEqual([...wantedBlobs].sort());
    expect(await readdir(join(cache, '.locks', repoFolder))).toEqual([]);
  });

  it('is found in the cache afterwards without a request, and fetches nothing a second time', async () => {
    const { server, hub } = await startFixture();
    expect(await hub().locateCached(model)).toEqual({});
    const path = await fetchModel(hub());
    server.seen.length = 0;
    expect(await hub().locateCached(model)).toEqual({ path });
    expect(await hub().locateCached({ ...model, revision: commit })).toEqual({ path });
    expect(await hub().locateCached({ ...model, revision: 'v1.0' })).toEqual({});
    expect(server.seen).toEqual([]);
    const plan = await hub().planDownload({ ...model, revision: 'v1.0' });
    expect(plan.toDownload).toBe(0);
    expect(plan.files.every(({ cached }) => cached)).toBe(true);
    await hub().download({ plan });
    expect(contentOf(server.seen)).toEqual([]);
    expect(await hub().locateCached({ ...model, revision: 'v1.0' })).toEqual({ path });
  });

  it('fetches of a new commit only what has changed', async () => {
    const { server, hub } = await startFixture();
    await fetchModel(hub());
    const next = 'f'.repeat(40);
    server.repos.set(repoName, {
      commit: next,
      files: { ...modelRepo.files, 'config.json': text({ a: 2 }) },
    });
    server.seen.length = 0;
    const path = await fetchModel(hub());
    expect(path).toContain(next);
    expect(contentOf(server.seen).map(({ url }) => url)).toEqual([
      `/${repoName}/resolve/${next}/config.json`,
    ]);
  });

  it('reports the bytes of all files, up to the total', async () => {
    const { hub } = await startFixture();
    const plan = await hub().planDownload(model);
    const seen: { done: number; total: number }[] = [];
    await hub().download({ plan }, { report: (progress) => seen.push(progress) });
    expect(seen.every(({ total }) => total === plan.toDownload)).toBe(true);
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
    expect(seen.at(-1)?.done).toBe(plan.toDownload);
  });

  it('takes everything below the folder of an SAE, and knows later whether it is whole', async () => {
    const files = {
      'blocks.0/cfg.json': text({ hook: 'x' }),
      'blocks.0/deep/er/sae weights#1.safetensors': noise(4000),
      'blocks.01/cfg.json': text('{}'),
      'cfg.json': text('{}'),
    };
    const { hub, cache, server } = await startFixture({ commit, files });
    const request = { repo: repoName, what: { kind: 'folder', path: 'blocks.0' } } as const;
    const plan = await hub().planDownload(request);
    expect(plan.files.map(({ path }) => path)).toEqual(Object.keys(files).slice(0, 2));
    server.trouble.cut.set('blocks.0/deep/er/sae weights#1.safetensors', [10, 0, 0, 0, 0]);
    await failure(hub().download({ plan }));
    expect(await hub().locateCached(request)).toEqual({});
    server.trouble.cut.clear();
    const { path } = await hub().download({ plan });
    expect(path).toBe(join(cache, repoFolder, 'snapshots', commit, 'blocks.0'));
    expect(await hub().locateCached(request)).toEqual({ path });
    expect(await hub().locateCached({ ...request, what: { kind: 'folder', path: 'blocks.01' } })).toEqual({});
  });

  it('puts the files themselves into the snapshot where links are forbidden', async () => {
    const { hub, env, cache, server } = await startFixture();
    const plain = { env: { ...env, HF_HUB_DISABLE_SYMLINKS: '1' } };
    const path = await fetchModel(hub(plain));
    for (const name of wanted) {
      expect((await stat(join(path, name))).size).toBe(modelRepo.files[name]?.length);
      await expect(readlink(join(path, name))).rejects.toThrow();
    }
    expect(await readdir(join(cache, repoFolder, 'blobs'))).toEqual([]);
    server.seen.length = 0;
    await fetchModel(hub(plain));
    expect(contentOf(server.seen)).toEqual([]);
  });
});

describe('a download that is interrupted', () => {
  const partial = (cache: string) => join(cache, repoFolder, 'blobs', `${weightsBlob}.fovea.incomplete`);

  it('goes on by itself where the connection was cut', async () => {
    const { server, hub } = await startFixture();
    server.trouble.cut.set('model.safetensors', [100_000, 250_000]);
    const path = await fetchModel(hub());
    expect(await blobAt(join(path, 'model.safetensors'))).toBe(weightsBlob);
    const ranges = server.seen
      .filter(({ host, url }) => host === 'content' && url.includes('/model.'))
      .map((it) => it.range);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('keeps what arrived when it is given up, and a new process fetches only the rest', async () => {
    const { server, hub, cache } = await startFixture();
    server.trouble.cut.set('model.safetensors', [300_000, 0, 0, 0, 0]);
    const error = await failure(fetchModel(hub()));
    expect(error).toMatchObject({ code: 'hub.unreachable', data: { endpoint: server.endpoint } });
    const kept = (await stat(partial(cache))).size;
    expect(kept).toBeGreaterThan(0);
    expect(existsSync(join(cache, repoFolder, 'snapshots', commit, 'config.json'))).toBe(false);
    server.trouble.cut.clear();
    server.seen.length = 0;
    const path = await fetchModel(hub());
    expect(
      contentOf(server.seen)
        .filter(({ host }) => host === 'content')
        .map(({ range }) => range),
    ).toEqual([`bytes=${kept}-`]);
    expect(await blobAt(join(path, 'model.safetensors'))).toBe(weightsBlob);
    expect(existsSync(partial(cache))).toBe(false);
  });

  it('begins anew when the server knows no ranges', async () => {
    const { server, hub } = await startFixture();
    server.trouble.cut.set('model.safetensors', [300_000]);
    server.trouble.ignoresRange = true;
    const path = await fetchModel(hub());
    expect(await blobAt(join(path, 'model.safetensors'))).toBe(weightsBlob);
  });

  it('is cancelled at once, keeps what arrived, and goes on later', async () => {
    const { server, hub, cache } = await startFixture();
    server.trouble.stalled.set('model.safetensors', 200_000);
    const plan = await hub().planDownload(model);
    const controller = new AbortController();
    const report = ({ what }: { what: string }) => {
      if (what === 'model.safetensors') setTimeout(() => controller.abort(), 100);
    };
    const error = await failure(hub().download({ plan }, { signal: controller.signal, report }));
    expect(error.code).toBe('cancelled');
    expect((await stat(partial(cache))).size).toBeGreaterThan(0);
    expect(await readdir(join(cache, '.locks', repoFolder))).toEqual([]);
    server.trouble.stalled.clear();
    expect(await blobAt(join(await fetchModel(hub()), 'model.safetensors'))).toBe(weightsBlob);
  });

  it('does not wait for ever for a server that says no more', async () => {
    const { server, hub } = await startFixture();
    server.trouble.stalled.set('model.safetensors', 0);
    const error = await failure(fetchModel(hub({ patience: 150 })));
    expect(error).toMatchObject({ code: 'hub.unreachable', data: { reason: 'it did not answer in time' } });
  });

  it('tries again when the server is busy', async () => {
    const { server, hub } = await startFixture();
    server.trouble.busy = 3;
    expect(existsSync(join(await fetchModel(hub()), 'config.json'))).toBe(true);
  });

  it('throws away content with another checksum, of large files and of small ones', async () => {
    for (const name of ['model.safetensors', 'config.json']) {
      const { server, hub, cache } = await startFixture();
      server.trouble.spoiled.add(name);
      const error = await failure(fetchModel(hub()));
      expect(error.code).toBe('hub.corrupt');
      expect(error.message).toContain(name);
      const blobs = await readdir(join(cache, repoFolder, 'blobs'));
      expect(blobs.filter((blob) => blob.startsWith(blobOf(modelRepo.files[name] as Uint8Array)))).toEqual(
        [],
      );
      server.trouble.spoiled.clear();
      await fetchModel(hub());
    }
  });

  it('does not believe a partial file: a spoiled one is found out and fetched again', async () => {
    const { hub, cache } = await startFixture();
    await mkdir(join(cache, repoFolder, 'blobs'), { recursive: true });
    await writeFile(partial(cache), noise(1000, 9));
    expect((await failure(fetchModel(hub()))).code).toBe('hub.corrupt');
    expect(await blobAt(join(await fetchModel(hub()), 'model.safetensors'))).toBe(weightsBlob);
  });

  it('stops at once at a file that is longer than the hub said', async () => {
    const { server, hub } = await startFixture();
    const plan = await hub().planDownload(model);
    const files = { ...modelRepo.files, 'model.safetensors': noise(3_000_000) };
    server.repos.set(repoName, { ...modelRepo, files });
    // What follows would never come to an end.
    server.trouble.stalled.set('model.safetensors', 2_000_000);
    expect((await failure(hub().download({ plan }))).code).toBe('hub.corrupt');
  });

  it('is refused before the first byte when the disk is too full', async () => {
    const { server, hub, cache } = await startFixture();
    const error = await failure(fetchModel(hub({ freeBytes: async () => 1_000_000 })));
    expect(error).toMatchObject({ code: 'hub.noSpace', data: { path: cache, free: '1.0 MB' } });
    expect(contentOf(server.seen)).toEqual([]);
  });
});

describe('two processes at once', () => {
  it('fetch every file once', async () => {
    const { server, hub } = await startFixture();
    const [one, other] = await Promise.all([fetchModel(hub()), fetchModel(hub())]);
    expect(one).toBe(other);
    expect(server.seen.filter(({ url }) => url.includes('/resolve/'))).toHaveLength(wantedBlobs.size);
  });

  it('do not trip over each other where there are no links', async () => {
    const { hub, env } = await startFixture();
    const plain = { env: { ...env, HF_HUB_DISABLE_SYMLINKS: '1' } };
    const [path] = await Promise.all([fetchModel(hub(plain)), fetchModel(hub(plain))]);
    expect((await readdir(path)).sort()).toEqual(wanted);
  });

  it('do not wait for one that is gone', async () => {
    const { hub, cache } = await startFixture();
    const locks = join(cache, '.locks', repoFolder);
    await mkdir(locks, { recursive: true });
    const dead = JSON.stringify({ host: hostname(), pid: 2 ** 22 + 1, id: 'x' });
    await writeFile(join(locks, `${weightsBlob}.fovea.lock`), dead);
    const elsewhere = join(locks, `${blobOf(modelRepo.files['config.json'] as Uint8Array)}.fovea.lock`);
    await writeFile(elsewhere, JSON.stringify({ host: 'another-machine', pid: 1, id: 'y' }));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(elsewhere, longAgo, longAgo);
    await fetchModel(hub());
    expect(await readdir(locks)).toEqual([]);
  });
});
