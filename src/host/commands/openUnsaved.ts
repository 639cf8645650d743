/** New texts in editors, not saved yet, with names that no file beside them has. */

import * as vscode from 'vscode';

/** Shows `text` as an unsaved file `stem` + `ending` in `folder`: the workspace's first one when left out. */
export async function openUnsaved(
  stem: string,
  ending: string,
  text: string,
  folder: vscode.Uri | undefined = vscode.workspace.workspaceFolders?.[0]?.uri,
): Promise<void> {
  const uri = await freeUri(stem, ending, folder);
  const document = await vscode.workspace.openTextDocument(uri);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(uri, new vscode.Position(0, 0), text);
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(document);
}

async function freeUri(stem: string, ending: string, folder: vscode.Uri | undefined): Promise<vscode.Uri> {
  for (let number = 1; ; number++) {
    const name = `${stem}${number === 1 ? '' : `-${number}`}${ending}`;
    const file = folder && vscode.Uri.joinPath(folder, name);
    const uri = vscode.Uri.from({ scheme: 'untitled', path: file?.path ?? name, authority: file?.authority });
    const isOpen = vscode.workspace.textDocuments.some((open) => open.uri.path === uri.path);
    if (!isOpen && !(file && (await exists(file)))) return uri;
  }
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}
