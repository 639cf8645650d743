/** Writes a study: the report as Markdown with its numbers beside it, and its circuit as a document of its own. */

import * as vscode from 'vscode';
import { writeCircuit } from '../../shared/circuitDocument.ts';
import type { IoiStudy } from '../../shared/study.ts';
import { studyCircuitDocument } from '../../shared/studyCircuit.ts';
import { studyReport } from '../../shared/studyReport.ts';
import type { StudyQuestion } from './studySession.ts';

/** Asks where to save the report; the JSON gets the same name. */
export async function saveReport(study: IoiStudy, { model }: StudyQuestion): Promise<void> {
  const target = await vscode.window.showSaveDialog({
    defaultUri: suggest(`${fileName(model.name)}.ioi.md`),
    filters: { Markdown: ['md'] },
    title: vscode.l10n.t('Save Report'),
  });
  if (!target) return;
  const json = target.with({ path: `${target.path.replace(/\.md$/, '')}.json` });
  await write(target, studyReport(study, model.name));
  await write(json, `${JSON.stringify(study, null, 2)}\n`);
  const open = vscode.l10n.t('Open');
  const name = vscode.workspace.asRelativePath(target);
  const message = vscode.l10n.t('Saved {0}, with its numbers as JSON beside it', name);
  const chosen = await vscode.window.showInformationMessage(message, open);
  if (chosen === open) await vscode.commands.executeCommand('vscode.open', target);
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
