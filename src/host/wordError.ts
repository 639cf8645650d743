/** Puts failures into words in the user's language, and shows those of commands. */

import * as vscode from 'vscode';
import { type EngineError, errorTemplates, isEngineError } from '../shared/errors.ts';
import { runCommand } from './contributions.ts';
import { describeForLog, type Log } from './log.ts';
import type { CommandName } from './names.ts';
import { plainMessage } from './plainTitle.ts';

/** What happened and what to do about it. */
export function wordError(error: unknown): string {
  if (isEngineError(error)) {
    const plain = Object.entries(error.data).map(([key, value]) => [key, plainMessage(String(value))]);
    const values = Object.fromEntries(plain);
    const written = writtenFile(error);
    if (written !== undefined && isEngineError(error, 'file.malformed')) {
      const path = plainMessage(vscode.workspace.asRelativePath(written));
      return vscode.l10n.t('{path}: {field} should be {expected}, but is {found}.', { ...values, path });
    }
    return vscode.l10n.t(errorTemplates[error.code], values);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return vscode.l10n.t('Something unexpected went wrong: {0}. The log has the details.', reason);
}

/** The one command that helps most after a failure. */
export function remedyFor(error: unknown): { readonly title: string; readonly command: RemedyCommand } {
  if (!isEngineError(error)) return { title: vscode.l10n.t('Show Log'), command: 'showLog' };
  if (error.code === 'engine.stopped') {
    return { title: vscode.l10n.t('Restart Engine'), command: 'restartEngine' };
  }
  if (error.code === 'answer.notOneToken') {
    return { title: vscode.l10n.t('Set Contrast…'), command: 'setContrast' };
  }
  if (error.code.startsWith('sae.')) return { title: vscode.l10n.t('Choose SAE…'), command: 'chooseSae' };
  if (/^(model|tokenizer|handle)\./.test(error.code) || isOfModel(error)) {
    return { title: vscode.l10n.t('Choose Model…'), command: 'chooseModel' };
  }
  return { title: vscode.l10n.t('Show Log'), command: 'showLog' };
}

/** Files that people write, as errors name them: such a file is corrected, not downloaded again. */
function writtenFile(error: unknown): string | undefined {
  if (!isEngineError(error) || !error.code.startsWith('file.')) return undefined;
  const { path } = error.data as { readonly path: string };
  return /\.(circuit|fovea)\.json$|\.jsonl$/i.test(path) ? path : undefined;
}

/** Whether the file is of a model or an SAE: their folders, weights, configs and tokenizers. */
function isOfModel(error: EngineError): boolean {
  if (!error.code.startsWith('file.')) return false;
  const { path } = error.data as { readonly path: string };
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return /^(config|cfg|.*tokenizer.*|.*index|sparsity|vocab|merges)\.(json|txt)$/i.test(name)
    ? true
    : !/\.(json|jsonl|txt|md|csv|pt)$/i.test(name);
}

type RemedyCommand = Extract<
  CommandName,
  'showLog' | 'restartEngine' | 'setContrast' | 'chooseSae' | 'chooseModel'
>;

/** Tells the user that a command failed; `again` is the command that asks for another file. Cancelling is no failure. */
export function showError(error: unknown, log: Log, again?: CommandName): void {
  if (isEngineError(error, 'cancelled') || error instanceof vscode.CancellationError) return;
  log.error(describeForLog(error));
  const { title, run } = remedyOfCommand(error, again);
  void vscode.window.showErrorMessage(wordError(error), title).then((chosen) => {
    if (chosen === title) void run();
  });
}

/** What helps after a command: a file that was chosen is chosen again, one that people write is opened where it is wrong. */
function remedyOfCommand(
  error: unknown,
  again: CommandName | undefined,
): { readonly title: string; readonly run: () => PromiseLike<unknown> } {
  const isFile = isEngineError(error) && error.code.startsWith('file.');
  if (isFile && again !== undefined) {
    return { title: vscode.l10n.t('Choose Another File…'), run: () => runCommand(again) };
  }
  const written = writtenFile(error);
  if (written !== undefined && !isEngineError(error, 'file.missing')) {
    return { title: vscode.l10n.t('Show Problem'), run: () => showProblem(vscode.Uri.file(written)) };
  }
  const { title, command } = remedyFor(error);
  return { title, run: () => runCommand(command) };
}

async function showProblem(uri: vscode.Uri): Promise<void> {
  await vscode.commands.executeCommand('vscode.openWith', uri, 'default');
  await vscode.commands.executeCommand('workbench.actions.view.problems');
}
