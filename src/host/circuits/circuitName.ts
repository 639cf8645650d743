/** What a found circuit is called until somebody gives it a title: where its prompts are, and how it was found. */

import * as vscode from 'vscode';

/** Ways to find circuits that differ in what they show. */
export type FoundBy =
  | 'gradient'
  | 'features'
  | 'attributionGraph'
  | 'eap'
  | 'eap-ig'
  | 'eap-ig-activations'
  | 'acdc';

/** `place` is the name of the prompt's document or of the task, with or without the end of its file's name. */
export function circuitName(place: string, by: FoundBy): string {
  const name = place.replace(/(\.prompt\.txt|\.task\.jsonl|\.txt)$/, '') || place;
  return vscode.l10n.t('{0}: {1}', name, methodName(by));
}

function methodName(by: FoundBy): string {
  switch (by) {
    case 'gradient':
      return vscode.l10n.t('gradient attribution');
    case 'features':
      return vscode.l10n.t('features');
    case 'attributionGraph':
      return vscode.l10n.t('attribution graph');
    case 'eap-ig-activations':
      return vscode.l10n.t('EAP-IG along activations');
    default:
      return by.toUpperCase();
  }
}
