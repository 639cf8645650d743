/** Writes a study: the report as Markdown with its numbers beside it, and its circuit as a document of its own. */

import * as vscode from 'vscode';
import { writeCircuit } from '../../shared/circuitDocument.ts';
import type { IoiStudy } from '../../shared/study.ts';
import { studyCircuitDocument } from '../../shared/studyCircuit.ts';
import { studyReport } from '../../shared/studyReport.ts';
import type { StudyQuestion } from './keptStudy.ts';
import { numbersPath } from './numbersPath.ts';

/** Asks where to save the report, and before the numbers beside it replace a file. Answers whether it was saved. */
export async function saveReport(study: IoiStudy, { model }: StudyQuestion): Promise<boolean> {
  const target = await vscode.window.showSaveDialog({
    defaultUri: suggest(`${fileName(model.name)}.ioi.md`),
    filters: { Markdown: ['md'] },
    title: vscode.l10n.t('Save Report'),
  });
  if (!target) return false;
  const json = target.with({ path: numbersPath(target.path) });
  if (!(await mayWrite(json))) return false;
  await write(target, studyReport(study, model.name));
  await write(json, `${JSON.stringify(study, null, 2)}\n`);
  const open = vscode.l10n.t('Open');
  const name = vscode.workspace.asRelativePath(target);
  const message = vscode.l10n.t(
    'Saved {0}, with its numbers beside it in {1}',
    name,
    json.path.slice(json.path.lastIndexOf('/') + 1),
  );
  void vscode.window.showInformationMessage(message, open).then((chosen) => {
    if (chosen === open) void vscode.commands.executeCommand('vscode.open', target);
  });
  return true;
}

/** The save dialog asked about the report only. */
async function mayWrite(json: vscode.Uri): Promise<boolean> {
  const isThere = await vscode.workspace.fs.stat(json).then(
    () => true,
    () => false,
  );
  if (!isThere) return true;
  const replace = vscode.l10n.t('Replace');
  const name = vscode.workspace.asRelativePath(json);
  const message = vscode.l10n.t('{0} is there already. The numbers of the study would replace it.', name);
  return (await vscode.window.showWarningMessage(message, { modal: true }, replace)) === replace;
}

/** Asks where to save the circuit, and opens the file with whatever opens circuits. */
export async function openStudyCircuit(study: IoiStudy, question: StudyQuestion): Promise<void> {
  const document = studyCircuitDocument(study, {
    pairs: { kind: 'task', task: question.task },
    circuitPairs: question.request.circuitPairs,
  });
  if (!document) return;
  const target = await vscode.window.showSaveDialog({
    defaultUri: suggest(`${fileName(question.model.name)}.ioi.circuit.json`),
    filters: { [vscode.l10n.t('Circuit')]: ['circuit.json', 'json'] },
    title: vscode.l10n.t('Save Circuit'),
  });
  if (!target) return;
  await write(target, writeCircuit(document));
  await vscode.commands.executeCommand('vscode.open', target);
}

function suggest(name: string): vscode.Uri | undefined {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  return folder && vscode.Uri.joinPath(folder, name);
}

/** Names of models come from files. */
function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '') || 'model';
}

async function write(target: vscode.Uri, text: string): Promise<void> {
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
}
