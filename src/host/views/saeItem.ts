/** The rows about SAEs in the Models view: each with its verdict, and what else is known of it below. */

import * as vscode from 'vscode';
import type { BosMismatch } from '../../shared/bosMismatch.ts';
import type { SaeInfo } from '../../shared/domain.ts';
import type { SaeVerdict } from '../../shared/saeCheck.ts';
import { commandLink } from '../contributions.ts';
import {
  architectureName,
  bosRemedy,
  describeArchitecture,
  describeConvention,
  describeMismatch,
  describeReading,
  describeStatus,
  siteName,
} from '../describeSae.ts';
import type { SaeStatus } from '../saeChecks.ts';
import { wordError } from '../wordError.ts';
import { saeUri } from './chosenMark.ts';
import type { SaeFact } from './modelRows.ts';

/** An SAE: chosen or not, how well it is read, and what a click does. */
export function saeItem(
  sae: SaeInfo,
  options: {
    readonly name: string;
    readonly status: SaeStatus;
    readonly isChosen: boolean;
    readonly mismatch?: BosMismatch;
  },
): vscode.TreeItem {
  const { name, status, isChosen, mismatch } = options;
  const told = sae.problem === undefined ? describeStatus(status) : vscode.l10n.t('cannot be used');
  const state = mismatch ? `${bosWord(mismatch)} · ${told}` : told;
  const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Collapsed);
  item.description = state;
  // For the mark of the chosen one.
  item.resourceUri = saeUri(sae.id);
  item.iconPath = sae.problem === undefined ? statusIcon(status) : new vscode.ThemeIcon('circle-slash');
  item.tooltip = saeTooltip(sae, status).join('\n');
  item.contextValue = saeContext(sae, status);
  if (sae.problem === undefined) {
    item.command = commandLink('showSae', vscode.l10n.t('Show Its Features'), [sae.id]);
  }
  const choice = isChosen ? vscode.l10n.t('chosen') : vscode.l10n.t('not chosen');
  item.accessibilityInformation = {
    label: [
      // The name is the kind where there is no other SAE.
      vscode.l10n.t('SAE {0}', name === architectureName(sae) ? describeArchitecture(sae) : name),
      siteName(sae),
      vscode.l10n.t('layer {0}', sae.layer),
      state,
      choice,
    ].join(', '),
  };
  return item;
}

function bosWord(mismatch: BosMismatch): string {
  return mismatch === 'missing' ? vscode.l10n.t('lacks BOS') : vscode.l10n.t('trained without BOS');
}

/** One more thing that is known of an SAE. */
export function saeFactItem(sae: SaeInfo, fact: SaeFact): vscode.TreeItem {
  const { label, value, icon } = saeFact(sae, fact);
  const item = new vscode.TreeItem(label);
  item.description = value;
  item.iconPath = new vscode.ThemeIcon(icon);
  item.tooltip = `${label}: ${value}`;
  item.accessibilityInformation = { label: `${label}: ${value}` };
  if (fact === 'bos') {
    const remedy = bosRemedy(sae.prependBos ? 'missing' : 'unwanted');
    item.command = commandLink('followSaeBos', remedy, [sae.id]);
    item.label = remedy;
  }
  return item;
}

function saeFact(
  sae: SaeInfo,
  fact: SaeFact,
): { readonly label: string; readonly value: string; readonly icon: string } {
  switch (fact) {
    case 'problem':
      return { label: vscode.l10n.t('Problem'), value: sae.problem ?? '', icon: 'warning' };
    case 'bos':
      return {
        label: vscode.l10n.t('Beginning of prompts'),
        value: describeMismatch(sae.prependBos ? 'missing' : 'unwanted'),
        icon: 'warning',
      };
    case 'convention':
      return {
        label: vscode.l10n.t('Read with'),
        value: describeConvention(sae.convention),
        icon: 'wand',
      };
    case 'kind':
      return { label: vscode.l10n.t('Kind'), value: describeArchitecture(sae), icon: 'layers' };
    case 'format':
      return { label: vscode.l10n.t('Format'), value: sae.format, icon: 'file' };
    case 'release':
      return { label: vscode.l10n.t('Release'), value: sae.release ?? '', icon: 'package' };
    case 'output':
      return { label: vscode.l10n.t('Imitates'), value: sae.hookOut ?? '', icon: 'arrow-right' };
    case 'labels':
      return {
        label: vscode.l10n.t('Labels'),
        value: sae.labelSource ?? vscode.l10n.t('none'),
        icon: 'tag',
      };
  }
}

function saeTooltip(sae: SaeInfo, status: SaeStatus): readonly string[] {
  const lines = [`${sae.name} · ${describeArchitecture(sae)}`, sae.hook];
  if (sae.problem !== undefined) lines.push(sae.problem);
  else lines.push(describeStatus(status));
  if (status.kind === 'uncheckable') {
    lines.push(vscode.l10n.t('What a layer writes is a sum over all layers of the transcoder up to it.'));
  }
  if (status.kind === 'failed') lines.push(wordError(status.error));
  if (status.kind === 'checked') {
    const { check } = status;
    lines.push(
      vscode.l10n.t('Measured on {0} tokens of {1}:', check.tokens, check.text),
      ...[check.current, ...check.alternatives].map(
        (reading) => `• ${describeConvention(reading.convention)}: ${describeReading(reading)}`,
      ),
    );
  }
  lines.push(...(sae.faults ?? []));
  if (sae.prependBos) lines.push(vscode.l10n.t('Trained with a beginning-of-sequence token.'));
  lines.push(vscode.l10n.t('Format {0}, hash {1}', sae.format, sae.hash));
  if (sae.neuronpediaId !== undefined) lines.push(vscode.l10n.t('On Neuronpedia: {0}', sae.neuronpediaId));
  lines.push(sae.path);
  return lines;
}

/**
 * What menus ask about: `usable`, `better` (another convention is offered), `alternatives` (others were tried),
 * `configured` (read otherwise than declared).
 */
function saeContext(sae: SaeInfo, status: SaeStatus): string {
  const words = ['sae'];
  if (sae.problem === undefined) words.push('usable');
  if (status.kind === 'checked' && status.check.verdict === 'other') words.push('better');
  if (status.kind === 'checked' && status.check.alternatives.length > 0) words.push('alternatives');
  if (sae.convention && Object.keys(sae.convention).length > 0) words.push('configured');
  return words.join(' ');
}

function statusIcon(status: SaeStatus): vscode.ThemeIcon {
  switch (status.kind) {
    case 'unchecked':
      return new vscode.ThemeIcon('circle-outline');
    case 'uncheckable':
      return new vscode.ThemeIcon('layers');
    case 'checking':
      return new vscode.ThemeIcon('loading~spin');
    case 'failed':
      return new vscode.ThemeIcon('error');
    case 'checked':
      return verdictIcon(status.check.verdict);
  }
}

/** Colored, but told apart by their shapes. */
export function verdictIcon(verdict: SaeVerdict): vscode.ThemeIcon {
  switch (verdict) {
    case 'good':
      return new vscode.ThemeIcon('pass', new vscode.ThemeColor('charts.green'));
    case 'fair':
      return new vscode.ThemeIcon('info', new vscode.ThemeColor('charts.yellow'));
    case 'other':
      return new vscode.ThemeIcon('lightbulb', new vscode.ThemeColor('charts.yellow'));
    case 'poor':
      return new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
  }
}
