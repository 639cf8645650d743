/** The note over a panel whose contents were found in another model than the one that is open. */

import * as vscode from 'vscode';
import type { ViewMessage } from '../shared/viewApi.ts';
import type { ModelStore } from './modelStore.ts';
import { type FoundWith, type ModelMismatch, modelMismatch } from './requireModelOf.ts';

/** What to say, and the command that helps; nothing when it is the same model, or none is open yet. */
export function foundElsewhere(
  found: FoundWith | undefined,
  { model, saes }: Pick<ModelStore, 'model' | 'saes'>,
): Pick<ViewMessage, 'text' | 'action'> | undefined {
  const mismatch = found && model && modelMismatch(found, { ...model, saes });
  if (!mismatch) return undefined;
  return { text: wordsOf(mismatch), action: actionFor(mismatch) };
}

function actionFor({ kind }: ModelMismatch): ViewMessage['action'] {
  switch (kind) {
    case 'bos':
      return { title: vscode.l10n.t('Choose BOS Policy…'), command: 'chooseBos' };
    case 'sae':
      return { title: vscode.l10n.t('Choose SAE…'), command: 'chooseSae' };
    default:
      return { title: vscode.l10n.t('Choose Model…'), command: 'chooseModel' };
  }
}

function wordsOf({ kind, was, now }: ModelMismatch): string {
  switch (kind) {
    case 'model':
      return vscode.l10n.t('Found in {0}; {1} is open.', was, now);
    case 'bos':
      return was === 'prepended'
        ? vscode.l10n.t('Found with a BOS token; prompts begin without one now.')
        : vscode.l10n.t('Found without a BOS token; prompts begin with one now.');
    case 'precision':
      return vscode.l10n.t('Found with weights in {0}; they are in {1} now.', was, now);
    case 'sae':
      return vscode.l10n.t('Found with an SAE at {0} that is not among those of {1} now.', was, now);
  }
}
