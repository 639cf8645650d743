/** SAE folders are found by their config, described with what they hold, and told apart by what is wrong with them. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeSae, findSaeFolders } from '../../../../src/engine/sae/catalog.ts';
import {
  type FeatureStatistics,
  readFeatureStatistics,
  writeFeatureStatistics,
} from '../../../../src/engine/sae/featureStatistics.ts';
import type { ModelInfo } from '../../../../src/shared/domain.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';
import { randomSae, saeConfig } from './plainSae.ts';

const model = { name: 'tiny', nLayers: 3, nHeads: 2, dModel: 6, dHead: 3, dMlp: 12, dVocab: 50 } as ModelInfo;

async function folderWith(...names: string[]): Promise<string> {
  const root = await temporaryFolder();
  for (const name of names) {
    await mkdir(join(root, name), { recursive: true });
    await writeFile(join(root, name, 'cfg.json'), '{}');
  }
  return root;
}

function statistics(dSae: number): FeatureStatistics {
  const list = Array.from({ length: dSae }, (_, i) => i / dSae);
  return {
    version: 1,
    labelSource: 'counted',
    tokens: 100,
    density: list,
    maxActivation: list,
    labels: list.map(String),
  };
}

describe('findSaeFolders', () => {
  it('finds folders with a config, six levels deep, by number', async () => {
    const root = await folderWith('blocks.10', 'blocks.2', 'more/blocks.1', 'a/b/c/d/e/f', 'a/b/c/d/e/g/h');
    const found = await findSaeFolders(root);
    expect(found).toEqual(
      ['a/b/c/d/e/f', 'blocks.2', 'blocks.10', 'more/blocks.1'].map((name) => join(root, name)),
    );
  });

  it('is the folder itself when that holds an SAE', async () => {
    const root = await folderWith('sae', 'sae/inner');
    expect(await findSaeFolders(join(root, 'sae'))).toEqual([join(root, 'sae')]);
  });

  it('finds none in a missing folder or a file, and follows links to folders only', async () => {
    const root = await folderWith('real/sae');
    await writeFile(join(root, 'notes.txt'), '');
    await mkdir(join(root, 'links'));
    await symlink(join(root, 'notes.txt'), join(root, 'links', 'file'));
    await symlink(join(root, 'gone'), join(root, 'links', 'gone'));
    await symlink(join(root, 'real', 'sae'), join(root, 'links', 'sae'));
    expect(await findSaeFolders(join(root, 'gone'))).toEqual([]);
    expect(await findSaeFolders(join(root, 'notes.txt'))).toEqual([]);
    expect(await findSaeFolders(join(root, 'links'))).toEqual([join(root, 'real', 'sae')]);
  });
});

describe('describeSae', () => {
  it('says what an SAE is', async () => {
    const { folder } = await randomSae(
      saeConfig({ architecture: 'topk', k: 2, prependBos: true }),
      'described',
    );
    await writeFeatureStatistics(folder.path, statistics(10));
    expect(await describeSae(folder.path, model)).toEqual({
      id: folder.path,
      path: folder.path,
      name: 'Layer 1 · residual stream',
      hook: 'blocks.1.hook_resid_post',
      layer: 1,
      architecture: 'topk',
      kind: 'sae',
      format: 'SAELens',
      dIn: 6,
      dSae: 10,
      k: 2,
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      labelSource: 'counted',
      prependBos: true,
      problem: undefined,
    });
  });

  it.each([
    ['of another width', { dIn: 8 }, 'reads 8 numbers', true],
    ['of a layer the model lacks', { hookName: 'blocks.3.hook_resid_pre' }, 'layer 3', true],
    [
      'of one head alone',
      { hookName: 'blocks.0.attn.hook_z', dIn: 3, hookHeadIndex: 1 },
      'head 1 alone',
      undefined,
    ],
  ])('tells the problem of an SAE %s', async (_, changes, problem, isOfOtherModel) => {
    const { folder } = await randomSae(saeConfig(changes), problem);
    const info = await describeSae(folder.path, model);
    expect(info.isOfOtherModel).toBe(isOfOtherModel);
    expect(info).toMatchObject({
      dSae: 10,
      problem: expect.stringContaining(problem),
    });
  });

  it('tells SAEs of the same config apart by their weights', async () => {
    const hashes = new Set<string>();
    for (const seed of ['one', 'two', 'one']) {
      const { folder } = await randomSae(saeConfig(), seed);
      hashes.add((await describeSae(folder.path, model)).hash);
    }
    expect(hashes.size).toBe(2);
  });

  it('shows no character of a file that could disguise the text around it', async () => {
    const { folder } = await randomSae(saeConfig({ hookName: 'blocks.1.\u202Ehook\u001b[2J' }), 'hostile');
    const info = await describeSae(folder.path, model);
    expect(info.hook).toBe('blocks.1.‹202E›hook‹001B›[2J');
    expect(info.problem).toContain('no hook blocks.1.‹202E›hook‹001B›[2J');
    const cfg = join(folder.path, 'cfg.json');
    const json = (await readFile(cfg, 'utf8')).replace(
      /"architecture": ?"standard"/,
      '"architecture":"\u202Ex"',
    );
    await writeFile(cfg, json);
    const damaged = await describeSae(folder.path, model);
    for (const text of [info.name, info.hook, info.problem, damaged.problem]) {
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(damaged.problem).toContain('‹202E›x');
  });

  it('tells the problem of a damaged folder instead of failing', async () => {
    const root = await folderWith('broken');
    const info = await describeSae(join(root, 'broken'), model);
    expect(info).toMatchObject({ name: 'broken', dSae: 0, problem: expect.stringContaining('cfg.json') });
  });
});

describe('features.json', () => {
  it('comes back as it was written, and is optional', async () => {
    const folder = await temporaryFolder();
    expect(await readFeatureStatistics(folder, 4)).toBeUndefined();
    await writeFeatureStatistics(folder, statistics(4));
    expect(await readFeatureStatistics(folder, 4)).toEqual(statistics(4));
  });

  it('is refused when it was made for another SAE or is damaged', async () => {
    const folder = await temporaryFolder();
    await writeFeatureStatistics(folder, statistics(4));
    expect(await failure(readFeatureStatistics(folder, 5))).toMatchObject({
      code: 'file.malformed',
      data: { field: 'density', expected: '5 entries, one per feature' },
    });
    await writeFile(join(folder, 'features.json'), '{"version": 2}');
    expect((await failure(readFeatureStatistics(folder, 4))).code).toBe('file.malformed');
  });
});
