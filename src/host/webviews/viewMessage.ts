/** What a view says when it has nothing to draw. */

import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import type { ViewMessage } from '../../shared/viewApi.ts';
import type { PromptSession } from '../promptSession.ts';
import { remedyFor, wordError } from '../wordError.ts';

/** The state of the session in words; nothing when there is a result to draw and no failure. */
export function sessionMessage(session: PromptSession): ViewMessage | undefined {
  const { error, look, prompt, models } = session;
  if (isEngineError(error, 'prompt.empty')) return { kind: 'empty', text: wordError(error) };
  if (error !== undefined) return errorMessage(error);
  if (!prompt) {
    return {
      kind: 'empty',
      text: vscode.l10n.t('Open a text and inspect it to see what the model computes.'),
      action: { title: vscode.l10n.t('Inspect Document'), command: 'inspectDocument' },
    };
  }
  if (look) return undefined;
  const text =
    models.status === 'loading'
      ? vscode.l10n.t('Loading {0}…', models.name)
      : vscode.l10n.t('Reading the prompt…');
  return { kind: 'loading', text };
}

/** A failure in words, with the command that helps most. */
export function errorMessage(error: unknown): ViewMessage {
  return { kind: 'error', text: wordError(error), action: remedyFor(error) };
}
