/** Choosing an SAE: of the list, or of a public release, which is fetched only when it is not there. The picks are made up. */

import { mkdir, realpath, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { chooseSae } from '../../../../src/host/commands/chooseSae.ts';
import type { HubWish } from '../../../../src/host/commands/hubCommands.ts';
import type { PickOptions } from '../../../../src/host/commands/pickItem.ts';
import { silentLog } from '../../../../src/host/log.ts';
import { ModelStore } from '../../../../src/host/modelStore.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import type { EngineApi } from '../../../../src/shared/engineApi.ts';
import type { NamedFiles } from '../../../../src/shared/hubApi.ts';
import type { ReleasedSae } from '../../../../src/shared/saeApi.ts';
import { createFakeEngine } from '../../../fixtures/fakeEngine.ts';
import { window } from '../../../fixtures/vscodeStub.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const base: Omit<ReleasedSae, 'id'> = {
  release: 'scope',
  repo: 'google/scope',
  files: { kind: 'files', folder: '', files: ['a'] },
};

interface Item {
  readonly label: string;
}

const screen = vi.hoisted(() => ({
  /** Labels, or parts of them, that the user will choose, one pick after the other. */
  answers: [] as string[],
  offered: [] as PickOptions<Item>[],
  /** Where the keyboard begins in the last pick. */
  begins: undefined as string | undefined,
  folders: [] as readonly string[],
  wishes: [] as HubWish[],
  /** Where the download ends; nothing when the user does not want it. */
  downloaded: undefined as string | undefined,
  warnings: [] as string[],
}));

vi.mock('../../../../src/host/commands/pickItem.ts', () => ({
  pickItem: async (options: PickOptions<Item>) => {
    screen.offered.push(options);
    screen.begins = options.items.find((item) => options.isActive?.(item))?.label;
    const items = (await options.fill?.(new AbortController().signal)) ?? options.items;
    const answer = screen.answers.shift();
    return items.find(({ label }) => answer !== undefined && label.includes(answer));
  },
}));
vi.mock('../../../../src/host/contributions.ts', () => ({
  readSetting: () => screen.folders,
  writeSetting: async (_name: string, value: readonly string[]) => {
    screen.folders = value;
  },
}));
vi.mock('../../../../src/host/commands/hubCommands.ts', () => ({
  downloadPart: async (_services: unknown, wish: HubWish) => {
    screen.wishes.push(wish);
    return screen.downloaded;
  },
}));

/** A window whose folders hold one SAE each. */
function openWindow(change: Partial<EngineApi> = {}): CommandServices {
  const fake = createFakeEngine();
  const engine: EngineApi = {
    ...fake,
    listSaes: async (request, call) => {
      const listed = await fake.listSaes(request, call);
      const added = request.folders.map((path) => ({ ...(listed[0] as SaeInfo), id: path, path }));
      return [...listed, ...added];
    },
    ...change,
  };
  const memory = { get: () => undefined, update: async () => undefined };
  const places = () => ({ model: '/models/mini', saeFolders: screen.folders });
  const models = new ModelStore({ engine, places, memory, log: silentLog });
  const checks = { status: () => ({ kind: 'unchecked' }) };
  return { engine, models, checks } as unknown as CommandServices;
}

beforeEach(() => {
  Object.assign(screen, {
    answers: [],
    offered: [],
    folders: [],
    wishes: [],
    downloaded: undefined,
    warnings: [],
  });
  vi.spyOn(window, 'showWarningMessage').mockImplementation(async (words) => {
    screen.warnings.push(words);
    return undefined;
  });
});

