/** Choosing the SAE whose features are shown: a listed one, one of a public release, or one of another folder. */

import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import * as vscode from 'vscode';
import type { SaeInfo } from '../../shared/domain.ts';
import type { ReleasedSae, SaeRelease } from '../../shared/saeApi.ts';
import { saeId } from '../../shared/saeId.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { describeArchitecture, describeStatus, saeName, siteName } from '../describeSae.ts';
import { plainMessage, plainTitle } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { downloadPart } from './hubCommands.ts';
import { pickItem } from './pickItem.ts';
import { asSae } from './saeOfRow.ts';

interface SaeItem extends vscode.QuickPickItem {
  readonly choose?: () => Promise<void>;
  readonly problem?: string;
  readonly id?: string;
}

/** Asks for the SAE whose features are shown. A link or a row may name it. */
export async function chooseSae(services: CommandServices, given?: unknown): Promise<void> {
  const { models } = services;
  const named = asSae(services, given);
  if (named) return models.chooseSae(named.id);
  const model = await models.ensure();
  const chosen = await pickItem<SaeItem>({
    title: vscode.l10n.t('Choose SAE'),
    placeholder:
      models.saes.length === 0
        ? vscode.l10n.t('There is no SAE for {0} yet: where is one?', model.name)
        : vscode.l10n.t('Whose features to show'),
    items: saeItems(services, model.name),
    isActive: ({ id }) => id !== undefined && id === models.sae?.id,
    refuse: ({ label, problem }) => problem && vscode.l10n.t('{0} cannot be used: {1}', label, problem),
  });
  await chosen?.choose?.();
}

function saeItems(services: CommandServices, model: string): SaeItem[] {
  const { saes } = services.models;
  const listed = saes.filter((sae) => !sae.isOfOtherModel).map((sae) => listedItem(services, sae));
  const others = saes.filter((sae) => sae.isOfOtherModel).map((sae) => listedItem(services, sae));
  const separator = (label: string): SaeItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  return [
    ...(listed.length > 0 ? [separator(vscode.l10n.t('On This Machine')), ...listed] : []),
    separator(vscode.l10n.t('Elsewhere')),
    {
      label: `$(package) ${vscode.l10n.t('Public Releases for {0}…', plainTitle(model))}`,
      alwaysShow: true,
      choose: () => chooseRelease(services),
    },
    {
      label: `$(folder-opened) ${vscode.l10n.t('Add Folder…')}`,
      alwaysShow: true,
      choose: () => addFolder(services),
    },
    ...(others.length > 0 ? [separator(vscode.l10n.t('Of Other Models')), ...others] : []),
  ];
}

function listedItem({ models, checks }: CommandServices, sae: SaeInfo): SaeItem {
  const facts = [describeArchitecture(sae)];
  if (sae.problem === undefined) facts.push(describeStatus(checks.status(sae)));
  if (sae.id === models.sae?.id) facts.push(vscode.l10n.t('shown now'));
  return {
    label: plainTitle(vscode.l10n.t('Layer {0} · {1}', sae.layer, siteName(sae))),
    description: plainTitle(saeName(sae, models.saes)),
    detail: plainTitle(sae.problem ?? facts.join(' · ')),
    problem: sae.problem,
    id: sae.id,
    choose: async () => models.chooseSae(sae.id),
  };
}

/** Asks for a release, then for one of its SAEs, and fetches that unless it is there. */
async function chooseRelease(services: CommandServices): Promise<void> {
  const { engine, models } = services;
  const model = await models.ensure();
  const release = await pickItem<vscode.QuickPickItem & { readonly release?: SaeRelease }>({
    title: vscode.l10n.t('Public Releases for {0}', model.name),
    placeholder: vscode.l10n.t('From the list that comes with Fovea; nothing is fetched yet'),
    items: [],
    fill: async (signal) => {
      const releases = await engine.listReleases({ model: model.id }, { signal });
      return releases.length === 0 ? [noReleaseItem(model.name)] : releases.map(releaseItem);
    },
  });
  if (release?.release) await chooseReleased(services, release.release);
}

function noReleaseItem(model: string): vscode.QuickPickItem {
  return {
    label: vscode.l10n.t('No public release is known for {0}.', plainTitle(model)),
    detail: vscode.l10n.t('Folders with SAEs can be added all the same.'),
  };
}

function releaseItem(release: SaeRelease): vscode.QuickPickItem & { readonly release: SaeRelease } {
  const count =
    release.saes.length === 1 ? vscode.l10n.t('1 SAE') : vscode.l10n.t('{0} SAEs', release.saes.length);
  return { label: release.release, description: `${count} · ${release.repo}`, release };
}

async function chooseReleased(services: CommandServices, release: SaeRelease): Promise<void> {
  const chosen = await pickItem({
    title: release.release,
    placeholder: vscode.l10n.t('You are asked before anything is downloaded'),
    items: release.saes.map((sae) => ({
      label: sae.id,
      description: releasedFacts(sae),
      detail: sae.problem,
      sae,
    })),
    refuse: ({ sae }) => sae.problem && vscode.l10n.t('{0} cannot be used: {1}', sae.id, sae.problem),
  });
  if (!chosen) return;
  const { sae } = chosen;
  const path = await locateOrFetch(services, sae);
  if (path === undefined) return;
  const id = saeId({ folder: await realPath(path), part: sae.part });
  const isWanted = (one: SaeInfo): boolean => one.id === id;
  // One that is listed already needs no other folder in the settings.
  const listed = services.models.saes.find(isWanted);
  if (listed && listed.problem === undefined) return services.models.chooseSae(id);
  await addAndChoose(services, path, isWanted);
}

function releasedFacts({ id, hook, l0 }: ReleasedSae): string {
  const facts: string[] = [];
  if (hook !== undefined && hook !== id) facts.push(hook);
  if (l0 !== undefined) facts.push(vscode.l10n.t('L0 {0}', Math.round(l0)));
  return facts.join(' · ');
}

async function locateOrFetch(services: CommandServices, sae: ReleasedSae): Promise<string | undefined> {
  const { repo, files: what } = sae;
  const { path } = await services.engine.locateCached({ repo, what });
  return path ?? downloadPart(services, { repo, what, title: `${sae.release}/${sae.id}` });
}

async function addFolder(services: CommandServices): Promise<void> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Add a Folder With SAEs'),
      openLabel: vscode.l10n.t('Add Folder'),
      canSelectFolders: true,
      canSelectFiles: false,
    })) ?? [];
  if (!folder) return;
  const path = await realPath(folder.fsPath);
  const isBelow = (sae: SaeInfo): boolean => sae.path === path || sae.path.startsWith(path + sep);
  await addAndChoose(services, folder.fsPath, isBelow);
}

/** SAEs are named by real paths; what is not there keeps its name. */
async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Lists what lies below `folder` from now on and shows the first that is wanted and can be used. */
async function addAndChoose(
  { models }: CommandServices,
  folder: string,
  isWanted: (sae: SaeInfo) => boolean,
): Promise<void> {
  const folders = readSetting('saeFolders');
  if (!folders.includes(folder)) await writeSetting('saeFolders', [...folders, folder]);
  await models.refreshSaes();
  const wanted = models.saes.filter(isWanted);
  const usable = wanted.find(({ problem }) => problem === undefined);
  if (usable) return models.chooseSae(usable.id);
  const reason = wanted[0]?.problem ?? vscode.l10n.t('no SAE was found there');
  const words = vscode.l10n.t('{0} cannot be used: {1}', folder, reason);
  void vscode.window.showWarningMessage(plainMessage(words));
}
