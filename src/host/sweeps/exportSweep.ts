/** Saves a sweep as a file of the user's choice. */

import * as vscode from 'vscode';
import { sweepCsv, sweepJson } from '../../shared/sweepExport.ts';
import type { SweepView } from '../../shared/sweepViewApi.ts';

/** What a sweep is saved as. */
export type SweepExport = 'csv' | 'json' | 'svg';

/** Asks where to save, and writes the table, the JSON, or the picture that the view drew. */
export async function exportSweep(
  sweep: SweepView,
  kind: SweepExport,
  svg: string | undefined,
): Promise<void> {
  if (!sweep.outline || (kind === 'svg' && svg === undefined)) return;
  const target = await vscode.window.showSaveDialog({
    defaultUri: suggestFile(sweep, kind),
    filters: filtersOf(kind),
    title: vscode.l10n.t('Export Sweep'),
  });
  if (!target) return;
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(textOf(sweep, kind, svg)));
  const open = vscode.l10n.t('Open');
  const name = vscode.workspace.asRelativePath(target);
  const chosen = await vscode.window.showInformationMessage(vscode.l10n.t('Saved {0}', name), open);
  if (chosen === open) await vscode.commands.executeCommand('vscode.open', target);
}

function textOf(sweep: SweepView, kind: SweepExport, svg = ''): string {
  if (kind === 'svg') return svg;
  return kind === 'csv' ? sweepCsv(sweep) : sweepJson(sweep);
}

function filtersOf(kind: SweepExport): Record<string, string[]> {
  return { [kind.toUpperCase()]: [kind] };
}

function suggestFile({ title }: SweepView, kind: SweepExport): vscode.Uri | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const words = title.match(/[\p{L}\p{N}_]+/gu) ?? ['sweep'];
  return folder && vscode.Uri.joinPath(folder, `${words.join('-').slice(0, 80)}.${kind}`);
}
