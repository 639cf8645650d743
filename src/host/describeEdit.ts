/** Interventions in words. */

import * as vscode from 'vscode';
import type { Effect } from '../shared/analysis.ts';
import type { Edit, EditTarget, Token } from '../shared/domain.ts';
import { formatHead, formatNumber, formatSigned, quoteToken } from '../shared/format.ts';
import type { Misfit } from './editFit.ts';
import type { FeatureCatalog } from './featureCatalog.ts';
import { featureName } from './heat.ts';

/** Where an intervention acts, e.g. `head 2.3`. */
export function describeTarget(target: EditTarget, catalog: FeatureCatalog): string {
  switch (target.kind) {
    case 'head':
      return vscode.l10n.t('head {0}', formatHead(target.layer, target.head));
    case 'mlp':
      return vscode.l10n.t('MLP {0}', target.layer);
    case 'feature':
      return vscode.l10n.t('feature {0}', featureName(catalog.get(target.feature)));
    case 'hook':
      return describeHook(target.hook, target.head);
  }
}

/** What an intervention does, e.g. `Ablate head 2.3`. */
export function describeEdit(edit: Edit, catalog: FeatureCatalog): string {
  const target = describeTarget(edit.target, catalog);
  switch (edit.action.kind) {
    case 'zero':
      return vscode.l10n.t('Ablate {0}', target);
    case 'mean':
      return vscode.l10n.t('Mean-ablate {0}', target);
    case 'patch':
      return vscode.l10n.t('Patch {0}', target);
    case 'scale':
      return vscode.l10n.t('Scale {0} by {1}', target, formatNumber(edit.action.factor));
    case 'add':
      return vscode.l10n.t('Steer {0} by {1}', target, formatSigned(edit.action.amount));
    case 'set':
      return vscode.l10n.t('Set {0} to {1}', target, formatNumber(edit.action.value));
  }
}

/** The positions an intervention acts at, e.g. `at " Mary" (4)`. */
export function describePositions(edit: Edit, tokens: readonly Token[]): string {
  const { positions } = edit;
  if (!positions) return vscode.l10n.t('all tokens');
  if (positions.length > 3) return vscode.l10n.t('{0} tokens', positions.length);
  const names = positions.map((position) => {
    const token = tokens[position];
    return token ? `${quoteToken(token.text)} (${position})` : String(position);
  });
  return vscode.l10n.t('at {0}', names.join(', '));
}

/** Why an intervention cannot act in the model that is open, e.g. `this model has 4 layers`. */
export function describeMisfit(misfit: Misfit): string {
  switch (misfit.kind) {
    case 'layer':
      return vscode.l10n.t('this model has {0} layers', misfit.nLayers);
    case 'head':
      return vscode.l10n.t('this model has {0} heads per layer', misfit.nHeads);
    case 'hook':
      return vscode.l10n.t('this model has no hook {0}', misfit.hook);
    case 'sae':
      return vscode.l10n.t('its SAE is not one of this model’s');
  }
}

/** The effect of the stack, e.g. `logit difference +3.2 → +0.4`. */
export function describeEffect(effect: Effect): string {
  if (effect.contrast) {
    const { clean, edited } = effect.contrast;
    return vscode.l10n.t('Logit difference {0} → {1}', formatSigned(clean), formatSigned(edited));
  }
  const before = effect.before[0];
  const after = effect.after[0];
  if (!before || !after) return describeDivergence(effect);
  return vscode.l10n.t('Next token {0} → {1}', quoteToken(before.text), quoteToken(after.text));
}

/** How far the next-token distribution moved, e.g. `KL 1.2 nats`. */
export function describeDivergence(effect: Effect): string {
  return vscode.l10n.t('KL {0} nats', formatNumber(effect.kl));
}

function describeHook(hook: string, head: number | undefined): string {
  const layer = /^blocks\.(\d+)\./.exec(hook)?.[1];
  if (layer !== undefined && hook.endsWith('hook_resid_pre')) {
    return vscode.l10n.t('residual stream before layer {0}', layer);
  }
  if (layer !== undefined && hook.endsWith('hook_resid_post')) {
    return vscode.l10n.t('residual stream after layer {0}', layer);
  }
  return head === undefined ? hook : vscode.l10n.t('{0}, head {1}', hook, head);
}
