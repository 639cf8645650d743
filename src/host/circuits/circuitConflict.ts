/** What is asked before a circuit file is saved that others have changed, or that another tool wrote. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { Disposable } from '../disposable.ts';
import { circuitFileEnding } from '../names.ts';
import type { ConflictAnswer } from './diskCopy.ts';

const scheme = 'fovea-circuit';

/** Asks what is to become of a file that has changed on disk. */
export async function askConflict(uri: vscode.Uri): Promise<ConflictAnswer> {
  const overwrite = vscode.l10n.t('Overwrite');
  const revert = vscode.l10n.t('Revert');
  const compare = vscode.l10n.t('Compare');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('{0} has changed on disk since it was opened.', basename(uri.path)),
    {
      modal: true,
      detail: vscode.l10n.t(
        'Overwrite replaces what is there with your circuit. Revert reads the file again and drops your changes.',
      ),
    },
    overwrite,
    revert,
    compare,
  );
  if (chosen === overwrite) return 'overwrite';
  if (chosen === revert) return 'revert';
  return chosen === compare ? 'compare' : undefined;
}

/** Whether VS Code saves this file without being asked to. */
export function isSavedByItself(uri: vscode.Uri): boolean {
  return vscode.workspace.getConfiguration('files', uri).get<string>('autoSave', 'off') !== 'off';
}

/** Tells that changes of another tool's graph stay in the editor; true when the user wants a file for them. */
export async function offerOwnFile(uri: vscode.Uri): Promise<boolean> {
  const saveAs = vscode.l10n.t('Save As…');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t(
      '{0} is an attribution graph of another tool and is not saved by itself. Your changes stay in the editor; save them as a circuit of their own to keep them.',
      basename(uri.path),
    ),
    saveAs,
  );
  return chosen === saveAs;
}

/** Asks where another tool's graph goes as a circuit of Fovea's own; undefined when nowhere. Who `knows` is not told why. */
export async function askOwnFile(uri: vscode.Uri, knows: boolean): Promise<vscode.Uri | undefined> {
  if (!knows && !(await explainOwnFile(uri))) return undefined;
  const stem = basename(uri.path).replace(/(\.circuit)?\.json$/, '');
  return vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.joinPath(uri, '..', `${stem}.fovea.${circuitFileEnding}`),
    filters: { [vscode.l10n.t('Circuit')]: ['json'] },
    title: vscode.l10n.t('Save Circuit'),
  });
}

async function explainOwnFile(uri: vscode.Uri): Promise<boolean> {
  const saveAs = vscode.l10n.t('Save As…');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('{0} is an attribution graph of another tool.', basename(uri.path)),
    {
      modal: true,
      detail: vscode.l10n.t(
        'Saving would replace it with a Fovea circuit, which other tools cannot read. Save the circuit as another file; this one stays as it is.',
      ),
    },
    saveAs,
  );
  return chosen === saveAs;
}

/** Shows the texts of two versions of a circuit file beside each other. */
export class CircuitTexts extends Disposable {
  private readonly texts = new Map<string, string>();

  constructor() {
    super();
    const provideTextDocumentContent = ({ path }: vscode.Uri): string => this.texts.get(path) ?? '';
    this.own(vscode.workspace.registerTextDocumentContentProvider(scheme, { provideTextDocumentContent }));
  }

  async compare(uri: vscode.Uri, disk: Uint8Array, own: Uint8Array): Promise<void> {
    const name = basename(uri.path);
    // Names that the circuit editor does not take: it is the text that differs.
    const left = this.put(uri, 'disk', disk);
    const right = this.put(uri, 'editor', own);
    const title = vscode.l10n.t('{0}: on disk ↔ in the editor', name);
    await vscode.commands.executeCommand('vscode.diff', left, right, title);
  }

  private put(uri: vscode.Uri, side: string, bytes: Uint8Array): vscode.Uri {
    const path = `${uri.path}.${this.texts.size}.${side}.json`;
    this.texts.set(path, new TextDecoder().decode(bytes));
    return vscode.Uri.from({ scheme, path });
  }
}
