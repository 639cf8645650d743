/** Commands that save interventions as a file and open them again. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { readInterventions, writeInterventions } from '../interventionFile.ts';
import type { CommandServices } from '../services.ts';

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
