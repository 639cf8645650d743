/** What a download refuses: hubs that refuse or lie, names that lead elsewhere, tokens for other hosts, caches with tricks. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';
import {
  commit,
  fetchModel,
  modelRepo,
  repoFolder,
  repoName,
  startFixture,
  wanted,
  weights,
} from './hubFixture.ts';
import { blobOf, tokens } from './hubServer.ts';

const model = { repo: repoName, what: { kind: 'model' } } as const;
const weightsBlob = blobOf(weights);
const blobAt = async (path: string) => blobOf(await readFile(path));

describe('access', () => {
  it('tells apart what is gated, private, missing, and a token that is not valid', async () => {
    const { server, hub } = await startFixture({ ...modelRepo, access: 'gated' });
    const plan = await hub().planDownload(model);
    const refusals = [undefined, tokens.other].map((token) => failure(hub().download({ plan, token })));
    for (const error of await Promise.all(refusals)) {
      expect(error).toMatchObject({ code: 'hub.refused', data: { repo: repoName } });
      expect(error.message).toContain('Set Hub Token');
    }
    server.repos.set(repoName, { ...modelRepo, access: 'private' });
    const stranger = await failure(hub().planDownload(model));
    expect(stranger).toMatchObject({ code: 'hub.notFound', data: { what: 'repository' } });
    expect(stranger.message).toContain('token');
    const invalid = await failure(hub().planDownload({ ...model, token: 'hf_wrong' }));
    expect(invalid).toMatchObject({ code: 'hub.refused', data: { reason: 'the token is not valid' } });
    expect((await hub().planDownload({ ...model, token: tokens.granted })).files).toHaveLength(wanted.length);
  });

  it('names the repository, revision, folder or file that is not there', async () => {
    const { hub } = await startFixture();
    const missing = async (request: object) =>
      (await failure(hub().planDownload({ ...model, ...request }))).data as { what?: string };
    expect(await missing({ repo: 'acme/nothing' })).toEqual({ repo: 'acme/nothing', what: 'repository' });
    expect((await missing({ revision: 'v9' })).what).toBe('revision "v9"');
    expect((await missing({ what: { kind: 'folder', path: 'none' } })).what).toBe('folder none');
    expect((await missing({ what: { kind: 'file', path: 'a.gguf' } })).what).toBe('file a.gguf');
  });

  it('refuses a model without any tokenizer before anything of it is fetched', async () => {
    const { server, hub } = await startFixture();
    const { 'tokenizer.json': gone, ...files } = modelRepo.files;
    expect(gone).toBeDefined();
    server.repos.set(repoName, {
      ...modelRepo,
      files: { ...files, 'vocab.json': new TextEncoder().encode('{}') },
    });
    const refused = await failure(hub().planDownload(model));
    expect(refused).toMatchObject({ code: 'hub.notFound' });
    expect(refused.message).toContain('tokenizer.json');
  });

  it('names the file that has gone since the plan was made', async () => {
    const { server, hub } = await startFixture();
    const plan = await hub().planDownload(model);
    const { 'tokenizer.json': gone, ...files } = modelRepo.files;
    expect(gone).toBeDefined();
    server.repos.set(repoName, { ...modelRepo, files });
    expect(await failure(hub().download({ plan }))).toMatchObject({
      code: 'hub.notFound',
      data: { what: 'file tokenizer.json' },
    });
  });

  it('sends the token to the endpoint and never to the host it redirects to', async () => {
    const { server, hub } = await startFixture({ ...modelRepo, access: 'gated' });
    const plan = await hub().planDownload({ ...model, token: tokens.granted });
    await hub().download({ plan, token: tokens.granted });
    const asked = (host: string) => server.seen.filter((it) => it.host === host);
    expect(asked('content').length).toBeGreaterThan(0);
    expect(new Set(asked('hub').map((it) => it.authorization))).toEqual(
      new Set([`Bearer ${tokens.granted}`]),
    );
    expect(new Set(asked('content').map((it) => it.authorization))).toEqual(new Set([undefined]));
  });

  it('gives the token of the environment or of `hf auth login` only to the hub it is meant for', async () => {
    const { server, hub, env } = await startFixture();
    const authorizations = async (extra: NodeJS.ProcessEnv) => {
      server.seen.length = 0;
      await hub({ env: { ...env, ...extra } }).planDownload({ ...model, endpoint: server.endpoint });
      return [...new Set(server.seen.map((it) => it.authorization))];
    };
    expect(await authorizations({})).toEqual([undefined]);
    expect(await authorizations({ HF_TOKEN: tokens.other })).toEqual([`Bearer ${tokens.other}`]);
    expect(await authorizations({ HF_TOKEN: tokens.other, HF_ENDPOINT: '' })).toEqual([undefined]);
    expect(await authorizations({ HF_TOKEN: tokens.other, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toEqual([
      undefined,
    ]);
    await writeFile(join(env.HF_HOME as string, 'token'), `${tokens.granted}\n`);
    expect(await authorizations({})).toEqual([`Bearer ${tokens.granted}`]);
  });
});

describe('a hub that cannot be used', () => {
  it('is said to be out of reach, with the reason', async () => {
    const { server, hub } = await startFixture();
    await server.close();
    const error = await failure(hub().planDownload(model));
    expect(error).toMatchObject({
      code: 'hub.unreachable',
      data: { reason: 'nothing answers at this address' },
    });
  });

  it('is not asked at all when HF_HUB_OFFLINE is set', async () => {
    const { server, hub, env } = await startFixture();
    const offline = hub({ env: { ...env, HF_HUB_OFFLINE: '1' } });
    expect((await failure(offline.planDownload(model))).message).toContain('HF_HUB_OFFLINE');
    expect(server.seen).toEqual([]);
  });

  it.each([
    ['../../outside.safetensors'],
    ['/etc/passwd'],
    ['C:\\Windows\\x'],
    ['a\\..\\..\\b'],
    ['x/../y'],
    ['nul.txt'],
    ['dot. '],
    ['line\nbreak'],
  ])('that names a file %j is refused', async (path) => {
    const { server, hub } = await startFixture();
    server.tree = (entries) => [...entries, { type: 'file', path, size: 3, oid: 'b'.repeat(40) }];
    const request = { repo: repoName, what: { kind: 'folder', path: '' } } as const;
    expect((await failure(hub().planDownload(request))).code).toBe('hub.malformed');
  });

  it.each([
    ['no JSON', '<html>Sign in to the network</html>'],
    ['an entry without a path', [{ type: 'file', size: 3 }]],
    ['a negative size', [{ type: 'file', path: 'config.json', size: -3, oid: 'b'.repeat(40) }]],
    ['no checksum', [{ type: 'file', path: 'config.json', size: 3, oid: '../../x' }]],
  ])('that answers with %s is said to be no hub', async (_, answer) => {
    const { server, hub } = await startFixture();
    server.tree = () => answer;
    const request = { repo: repoName, what: { kind: 'folder', path: '' } } as const;
    expect((await failure(hub().planDownload(request))).code).toBe('hub.malformed');
  });

  it.each([['not an address'], ['ftp://hub.example'], ['https://user:word@hub.example'], ['file:///etc']])(
    'is not %j',
    async (endpoint) => {
      const { hub } = await startFixture();
      expect((await failure(hub().planDownload({ ...model, endpoint }))).code).toBe('request.invalid');
    },
  );
});

describe('names that people give', () => {
  it.each([['../x'], ['a/b/c'], ['a--b/c'], ['a/..'], ['/etc'], ['a b/c'], ['']])(
    'do not reach the network or the disk as %j',
    async (repo) => {
      const { server, hub } = await startFixture();
      expect((await failure(hub().planDownload({ ...model, repo }))).code).toBe('request.invalid');
      expect((await failure(hub().locateCached({ ...model, repo }))).code).toBe('request.invalid');
      expect(server.seen).toEqual([]);
    },
  );

  it('lead nowhere as a revision or a folder', async () => {
    const { hub } = await startFixture();
    for (const revision of ['../../x', '/etc', 'a\\b', '.git', 'a/../b']) {
      expect((await failure(hub().planDownload({ ...model, revision }))).code).toBe('request.invalid');
    }
    for (const path of ['..', '../x', '/x', 'a//b']) {
      const request = { ...model, what: { kind: 'folder', path } } as const;
      expect((await failure(hub().planDownload(request))).code).toBe('request.invalid');
    }
  });

  it('lead nowhere in a plan that was tampered with', async () => {
    const { hub } = await startFixture();
    const plan = await hub().planDownload(model);
    const evil = [
      { ...plan, commit: '../../x' },
      { ...plan, repo: '../x' },
      { ...plan, what: { kind: 'folder', path: '../x' } as const },
      { ...plan, files: [{ path: '../x', size: 1, blob: weightsBlob, cached: false }] },
      { ...plan, files: [{ path: 'x', size: 1, blob: '../x', cached: false }] },
    ];
    for (const it of evil) expect((await failure(hub().download({ plan: it }))).code).toBe('request.invalid');
  });
});

describe('a cache with tricks in it', () => {
  it('is not written through: links that lead out are replaced or refused', async () => {
    const { hub, cache } = await startFixture();
    const outside = await temporaryFolder();
    await writeFile(join(outside, 'victim'), 'mine');
    const blobs = join(cache, repoFolder, 'blobs');
    const snapshot = join(cache, repoFolder, 'snapshots', commit);
    await mkdir(blobs, { recursive: true });
    await mkdir(snapshot, { recursive: true });
    const config = blobOf(modelRepo.files['config.json'] as Uint8Array);
    await symlink(join(outside, 'victim'), join(blobs, `${weightsBlob}.fovea.incomplete`));
    await symlink(join(outside, 'victim'), join(blobs, config));
    await symlink(join(outside, 'victim'), join(snapshot, 'tokenizer.json'));
    const path = await fetchModel(hub());
    expect(await readFile(join(outside, 'victim'), 'utf8')).toBe('mine');
    for (const name of wanted) {
      expect(await blobAt(join(path, name))).toBe(blobOf(modelRepo.files[name] as Uint8Array));
    }
  });

  it('is refused when a folder of it leads elsewhere', async () => {
    for (const name of ['blobs', 'snapshots']) {
      const { hub, cache } = await startFixture();
      const outside = await temporaryFolder();
      await mkdir(join(cache, repoFolder), { recursive: true });
      await symlink(outside, join(cache, repoFolder, name));
      expect((await failure(fetchModel(hub()))).code).toBe('file.unreadable');
      const left = await readdir(outside, { recursive: true });
      expect(left.filter((it) => it !== commit)).toEqual([]);
    }
  });
});
