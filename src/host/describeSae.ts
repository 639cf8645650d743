/** SAEs and how they are read, in words. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { describeConvention as nameConvention } from '../shared/describeConvention.ts';
import type { SaeInfo } from '../shared/domain.ts';
import { formatNumber } from '../shared/format.ts';
import type { SaeConvention, SaeReading } from '../shared/saeCheck.ts';
import type { SaeStatus } from './saeChecks.ts';

/** Where in its layer a hook sits, in words. */
export function siteName({ hook, layer }: Pick<SaeInfo, 'hook' | 'layer'>): string {
  const site = hook.replace(`blocks.${layer}.`, '');
  switch (site) {
    case 'hook_resid_pre':
      return vscode.l10n.t('Residual stream (before)');
    case 'hook_resid_mid':
      return vscode.l10n.t('Residual stream (middle)');
    case 'hook_resid_post':
      return vscode.l10n.t('Residual stream');
    case 'hook_attn_out':
      return vscode.l10n.t('Attention output');
    case 'attn.hook_z':
      return vscode.l10n.t('Attention heads (z)');
    case 'hook_mlp_in':
    case 'ln2.hook_normalized':
      return vscode.l10n.t('MLP input');
    case 'hook_mlp_out':
      return vscode.l10n.t('MLP output');
    default:
      return site;
  }
}

/** The shortest name for what an SAE is: `TopK 16`. */
export function architectureName({ architecture, k }: Pick<SaeInfo, 'architecture' | 'k'>): string {
  const names = {
    standard: 'ReLU',
    topk: 'TopK',
    jumprelu: 'JumpReLU',
    gated: 'Gated',
    groupmax: 'GroupMax',
  };
  return k === undefined ? names[architecture] : `${names[architecture]} ${k}`;
}

/** A name that tells an SAE from the others at its hook: its release, or its folder where there are several. */
export function saeName(sae: SaeInfo, saes: readonly SaeInfo[]): string {
  if (sae.release !== undefined) return sae.release;
  const isAlone = saes.every(({ id, hook }) => id === sae.id || hook !== sae.hook);
  // A folder of several SAEs tells them apart in their ids alone.
  return isAlone ? architectureName(sae) : basename(sae.id);
}

/** What kind of SAE it is: `TopK 16, 1,024 features`. */
export function describeArchitecture(sae: SaeInfo): string {
  const { kind, dSae } = sae;
  const name = architectureName(sae);
  const features = dSae.toLocaleString('en-US');
  if (kind === 'transcoder') return vscode.l10n.t('Transcoder, {0}, {1} features', name, features);
  if (kind === 'crossLayer')
    return vscode.l10n.t('Cross-layer transcoder, {0}, {1} features', name, features);
  return vscode.l10n.t('{0}, {1} features', name, features);
}

/** The verdict in a few words: `reconstructs: 94 % of variance, L0 24`. */
export function describeStatus(status: SaeStatus): string {
  switch (status.kind) {
    case 'unchecked':
      return vscode.l10n.t('not checked');
    case 'uncheckable':
      return vscode.l10n.t('not checkable alone');
    case 'checking':
      return describeChecking(status);
    case 'failed':
      return vscode.l10n.t('could not be checked');
    case 'checked':
      return describeVerdict(status.check);
  }
}

function describeChecking({ progress }: Extract<SaeStatus, { readonly kind: 'checking' }>): string {
  if (!progress || progress.total === 0) return vscode.l10n.t('being checked…');
  const percent = Math.floor((100 * progress.done) / progress.total);
  return vscode.l10n.t('being checked… {0} %', percent);
}

function describeVerdict({ verdict, current, alternatives }: Checked['check']): string {
  const best = alternatives[0];
  if (verdict === 'other' && best) {
    return vscode.l10n.t(
      'reads better with: {0} ({1})',
      describeConvention(best.convention),
      formatVariance(best.explainedVariance),
    );
  }
  const variance = formatVariance(current.explainedVariance);
  if (verdict === 'good') {
    return vscode.l10n.t('reconstructs: {0} of variance, L0 {1}', variance, formatNumber(current.l0));
  }
  if (verdict === 'fair') {
    return vscode.l10n.t('reconstructs in part: {0} of variance, L0 {1}', variance, formatNumber(current.l0));
  }
  return vscode.l10n.t('does not reconstruct ({0})', variance);
}

type Checked = Extract<SaeStatus, { readonly kind: 'checked' }>;

/** What has to be known of an SAE's reading wherever its features are shown; nothing when all is well. */
export function noteOnSae(sae: SaeInfo): { readonly text: string; readonly isWarning: boolean } | undefined {
  const { check, convention } = sae;
  if (check && check.verdict !== 'good') {
    const verdict = describeVerdict(check);
    return { text: vscode.l10n.t('This SAE {0}.', verdict), isWarning: true };
  }
  if (!convention || Object.keys(convention).length === 0) return undefined;
  return { text: vscode.l10n.t('read with: {0}', describeConvention(convention)), isWarning: false };
}

/** One reading in numbers: `91 % of variance · L0 24 · cosine 0.95`. */
export function describeReading({ explainedVariance, l0, cosine }: SaeReading): string {
  return vscode.l10n.t(
    '{0} of variance · L0 {1} · cosine {2}',
    formatVariance(explainedVariance),
    formatNumber(l0),
    formatNumber(cosine),
  );
}

/** How an SAE is read, as far as that departs from its files: `decoder bias not subtracted`, or `as declared`. */
export function describeConvention(convention: SaeConvention = {}): string {
  return nameConvention(convention, (phrase, ...values) => vscode.l10n.t(phrase, ...values));
}

/** A fraction of variance as a percentage; a wrong convention can take it far below zero. */
export function formatVariance(fraction: number): string {
  if (Number.isNaN(fraction)) return '–';
  const percent = Math.round(fraction * 100);
  if (percent < -999) return '< −999 %';
  return `${percent < 0 ? '−' : ''}${Math.abs(percent)} %`;
}
