/** What is known of a sweep: the grid out of cells, and a file that only the same sweep goes on from. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KnownSweep } from '../../../src/cli/knownSweep.ts';
import type { SweepOutline } from '../../../src/shared/patchingApi.ts';
import { temporaryFolder } from '../temporaryFolder.ts';

const outline: SweepOutline = {
  axes: [
    { name: 'layer', labels: ['0', '1'] },
    { name: 'pos', labels: ['0', '1'] },
  ],
  pairCount: 3,
  metric: 'logitDifference',
  pairsHash: 'h',
  clean: 4,
  corrupted: -2,
  provenance: {
    version: '1',
    model: { name: 'm', hash: 'a' },
    saes: [],
    bos: 'none',
    precision: 'float32',
    seed: 1,
  },
};
const found = { cells: [1, 2], values: [0, 0], raw: [1, 4], pairs: [3, 1] };

describe('a sweep that was stopped', () => {
  it('has the scale of its kind, and nothing where nothing is known', () => {
    const sweep = new KnownSweep('k');
    expect(sweep.grid('share')).toBeUndefined();
    sweep.add({ ...found, outline });
    const share = sweep.grid('share')!;
    expect(Array.from(share.values)).toEqual([Number.NaN, 0.5, 1, Number.NaN]);
    expect(Array.from(share.pairs)).toEqual([0, 3, 1, 0]);
    expect(Array.from(sweep.grid('change')!.values)).toEqual([Number.NaN, -0.75, 0, Number.NaN]);
    expect(sweep.count).toBe(2);
  });

  it('goes on from its file, which another sweep refuses', async () => {
    const path = join(await temporaryFolder(), 'cells.json');
    const first = new KnownSweep('k', path);
    expect(first.known()).toBeUndefined();
    first.add({ ...found, outline });
    await first.write();
    const known = new KnownSweep('k', path).known()!;
    expect(Array.from(known.raw)).toEqual([Number.NaN, 1, 4, Number.NaN]);
    expect(Array.from(known.pairs)).toEqual([0, 3, 1, 0]);
    expect(known.pairsHash).toBe('h');
    expect(() => new KnownSweep('other', path)).toThrow(/holds no cells of this very sweep/);
  });

  it('takes no file that it has not written', async () => {
    const path = join(await temporaryFolder(), 'cells.json');
    const sweep = new KnownSweep('k', path);
    sweep.add({ ...found, outline });
    await sweep.write();
    const kept = JSON.parse(await readFile(path, 'utf8'));
    const wrong = [
      [],
      null,
      { ...kept, size: 1e9 },
      { ...kept, cells: [[7, 1, 1]] },
      { ...kept, cells: [[1, '1', 1]] },
      { ...kept, cells: [[1, 1, -1]] },
    ];
    for (const content of wrong) {
      await writeFile(path, JSON.stringify(content));
      expect(() => new KnownSweep('k', path), JSON.stringify(content)).toThrow(/holds no cells/);
    }
    await writeFile(path, '{');
    expect(() => new KnownSweep('k', path)).toThrow(/holds no cells/);
  });
});
