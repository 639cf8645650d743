/** Commands about the model, its SAEs, and saved interventions. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { readSetting, writeSetting } from '../contributions.ts';
import { readInterventions, writeInterventions } from '../interventionFile.ts';
import type { CommandServices } from '../services.ts';
import { siteName } from '../views/modelTree.ts';

const recentKey = 'recentModels';

/** So many folders are remembered. */
const mostRecent = 8;

interface ModelItem extends vscode.QuickPickItem {
  /** The setting's value; the empty text stands for the embedded model. */
  readonly path?: string;
}

/** Asks for a model: the embedded one, a recent folder, or another folder. */
export async function chooseModel(services: CommandServices): Promise<void> {
  const chosen = await vscode.window.showQuickPick(modelItems(services), {
    title: vscode.l10n.t('Choose Model'),
    placeHolder: vscode.l10n.t('A folder with config.json, model.safetensors and tokenizer.json'),
  });
  if (!chosen) return;
  const path = chosen.path ?? (await askFolder());
  if (path === undefined) return;
  await rememberModel(services, path);
  if (path === readSetting('modelPath')) {
    await services.models.reload();
    return;
  }
  await writeSetting('modelPath', path);
  await services.models.ensure();
}

/** Asks for the SAE whose features are shown. */
export async function chooseSae({ models }: CommandServices, given?: unknown): Promise<void> {
  if (typeof given === 'string') return models.chooseSae(given);
  await models.ensure();
  if (models.saes.length === 0) return offerSaeFolder(models.name);
  const items = models.saes.map((sae) => ({
    label: vscode.l10n.t('Layer {0} · {1}', sae.layer, siteName(sae)),
    description: vscode.l10n.t('{0} features', sae.dSae.toLocaleString('en-US')),
    detail: sae.id === models.sae?.id ? vscode.l10n.t('shown now') : undefined,
    id: sae.id,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Choose SAE'),
    placeHolder: vscode.l10n.t('Whose features to show'),
  });
  if (chosen) models.chooseSae(chosen.id);
}

/** Saves the stack as a file. */
export async function saveInterventions({ documents, session, models }: CommandServices): Promise<void> {
  const model = await models.ensure();
  const target = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save Interventions'),
    defaultUri: suggestFile(documents.document),
    // A filter of two parts would be appended again to a name that has it.
    filters: { [vscode.l10n.t('Interventions')]: ['json'] },
  });
  if (!target) return;
  const text = writeInterventions({
    version: 1,
    model: { name: model.name, hash: model.hash },
    contrast: session.contrast,
    edits: session.interventions.edits,
  });
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
}

/** Opens a stack from a file, in place of the one there is; undo brings that back. */
export async function openInterventions({ session, models }: CommandServices): Promise<void> {
  const [file] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Open Interventions'),
      filters: { [vscode.l10n.t('Interventions')]: ['json'] },
    })) ?? [];
  if (!file) return;
  const model = await models.ensure();
  const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
  const content = readInterventions(file.fsPath, text);
  if (content.model.hash !== model.hash && !(await confirmOtherModel(content.model.name, model.name))) return;
  session.interventions.replaceAll(content.edits);
  if (content.contrast) session.setContrast(content.contrast);
}

function modelItems({ context }: CommandServices): ModelItem[] {
  const current = readSetting('modelPath');
  const recent = context.globalState.get<readonly string[]>(recentKey, []);
  const shown = (path: string): string | undefined =>
    path === current ? vscode.l10n.t('shown now') : undefined;
  return [
    {
      label: vscode.l10n.t('Embedded Model'),
      description: vscode.l10n.t('comes with Fovea, needs no download'),
      detail: shown(''),
      path: '',
    },
    { label: `$(folder-opened) ${vscode.l10n.t('Open Folder…')}`, alwaysShow: true },
    ...recent.map((path) => ({ label: basename(path), description: path, detail: shown(path), path })),
  ];
}

async function askFolder(): Promise<string | undefined> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Open Model Folder'),
      openLabel: vscode.l10n.t('Open Model'),
      canSelectFolders: true,
      canSelectFiles: false,
    })) ?? [];
  return folder?.fsPath;
}

async function rememberModel({ context }: CommandServices, path: string): Promise<void> {
  if (path === '') return;
  const others = context.globalState.get<readonly string[]>(recentKey, []).filter((other) => other !== path);
  await context.globalState.update(recentKey, [path, ...others].slice(0, mostRecent));
}

async function offerSaeFolder(model: string): Promise<void> {
  const add = vscode.l10n.t('Add a Folder…');
  const message = vscode.l10n.t(
    'There are no SAEs for {0}. They are looked for in its folder "saes" and in the folders of the settings.',
    model,
  );
  if ((await vscode.window.showInformationMessage(message, add)) !== add) return;
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Add a Folder With SAEs'),
      canSelectFolders: true,
      canSelectFiles: false,
    })) ?? [];
  if (folder) await writeSetting('saeFolders', [...readSetting('saeFolders'), folder.fsPath]);
}

async function confirmOtherModel(saved: string, current: string): Promise<boolean> {
  const open = vscode.l10n.t('Open Anyway');
  const message = vscode.l10n.t(
    'These interventions were made for {0}, not for {1}. Layers, heads and features may mean something else.',
    saved,
    current,
  );
  return (await vscode.window.showWarningMessage(message, { modal: true }, open)) === open;
}

function suggestFile(document: vscode.TextDocument | undefined): vscode.Uri | undefined {
  if (document && document.uri.scheme !== 'untitled') {
    const name = basename(document.uri.path).replace(/(\.prompt)?\.txt$/, '');
    return vscode.Uri.joinPath(document.uri, '..', `${name}.interventions.json`);
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  return folder && vscode.Uri.joinPath(folder, 'prompt.interventions.json');
}
