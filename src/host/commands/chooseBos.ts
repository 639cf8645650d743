/** Choosing whether a beginning-of-sequence token stands before prompts. */

import * as vscode from 'vscode';
import type { BosPolicy } from '../../shared/domain.ts';
import { formatToken } from '../../shared/format.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { describeBosPolicy } from '../describeModel.ts';
import type { CommandServices } from '../services.ts';

/** Asks for the policy. It counts for every model and takes effect at once. */
export async function chooseBos({ models }: CommandServices): Promise<void> {
  const model = await models.ensure();
  const now = readSetting('modelBos');
  const token = model.bosToken === undefined ? undefined : formatToken(model.bosToken);
  const policies: readonly BosPolicy[] = ['auto', 'always', 'never'];
  const items = policies.map((policy) => ({
    label: firstUpper(describeBosPolicy(policy)),
    description: policy === now ? vscode.l10n.t('in use') : undefined,
    detail: detailOf(policy, token),
    policy,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Choose BOS Policy'),
    placeHolder: vscode.l10n.t('Whether a beginning-of-sequence token stands before prompts'),
  });
  if (chosen && chosen.policy !== now) await writeSetting('modelBos', chosen.policy);
}

function detailOf(policy: BosPolicy, token: string | undefined): string {
  switch (policy) {
    case 'auto':
      return vscode.l10n.t('What transformers does: many SAEs and published numbers rest on it.');
    case 'always':
      return token === undefined
        ? vscode.l10n.t('The tokenizer of this model has no such token, so nothing is put before prompts.')
        : vscode.l10n.t('{0} is put before every prompt, as TransformerLens does.', token);
    case 'never':
      return vscode.l10n.t('The prompt is read as it stands.');
  }
}

function firstUpper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
