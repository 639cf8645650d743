/** Choosing a model: the embedded one, one that lies on this machine, or one of the hub. */

import { join } from 'node:path';
import * as vscode from 'vscode';
import { formatBytes } from '../../shared/format.ts';
import type { LocalModel } from '../../shared/hubApi.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { familyName } from '../describeModel.ts';
import { describeForLog } from '../log.ts';
import { modelNameOf } from '../modelName.ts';
import { plainTitle } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { downloadModel } from './hubCommands.ts';
import { pickItem } from './pickItem.ts';

const recentKey = 'recentModels';

/** So many are remembered. */
const mostRecent = 8;

interface ModelItem extends vscode.QuickPickItem {
  /** Answers the setting's value; the empty text stands for the embedded model, nothing for a choice that was left. */
  readonly choose?: () => Promise<string | undefined>;
  /** Why it cannot be opened. */
  readonly problem?: string;
}

/** Asks for a model and opens it. A link may name its path; the empty text is the embedded model. */
export async function chooseModel(services: CommandServices, given?: unknown): Promise<void> {
  const path = typeof given === 'string' ? given : await pickModel(services);
  // The embedded model's path changes with every version of the extension.
  const isEmbedded = path === join(services.context.extensionPath, 'models', 'mini');
  if (path !== undefined) await openModel(services, isEmbedded ? '' : path);
}

async function openModel(services: CommandServices, path: string): Promise<void> {
  await rememberModel(services, path);
  if (path === readSetting('modelPath')) {
    await services.models.reload();
    return;
  }
  await writeSetting('modelPath', path);
  await services.models.ensure();
}

async function pickModel(services: CommandServices): Promise<string | undefined> {
  const { engine, log } = services;
  const chosen = await pickItem<ModelItem>({
    title: vscode.l10n.t('Choose Model'),
    placeholder: vscode.l10n.t('A folder of Hugging Face files, a GGUF file, or a repository of the hub'),
    items: modelItems(services, []),
    fill: async (signal) => {
      const request = { folders: readSetting('modelFolders') };
      try {
        return modelItems(services, await engine.listLocalModels(request, { signal }));
      } catch (error) {
        // What does not have to be looked for can still be chosen.
        if (!signal.aborted) log.warn(`Models could not be listed: ${describeForLog(error)}`);
        return undefined;
      }
    },
    refuse: ({ label, problem }) =>
      problem && vscode.l10n.t('{0} cannot be opened: {1}', label.replace(/^\$\(\w+\) /, ''), problem),
  });
  return chosen?.choose?.();
}

function modelItems(services: CommandServices, local: readonly LocalModel[]): ModelItem[] {
  const listed = new Set(local.map(({ path }) => path));
  const recent = recentModels(services).filter((path) => !listed.has(path));
  const ofSource = (isWanted: (model: LocalModel) => boolean): ModelItem[] =>
    local.filter(isWanted).map((model) => localItem(services, model));
  return [
    ...section(vscode.l10n.t('Embedded'), [embeddedItem(services)]),
    ...section(
      vscode.l10n.t('Recent'),
      recent.map((path) => recentItem(services, path)),
    ),
    ...section(
      vscode.l10n.t('In the Hugging Face Cache'),
      ofSource(({ source }) => source === 'cache'),
    ),
    ...section(
      vscode.l10n.t('In Your Folders'),
      ofSource(({ source }) => source !== 'cache'),
    ),
    ...section(vscode.l10n.t('Elsewhere'), elsewhereItems(services)),
  ];
}

function section(label: string, items: readonly ModelItem[]): ModelItem[] {
  if (items.length === 0) return [];
  return [{ label, kind: vscode.QuickPickItemKind.Separator }, ...items];
}

function embeddedItem({ models }: CommandServices): ModelItem {
  const isShown = readSetting('modelPath') === '' && models.status === 'ready';
  return {
    label: vscode.l10n.t('Embedded Model'),
    description: described([vscode.l10n.t('comes with Fovea, needs no download'), shownNow(isShown)]),
    choose: async () => '',
  };
}

function recentItem(services: CommandServices, path: string): ModelItem {
  return {
    label: plainTitle(modelNameOf(path)),
    description: described([shownNow(isOpen(services, path))]),
    detail: path,
    choose: async () => path,
  };
}

function localItem(services: CommandServices, model: LocalModel): ModelItem {
  const { path, name, family, bytes, problem, source } = model;
  const kind = source === 'gguf' ? 'GGUF' : undefined;
  const localPath = source === 'cache' ? undefined : path;
  const facts = [family && familyName(family), kind, formatBytes(bytes), shownNow(isOpen(services, path))];
  return {
    label: problem === undefined ? plainTitle(name) : `$(warning) ${plainTitle(name)}`,
    description: described(facts),
    detail: problem === undefined ? localPath : plainTitle(problem),
    problem,
    choose: async () => path,
  };
}

function elsewhereItems(services: CommandServices): ModelItem[] {
  return [
    {
      label: `$(cloud-download) ${vscode.l10n.t('Download From the Hub…')}`,
      alwaysShow: true,
      choose: () => downloadModel(services),
    },
    {
      label: `$(folder-opened) ${vscode.l10n.t('Open Folder…')}`,
      alwaysShow: true,
      choose: () =>
        ask({ title: vscode.l10n.t('Open Model Folder'), canSelectFolders: true, canSelectFiles: false }),
    },
    {
      label: `$(file) ${vscode.l10n.t('Open GGUF File…')}`,
      alwaysShow: true,
      choose: () => ask({ title: vscode.l10n.t('Open GGUF File'), filters: { GGUF: ['gguf'] } }),
    },
  ];
}

async function ask(options: vscode.OpenDialogOptions): Promise<string | undefined> {
  const [chosen] =
    (await vscode.window.showOpenDialog({ ...options, openLabel: vscode.l10n.t('Open Model') })) ?? [];
  return chosen?.fsPath;
}

function isOpen({ models }: CommandServices, path: string): boolean {
  return models.status === 'ready' && (path === readSetting('modelPath') || path === models.model?.path);
}

function shownNow(isShown: boolean): string | undefined {
  return isShown ? vscode.l10n.t('shown now') : undefined;
}

function described(facts: readonly (string | undefined)[]): string {
  return facts.filter((fact) => fact !== undefined && fact !== '').join(' · ');
}

function recentModels({ context }: CommandServices): readonly string[] {
  return context.globalState.get<readonly string[]>(recentKey, []);
}

async function rememberModel(services: CommandServices, path: string): Promise<void> {
  if (path === '') return;
  const others = recentModels(services).filter((other) => other !== path);
  await services.context.globalState.update(recentKey, [path, ...others].slice(0, mostRecent));
}
