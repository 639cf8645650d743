/** Puts failures into words in the user's language, and shows those of commands. */

import * as vscode from 'vscode';
import { errorTemplates, isEngineError } from '../shared/errors.ts';
import { runCommand } from './contributions.ts';
import { describeForLog, type Log } from './log.ts';
import type { CommandName } from './names.ts';
import { plainMessage } from './plainTitle.ts';

/** What happened and what to do about it. */
export function wordError(error: unknown): string {
  if (isEngineError(error)) {
    const plain = Object.entries(error.data).map(([key, value]) => [key, plainMessage(String(value))]);
    const values = Object.fromEntries(plain);
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
  if (/^(file|model|tokenizer|handle)\./.test(error.code)) {
    return { title: vscode.l10n.t('Choose Model…'), command: 'chooseModel' };
  }
  return { title: vscode.l10n.t('Show Log'), command: 'showLog' };
}

type RemedyCommand = Extract<
  CommandName,
  'showLog' | 'restartEngine' | 'setContrast' | 'chooseSae' | 'chooseModel'
>;

/** Tells the user that a command failed. Cancelling is no failure. */
export function showError(error: unknown, log: Log): void {
  if (isEngineError(error, 'cancelled') || error instanceof vscode.CancellationError) return;
  log.error(describeForLog(error));
  const { title, command } = remedyFor(error);
  void vscode.window.showErrorMessage(wordError(error), title).then((chosen) => {
    if (chosen === title) void runCommand(command);
  });
}
