/** Saves the circuit as a file of the user's choice. */

import * as vscode from 'vscode';
import { portableCircuit } from '../../shared/portableCircuit.ts';
import type { Services } from '../services.ts';

/** Asks where to save, and writes the picture that the view drew or the graph as JSON. */
export async function saveExport(
  { circuits, documents, models }: Pick<Services, 'circuits' | 'documents' | 'models'>,
  kind: 'svg' | 'json',
  svg: string | undefined,
): Promise<void> {
  const graph = circuits.found?.graph;
  if (!graph || (kind === 'svg' && svg === undefined)) return;
  const target = await vscode.window.showSaveDialog({
    defaultUri: suggestFile(documents.document, kind),
    filters: kind === 'svg' ? { SVG: ['svg'] } : { JSON: ['json'] },
    title: vscode.l10n.t('Export Circuit'),
  });
  if (!target) return;
  const hookOf = (sae: string): string | undefined => models.saes.find(({ id }) => id === sae)?.hook;
  const text = kind === 'svg' ? (svg ?? '') : `${JSON.stringify(portableCircuit(graph, hookOf), null, 2)}\n`;
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
  const open = vscode.l10n.t('Open');
  const name = vscode.workspace.asRelativePath(target);
  const chosen = await vscode.window.showInformationMessage(vscode.l10n.t('Saved {0}', name), open);
  if (chosen === open) await vscode.commands.executeCommand('vscode.open', target);
}

function suggestFile(document: vscode.TextDocument | undefined, kind: string): vscode.Uri | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const name = `circuit.${kind}`;
  if (document && document.uri.scheme !== 'untitled') {
    return vscode.Uri.joinPath(document.uri, '..', name);
  }
  return folder && vscode.Uri.joinPath(folder, name);
}
