/** Choosing whether a beginning-of-sequence token stands before prompts. */

import * as vscode from 'vscode';
import { bosMismatch } from '../../shared/bosMismatch.ts';
import type { BosPolicy } from '../../shared/domain.ts';
import { formatToken } from '../../shared/format.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { describeBosPolicy } from '../describeModel.ts';
import type { CommandServices } from '../services.ts';
import { asSae } from './saeOfRow.ts';

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

/** Has prompts begin as the texts did that the SAE was trained on. It counts for every model. */
export async function followSaeBos(services: CommandServices, given?: unknown): Promise<void> {
  const model = await services.models.ensure();
  const sae = asSae(services, given) ?? services.models.sae;
  const mismatch = sae && bosMismatch(sae, model);
  if (mismatch) await writeSetting('modelBos', mismatch === 'missing' ? 'always' : 'never');
}

function detailOf(policy: BosPolicy, token: string | undefined): string {
  switch (policy) {
    case 'auto':
      return vscode.l10n.t(
        'What the tokenizer does in transformers. Most SAEs say themselves how their texts began, and Fovea tells when prompts begin otherwise.',
      );
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