describe('chooseSae', () => {
  it('shows a listed one at once when a row or a link names it', async () => {
    const services = openWindow();
    await services.models.ensure();
    const sae = services.models.saes[3] as SaeInfo;
    await chooseSae(services, sae.id);
    expect(services.models.sae?.id).toBe(sae.id);
    await chooseSae(services, { kind: 'sae', sae: services.models.saes[0] });
    expect(services.models.sae?.id).toBe(services.models.saes[0]?.id);
    expect(screen.offered).toEqual([]);
  });

  it('offers the listed ones, beginning at the one that is shown, and refuses what cannot be used', async () => {
    const services = openWindow();
    screen.answers = ['Layer 1 · MLP output'];
    await chooseSae(services);
    expect(services.models.sae?.hook).toBe('blocks.1.hook_mlp_out');
    const [options] = screen.offered;
    expect(screen.begins).toBe('Layer 2 · Residual stream');
    const broken = { label: 'Layer 0', problem: 'too wide' };
    expect(options?.refuse?.(broken)).toBe('Layer 0 cannot be used: too wide');
    expect(options?.items.filter((item) => options.refuse?.(item))).toEqual([]);
  });

  it('draws no icon that a file’s hook or problem names', async () => {
    const hostile = { architecture: 'standard', name: 'x', hook: '$(check)', layer: 0, dSae: 8 };
    const services = openWindow({
      listSaes: async () => [{ ...hostile, id: '/s', path: '/s', problem: 'no hook $(check)' } as SaeInfo],
    });
    await chooseSae(services);
    const item = screen.offered[0]?.items.find((one) => 'id' in one && one.id === '/s');
    expect(item).toMatchObject({ label: 'Layer 0 · $ (check)', detail: 'no hook $ (check)' });
  });

  it('takes one of a release from the cache without a question', async () => {
    const services = openWindow({ locateCached: async () => ({ path: '/cache/res-jb/8' }) });
    screen.answers = ['Public Releases for mini', 'gpt2-small-res-jb', 'blocks.3.hook_resid_pre'];
    await chooseSae(services);
    expect(screen.wishes).toEqual([]);
    expect(screen.folders).toEqual(['/cache/res-jb/8']);
    expect(services.models.sae?.id).toBe('/cache/res-jb/8');
  });

  it('has one of a release fetched, and changes nothing when the user does not want that', async () => {
    const services = openWindow();
    const way = ['Public Releases for mini', 'gpt2-small-res-jb', 'blocks.3.hook_resid_pre'];
    screen.answers = [...way];
    await chooseSae(services);
    const before = services.models.sae?.id;
    expect(screen.wishes).toEqual([
      {
        repo: 'jbloom/GPT2-Small-SAEs-Reformatted',
        what: {
          kind: 'files',
          folder: 'blocks.3.hook_resid_pre',
          files: ['blocks.3.hook_resid_pre/cfg.json'],
        },
        title: 'gpt2-small-res-jb/blocks.3.hook_resid_pre',
      },
    ]);
    expect([screen.folders, services.models.sae?.id]).toEqual([[], before]);
    screen.downloaded = '/cache/res-jb/3';
    screen.answers = [...way];
    await chooseSae(services);
    expect(services.models.sae?.id).toBe('/cache/res-jb/3');
  });

  it('shows exactly the one that was chosen, among others of its folder and folders of like names', async () => {
    const folder = await realpath(await temporaryFolder());
    for (const name of ['layer_3_l0_big', 'layer_3_l0_big_affine']) await mkdir(join(folder, name));
    await symlink(folder, join(folder, 'linked'));
    const cached = join(folder, 'linked');
    const released = (id: string, place: string, part?: string): ReleasedSae => ({
      release: 'set',
      id,
      repo: 'a/set',
      files: { kind: 'files', folder: place, files: [place] },
      ...(part && { part }),
    });
    const saes = [
      released('big', 'layer_3_l0_big'),
      released('third', '', 'layer_3.pt'),
      released('absent', 'layer_4'),
      { ...released('temporal', 'layer_5'), problem: 'its features depend on [others](command:x)' },
    ];
    const listed = (id: string): SaeInfo =>
      ({ id, path: id.split('#')[0], hook: 'blocks.0.hook_resid_post', layer: 0, dSae: 8 }) as SaeInfo;
    const services = openWindow({
      listReleases: async () => [{ release: 'set', model: 'mini', repo: 'a/set', saes }],
      listSaes: async () => [
        listed(join(folder, 'layer_3_l0_big_affine')),
        listed(join(folder, 'layer_3_l0_big')),
        listed(`${folder}#layer_2.pt`),
        listed(`${folder}#layer_3.pt`),
        listed('/elsewhere/new'),
      ],
      locateCached: async ({ what }) => ({ path: join(cached, (what as NamedFiles).folder) }),
    });
    const choose = async (label: string) => {
      screen.answers = ['Public Releases', 'set', label];
      await chooseSae(services);
      return services.models.sae?.id;
    };
    expect(await choose('big')).toBe(join(folder, 'layer_3_l0_big'));
    expect(await choose('third')).toBe(`${folder}#layer_3.pt`);
    // What is listed already brings no folder into the settings.
    expect(screen.folders).toEqual([]);
    expect(await choose('absent')).toBe(`${folder}#layer_3.pt`);
    expect(screen.warnings).toEqual([`${join(cached, 'layer_4')} cannot be used: no SAE was found there`]);
    expect(screen.offered.at(-1)?.refuse?.({ label: 'temporal', sae: saes[3] } as never)).toContain(
      'temporal cannot',
    );
  });

  it('makes no link of what a file says, and says when there is no release', async () => {
    const sae = { ...base, id: 'layer 1' };
    const release = { release: 'scope', model: 'gemma', repo: 'google/scope', saes: [sae] };
    const problem = 'see [here](command:x)';
    const services = openWindow({
      listReleases: async () => [release],
      locateCached: async () => ({ path: '/cache/scope' }),
      listSaes: async () => [
        {
          id: '/cache/scope',
          path: '/cache/scope',
          architecture: 'standard',
          name: 'x',
          hook: 'x',
          layer: 0,
          dSae: 8,
          problem,
        } as SaeInfo,
      ],
    });
    screen.answers = ['Public Releases', 'scope', 'layer 1'];
    await chooseSae(services);
    expect(screen.warnings).toEqual(['/cache/scope cannot be used: see [here] (command:x)']);
    const without = openWindow({ listReleases: async () => [] });
    screen.answers = ['Public Releases', 'No public release is known for mini.'];
    await chooseSae(without);
    expect(screen.wishes).toEqual([]);
  });
});
