/** Taking SAEs off the list: the folder of the settings that brings them goes, after a question when it brings others. */
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { removeSae } from '../../../../src/host/commands/removeSae.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import { window } from '../../../fixtures/vscodeStub.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const screen = vi.hoisted(() => ({
  folders: [] as readonly string[],
  asked: [] as string[],
  answer: undefined as string | undefined,
}));

vi.mock('../../../../src/host/contributions.ts', () => ({
  readSetting: () => screen.folders,
  writeSetting: async (_name: string, value: readonly string[]) => {
    screen.folders = value;
  },
}));
vi.mock('../../../../src/host/commands/saeCommands.ts', () => ({ requireSae: async () => undefined }));

beforeEach(() => {
  Object.assign(screen, { folders: [], asked: [], answer: undefined });
  vi.spyOn(window, 'showWarningMessage').mockImplementation(async (words) => {
    screen.asked.push(words);
    return screen.answer;
  });
});

function servicesWith(...ids: readonly string[]) {
  const saes = ids.map((id) => ({ id, path: id.split('#')[0] }) as SaeInfo);
  const refreshSaes = vi.fn(async () => undefined);
  return { services: { models: { saes, refreshSaes } } as unknown as CommandServices, refreshSaes };
}

it('removes the entry that brings this SAE alone, whatever it is called, and no other', async () => {
  const root = await realpath(await temporaryFolder());
  for (const name of ['one', 'one-more', 'set']) await mkdir(join(root, name));
  await symlink(join(root, 'one'), join(root, 'link'));
  await writeFile(join(root, 'set', 'layer_1.pt'), '');
  const others = [join(root, 'one-more'), '/gone'];
  const { services, refreshSaes } = servicesWith(join(root, 'one'), `${join(root, 'set')}#layer_1.pt`);
  screen.folders = [join(root, 'link'), ...others];
  await removeSae(services, join(root, 'one'));
  expect(screen.folders).toEqual(others);
  expect(refreshSaes).toHaveBeenCalledTimes(1);
  for (const entry of ['set/layer_1.pt', 'set#layer_1.pt', 'set']) {
    screen.folders = [...others, join(root, entry)];
    await removeSae(services, `${join(root, 'set')}#layer_1.pt`);
    expect(screen.folders).toEqual(others);
  }
  expect(screen.asked).toEqual([]);
});

it('asks when the entry brings others too, and keeps it without an answer', async () => {
  const root = await realpath(await temporaryFolder());
  const { services, refreshSaes } = servicesWith(join(root, 'a'), join(root, 'b'), '/models/mini/saes/c');
  screen.folders = [root];
  await removeSae(services, join(root, 'a'));
  expect(screen.asked).toEqual([`Remove ${root} from the list? It holds 2 SAEs. Nothing is deleted.`]);
  expect(screen.folders).toEqual([root]);
  expect(refreshSaes).not.toHaveBeenCalled();
  screen.answer = 'Remove';
  await removeSae(services, join(root, 'a'));
  expect(screen.folders).toEqual([]);
  await removeSae(services, '/models/mini/saes/c');
  expect(screen.asked.at(-1)).toContain('lies beside the model');
});
