/** SAEs and how they are read, in words. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { type BosMismatch, bosMismatch } from '../shared/bosMismatch.ts';
import { describeConvention as nameConvention } from '../shared/describeConvention.ts';
import type { ModelInfo, SaeInfo } from '../shared/domain.ts';
import { formatNumber } from '../shared/format.ts';
import type { SaeConvention, SaeReading } from '../shared/saeCheck.ts';
import { siteNameOf } from '../shared/siteNames.ts';
import type { SaeNote } from '../shared/viewApi.ts';
import type { SaeStatus } from './saeChecks.ts';

/** Where in its layer a hook sits, in words. */
export function siteName({ hook }: Pick<SaeInfo, 'hook'>): string {
  const name = vscode.l10n.t(siteNameOf(hook));
  // Hooks that have no name stay as they are spelled.
  return /^[a-z]+ |^[a-z]+$/.test(name) ? name.charAt(0).toUpperCase() + name.slice(1) : name;
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

function describeVerdict({ verdict, current, alternatives, statedL0 }: Checked['check']): string {
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
    const l0 = formatNumber(current.l0);
    if (statedL0 !== undefined) {
      const stated = formatNumber(statedL0);
      return vscode.l10n.t('reconstructs in part: {0} of variance, L0 {1}, stated {2}', variance, l0, stated);
    }
    return vscode.l10n.t('reconstructs in part: {0} of variance, L0 {1}', variance, l0);
  }
  return vscode.l10n.t('does not reconstruct ({0})', variance);
}

type Checked = Extract<SaeStatus, { readonly kind: 'checked' }>;

/** What has to be known of an SAE's reading wherever its features are shown; nothing when all is well. */
export function noteOnSae(sae: SaeInfo, model?: ModelInfo): SaeNote | undefined {
  const mismatch = model && bosMismatch(sae, model);
  if (mismatch) {
    const action = { title: bosRemedy(mismatch), command: 'followSaeBos' } as const;
    return { text: describeMismatch(mismatch), isWarning: true, action };
  }
  return noteOnVerdict(sae) ?? noteOnReading(sae);
}

/** That prompts do not begin as the texts that the SAE was trained on. */
export function describeMismatch(mismatch: BosMismatch): string {
  return mismatch === 'missing'
    ? vscode.l10n.t(
        'This SAE was trained on texts that begin with a beginning-of-sequence token; this prompt begins without.',
      )
    : vscode.l10n.t(
        'This SAE was trained on texts without a beginning-of-sequence token; this prompt begins with one.',
      );
}

/** What helps. */
export function bosRemedy(mismatch: BosMismatch): string {
  return mismatch === 'missing' ? vscode.l10n.t('Prepend BOS') : vscode.l10n.t('Leave Out BOS');
}

function noteOnVerdict({ check }: SaeInfo): SaeNote | undefined {
  if (check && check.verdict !== 'good') {
    const verdict = describeVerdict(check);
    return { text: vscode.l10n.t('This SAE {0}.', verdict), isWarning: true };
  }
  return undefined;
}

function noteOnReading({ convention = {}, masksFirst }: SaeInfo): SaeNote | undefined {
  const words = Object.keys(convention).length === 0 ? [] : [describeConvention(convention)];
  if (masksFirst && convention.maskFirst === undefined) words.push(vscode.l10n.t('first position masked'));
  if (words.length === 0) return undefined;
  return { text: vscode.l10n.t('read with: {0}', words.join(', ')), isWarning: false };
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
