/** `fovea download` and `fovea models` from the outside, against a hub on this machine. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Bundle, bundle } from '../../fixtures/bundle.ts';
import { writeTinyModel } from '../../fixtures/tinyModel.ts';
import { commit, modelRepo, repoFolder, repoName, wanted } from '../engine/hub/hubFixture.ts';
import { type HubServer, startHubServer, tokens } from '../engine/hub/hubServer.ts';
import { temporaryFolder } from '../temporaryFolder.ts';
import { type Outcome, runProgram } from './program.ts';

let program: Bundle;

beforeAll(async () => {
  program = await bundle('src/cli/main.ts');
});

afterAll(() => program?.remove());

interface Place {
  readonly server: HubServer;
  readonly snapshot: string;
  fovea(argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome>;
}

async function place(repo = modelRepo): Promise<Place> {
  const server = await startHubServer(repoName, repo);
  onTestFinished(() => server.close());
  const home = await temporaryFolder();
  const env = {
    ...process.env,
    HF_HOME: home,
    HF_ENDPOINT: server.endpoint,
    FOVEA_STORAGE: join(home, 'storage'),
  };
  return {
    server,
    snapshot: join(home, 'hub', repoFolder, 'snapshots', commit),
    fovea: (argv, more) => runProgram(program.file, argv, '', { ...env, ...more }),
  };
}

const content = (server: HubServer) =>
  server.seen.filter(({ host, url }) => host === 'content' || url.includes('/resolve/'));

describe('fovea download', () => {
  it('says what it would fetch, and fetches nothing without --yes when nobody can be asked', async () => {
    const { fovea, server, snapshot } = await place();
    const { code, err } = await fovea(['download', repoName]);
    expect(code).toBe(2);
    expect(err).toMatch(/model\.safetensors +700 kB/);
    expect(err).toContain(`705 kB (6 files) of ${repoName} (main, commit ${commit.slice(0, 7)})`);
    expect(err).toContain(`from ${server.endpoint}`);
    expect(err).toContain('Add --yes');
    expect(content(server)).toEqual([]);
    expect(existsSync(snapshot)).toBe(false);
  });

  it('fetches with --yes, and answers from the cache the next time', async () => {
    const { fovea, server, snapshot } = await place();
    const { code, out } = await fovea(['download', `${repoName}@v1.0`, '--yes']);
    expect({ code, out }).toEqual({ code: 0, out: `Downloaded 705 kB.\n${snapshot}\n` });
    for (const name of wanted) expect(existsSync(join(snapshot, name)), name).toBe(true);
    server.seen.length = 0;
    const again = await fovea(['download', repoName, '--revision', 'v1.0', '--json']);
    expect(JSON.parse(again.out)).toEqual({ path: snapshot });
    expect(server.seen).toEqual([]);
    const listed = await fovea(['models', '--json']);
    expect(JSON.parse(listed.out)).toMatchObject([
      { name: repoName, path: snapshot, source: 'cache', commit },
    ]);
    expect((await fovea(['models'])).out).toMatch(new RegExp(`${repoName} +gpt2 +700 kB`));
  });

  it('brings a model that the other commands run by its name on the hub', async () => {
    const tiny = await writeTinyModel(3);
    onTestFinished(() => tiny.remove());
    const files: Record<string, Uint8Array> = {};
    for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      files[name] = await readFile(join(tiny.folder, name));
    }
    const { fovea } = await place({ commit, files });
    const argv = ['lens', 'When she gave', '--json', '--model'];
    expect((await fovea([...argv, repoName])).err).toContain(join(process.cwd(), repoName));
    expect((await fovea(['download', repoName, '--yes'])).code).toBe(0);
    const lens = async (model: string) => JSON.parse((await fovea([...argv, model])).out).cells;
    expect(await lens(repoName)).toEqual(await lens(tiny.folder));
  });

  it('fetches a single file or a folder from a mirror', async () => {
    const { fovea, server, snapshot } = await place();
    const other = { HF_ENDPOINT: 'http://127.0.0.1:9' };
    const argv = ['download', repoName, '--endpoint', server.endpoint, '--yes'];
    const file = await fovea([...argv, '--file', 'pytorch_model.bin'], other);
    expect(file.out).toContain(join(snapshot, 'pytorch_model.bin'));
    const folder = await fovea([...argv, '--folder', 'onnx/'], other);
    expect(folder.out).toContain(join(snapshot, 'onnx'));
    expect(existsSync(join(snapshot, 'onnx', 'model.onnx'))).toBe(true);
  });

  it('uses HF_TOKEN, which appears nowhere in what it prints', async () => {
    const { fovea } = await place({ ...modelRepo, access: 'gated' });
    const refused = await fovea(['download', repoName, '--yes'], { HF_TOKEN: tokens.other });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('Access to model is restricted');
    const granted = await fovea(['download', repoName, '--yes'], { HF_TOKEN: tokens.granted });
    expect(granted.code).toBe(0);
    for (const { out, err } of [refused, granted]) expect(out + err).not.toMatch(/hf_(granted|other)/);
  });

  it.each([
    [['download'], 'Name one repository'],
    [['download', 'a/b/c'], 'Name one repository'],
    [['download', 'a/b', 'c/d'], 'Name one repository'],
    [['download', 'a/b', '--file', 'x', '--folder', 'y'], 'not both'],
  ])('refuses %j', async (argv, words) => {
    const { code, err } = await runProgram(program.file, argv);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });
});

it('fovea models says so when there are none', async () => {
  const home = await temporaryFolder();
  const { code, out } = await runProgram(program.file, ['models'], '', { ...process.env, HF_HOME: home });
  expect(code).toBe(0);
  expect(out).toContain('No models were found');
});
