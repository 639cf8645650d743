/** Tells what a search for a circuit will take, and asks whether it is to start. */

import * as vscode from 'vscode';
import type { CallOptions } from '../../shared/callOptions.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatNumber } from '../../shared/format.ts';
import type { SearchEstimate } from '../../shared/searchEstimate.ts';

/** False when the user backs out, of the estimate or of the search. */
export async function confirmSearch(
  title: string,
  estimate: (call: CallOptions) => Promise<SearchEstimate>,
): Promise<boolean> {
  const found = await measured(title, estimate);
  if (!found) return false;
  const start = { label: `$(play) ${vscode.l10n.t('Start')}`, detail: wordSearch(found) };
  const placeHolder = vscode.l10n.t('It can be cancelled at any time.');
  return (await vscode.window.showQuickPick([start], { title, placeHolder })) === start;
}

/** An estimate in words. */
export function wordSearch({ forward, backward, memory, seconds }: SearchEstimate): string {
  return vscode.l10n.t(
    'About {0} s and at most {1} MB beside the model: {2} prompts forward, {3} back',
    formatNumber(seconds),
    formatNumber(Math.ceil(memory / 1e6)),
    formatNumber(forward),
    formatNumber(backward),
  );
}

/** The estimate, with a button that leaves it; nothing when it was pressed. */
async function measured(
  title: string,
  estimate: (call: CallOptions) => Promise<SearchEstimate>,
): Promise<SearchEstimate | undefined> {
  const location = vscode.ProgressLocation.Notification;
  const told = vscode.l10n.t('{0}: timing a few runs', title);
  return vscode.window.withProgress({ location, title: told, cancellable: true }, async (_, token) => {
    const controller = new AbortController();
    const stop = token.onCancellationRequested(() => controller.abort());
    try {
      return await estimate({ signal: controller.signal });
    } catch (error) {
      if (isEngineError(error, 'cancelled')) return undefined;
      throw error;
    } finally {
      stop.dispose();
    }
  });
}
