/** Tells what a search for a circuit will take, and asks whether it is to start. */

import * as vscode from 'vscode';
import type { CallOptions } from '../../shared/callOptions.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatNumber } from '../../shared/format.ts';
import type { SearchEstimate } from '../../shared/searchEstimate.ts';

/** False when the user backs out, of the estimate or of the search. `next`: what comes behind it, in words. */
export async function confirmSearch<E extends SearchEstimate>(
  title: string,
  estimate: (call: CallOptions) => Promise<E>,
  next?: (estimate: E) => string,
): Promise<boolean> {
  const found = await measured(title, estimate);
  if (!found) return false;
  const start = { label: `$(play) ${vscode.l10n.t('Start')}`, detail: wordSearch(found) };
  const placeHolder = next?.(found) ?? vscode.l10n.t('It can be cancelled at any time.');
  return (await vscode.window.showQuickPick([start], { title, placeHolder, ignoreFocusOut: true })) === start;
}

/** An estimate in words. */
export function wordSearch({ forward, backward, memory, seconds, bound }: SearchEstimate): string {
  const prompts =
    forward === 1
      ? vscode.l10n.t('1 prompt forward, {0} back', formatNumber(backward))
      : vscode.l10n.t('{0} prompts forward, {1} back', formatNumber(forward), formatNumber(backward));
  const megabytes = formatNumber(Math.ceil(memory / 1e6));
  return vscode.l10n.t(
    '{0} and at most {1} MB beside the model: {2}',
    wordSeconds(seconds, bound),
    megabytes,
    prompts,
  );
}

/** A time that is estimated: `About 12 s`, `At most 3 min`, `Less than 1 s`. */
export function wordSeconds(seconds: number, bound?: SearchEstimate['bound']): string {
  if (seconds < 1) return vscode.l10n.t('Less than 1 s');
  const isMinutes = seconds >= 90;
  const amount = formatNumber(Math.round(isMinutes ? seconds / 60 : seconds));
  const time = isMinutes ? vscode.l10n.t('{0} min', amount) : vscode.l10n.t('{0} s', amount);
  return bound === 'atMost' ? vscode.l10n.t('At most {0}', time) : vscode.l10n.t('About {0}', time);
}

/** The estimate, with a button that leaves it; nothing when it was pressed. */
async function measured<E extends SearchEstimate>(
  title: string,
  estimate: (call: CallOptions) => Promise<E>,
): Promise<E | undefined> {
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
