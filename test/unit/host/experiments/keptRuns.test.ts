/** What runs have left in a window's folder: of few experiments, of this build only. */
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeptRuns, readBuild } from '../../../../src/host/experiments/keptRuns.ts';

let keptFolder: string;

beforeAll(async () => {
  keptFolder = await realpath(await mkdtemp(join(tmpdir(), 'fovea-kept-runs-')));
});
afterAll(() => rm(keptFolder, { recursive: true, force: true }));

const log = { debug() {}, info() {}, warn() {}, error() {} };
const place = { key: 'key', ask: 'ask' };

describe('the runs of a window', () => {
  it('keeps the runs that were stopped last, and passes over a file that is none', async () => {
    const kept = new KeptRuns(keptFolder, log);
    for (let i = 0; i < 25; i++) kept.of(`/w/${i}.fovea.json`).finish(place, { numbers: { i } });
    const names = await readdir(keptFolder);
    expect(names).toHaveLength(20);
    for (const name of names) await writeFile(join(keptFolder, name), 'broken');
    const other = new KeptRuns(keptFolder, log);
    expect(other.of('/w/24.fovea.json').outcome(place)).toBeUndefined();
    other.of('/w/24.fovea.json').finish(place, { numbers: { i: 1 } });
    expect(new KeptRuns(keptFolder, log).of('/w/24.fovea.json').outcome(place)).toEqual({
      numbers: { i: 1 },
    });
    for (const name of names) await rm(join(keptFolder, name), { force: true });
  });

  it('are those of this build: what another one has left is gone', async () => {
    const dist = await realpath(await mkdtemp(join(tmpdir(), 'fovea-dist-')));
    const window = () => new KeptRuns(keptFolder, log, readBuild(dist)).of('/w/a.fovea.json');
    const build = (hash: string) => writeFile(join(dist, 'built.json'), JSON.stringify({ build: hash }));
    window().finish(place, { numbers: { of: 'sources' } });
    expect(window().outcome(place)).toEqual({ numbers: { of: 'sources' } });
    await build('one');
    expect(window().hasForgotten).toBe(true);
    expect(window().outcome(place)).toBeUndefined();
    window().finish(place, { numbers: { of: 'one' } });
    const [name = ''] = await readdir(keptFolder);
    expect((await readFile(join(keptFolder, name), 'utf8')).split('\n')[0]).toContain('"build":"one"');
    expect(window().outcome(place)).toEqual({ numbers: { of: 'one' } });
    await build('two');
    expect(window().outcome(place)).toBeUndefined();
    await rm(dist, { recursive: true, force: true });
  });
});
