/** The rows about models in the Models view: the model itself, its layers and hooks, downloads, and failures. */

import * as vscode from 'vscode';
import type { ModelInfo } from '../../shared/domain.ts';
import { formatBytes } from '../../shared/format.ts';
import { parityVerdict } from '../../shared/parityVerdict.ts';
import { commandLink, readSetting } from '../contributions.ts';
import {
  describeBos,
  describeBosPolicy,
  describeParity,
  familyName,
  parityBadge,
  parityLines,
} from '../describeModel.ts';
import { siteName } from '../describeSae.ts';
import type { Download } from '../downloads.ts';
import { wordError } from '../wordError.ts';
import type { ModelFact, ModelRemedy, ModelRow } from './modelRows.ts';

const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;

/** The loaded model. */
export function modelItem(model: ModelInfo): vscode.TreeItem {
  const item = new vscode.TreeItem(model.name, Expanded);
  item.iconPath = new vscode.ThemeIcon('circuit-board');
  item.description = [familyName(model.family), model.precision, parityBadge(model.parity)].join(' · ');
  item.tooltip = [
    model.path,
    vscode.l10n.t('{0} layers, {1} heads, width {2}', model.nLayers, model.nHeads, model.dModel),
    vscode.l10n.t('{0} parameters', model.parameters.toLocaleString('en-US')),
    vscode.l10n.t('context of {0} tokens, {1} tokens known', model.nContext, model.dVocab),
    vscode.l10n.t('precision {0}, hash {1}', model.precision, model.hash),
    ...parityLines(model.parity),
  ].join('\n');
  item.contextValue = 'model';
  item.accessibilityInformation = {
    label: vscode.l10n.t('Model {0}, {1}, BOS {2}', model.name, item.description, describeBos(model)),
  };
  return item;
}

/** One thing that is told of the model. */
export function modelFactItem(model: ModelInfo, fact: ModelFact): vscode.TreeItem {
  const { label, value, icon, tooltip } = modelFact(model, fact);
  const item = new vscode.TreeItem(label, None);
  item.description = value;
  item.iconPath = icon;
  item.tooltip = tooltip;
  item.contextValue = fact === 'bos' ? 'bos' : 'fact';
  if (fact === 'noSaes') item.command = commandLink('chooseSae', tooltip);
  item.accessibilityInformation = { label: `${label}: ${value}` };
  return item;
}

interface Fact {
  readonly label: string;
  readonly value: string;
  readonly icon: vscode.ThemeIcon;
  readonly tooltip: string;
}

function modelFact(model: ModelInfo, fact: ModelFact): Fact {
  switch (fact) {
    case 'bos':
      return bosFact(model);
    case 'precision': {
      const value = model.precision;
      const tooltip = vscode.l10n.t('The weights are stored as {0}; all is computed in float32.', value);
      return {
        label: vscode.l10n.t('Precision'),
        value,
        icon: new vscode.ThemeIcon('symbol-ruler'),
        tooltip,
      };
    }
    case 'noSaes':
      return {
        label: vscode.l10n.t('SAEs'),
        value: vscode.l10n.t('none yet, choose one…'),
        icon: new vscode.ThemeIcon('circle-outline'),
        tooltip: vscode.l10n.t('Choose an SAE of a public release or of a folder'),
      };
    case 'parity':
      return {
        label: vscode.l10n.t('Parity'),
        value: describeParity(model.parity),
        icon: parityIcon(model),
        tooltip: parityLines(model.parity).join('\n'),
      };
  }
}

function bosFact(model: ModelInfo): Fact {
  const policy = describeBosPolicy(readSetting('modelBos'));
  const lines = [
    vscode.l10n.t('Beginning-of-sequence token: {0} ({1})', describeBos(model), policy),
    vscode.l10n.t('Choose another policy with "Fovea: Choose BOS Policy…".'),
  ];
  if (model.bosToken === undefined) lines.push(vscode.l10n.t('This tokenizer has no such token.'));
  return {
    label: vscode.l10n.t('BOS'),
    value: `${describeBos(model)} · ${policy}`,
    icon: new vscode.ThemeIcon('arrow-right'),
    tooltip: lines.join('\n'),
  };
}

function parityIcon({ parity }: ModelInfo): vscode.ThemeIcon {
  if (parityVerdict(parity) === 'different') {
    return new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
  }
  if (parity.compared === 'none') return new vscode.ThemeIcon('circle-outline');
  const icon = parity.compared === 'model' ? 'verified-filled' : 'verified';
  return new vscode.ThemeIcon(icon, new vscode.ThemeColor('charts.green'));
}

/** A layer, open when it holds what is chosen. */
export function layerItem(
  { layer, saes }: Extract<ModelRow, { readonly kind: 'layer' }>,
  options: { readonly nLayers: number; readonly holdsChosen: boolean },
): vscode.TreeItem {
  const item = new vscode.TreeItem(
    layerName(layer, options.nLayers),
    options.holdsChosen ? Expanded : Collapsed,
  );
  item.iconPath = new vscode.ThemeIcon('layers');
  if (saes.length === 1) item.description = vscode.l10n.t('1 SAE');
  if (saes.length > 1) item.description = vscode.l10n.t('{0} SAEs', saes.length);
  return item;
}

function layerName(layer: number, nLayers: number): string {
  if (layer < 0) return vscode.l10n.t('Embeddings');
  return layer < nLayers ? vscode.l10n.t('Layer {0}', layer) : vscode.l10n.t('After the Last Layer');
}

/** A hook: in words where it carries SAEs, by its name among the others. */
export function hookItem(
  { hook, layer, saes }: Extract<ModelRow, { readonly kind: 'hook' }>,
  holdsChosen: boolean,
): vscode.TreeItem {
  if (saes.length === 0) {
    const item = new vscode.TreeItem(hook.replace(`blocks.${layer}.`, ''), None);
    item.iconPath = new vscode.ThemeIcon('git-commit');
    return withHook(item, hook, hook);
  }
  const item = new vscode.TreeItem(siteName({ hook }), holdsChosen ? Expanded : Collapsed);
  item.iconPath = new vscode.ThemeIcon('git-commit');
  item.description = hook;
  return withHook(item, hook, `${siteName({ hook })}, ${hook}`);
}

function withHook(item: vscode.TreeItem, hook: string, spoken: string): vscode.TreeItem {
  item.tooltip = hook;
  item.contextValue = 'hook';
  item.accessibilityInformation = { label: vscode.l10n.t('Hook {0}', spoken) };
  return item;
}

/** The hooks of a layer that carry no SAE. */
export function hooksItem(hooks: readonly string[]): vscode.TreeItem {
  const item = new vscode.TreeItem(vscode.l10n.t('Other Hooks'), Collapsed);
  item.description = String(hooks.length);
  item.iconPath = new vscode.ThemeIcon('ellipsis');
  return item;
}

/** SAEs of the listed folders that were made for another model. */
export function otherSaesItem(count: number): vscode.TreeItem {
  const item = new vscode.TreeItem(vscode.l10n.t('SAEs of Other Models'), Collapsed);
  item.description = String(count);
  item.iconPath = new vscode.ThemeIcon('archive');
  return item;
}

/** A download or conversion under way: how far it is comes first, since its name may be long. */
export function downloadItem({ kind, title, progress }: Download): vscode.TreeItem {
  const item = new vscode.TreeItem(describePercent(progress, kind), None);
  const bytes = describeBytes(progress);
  item.iconPath = new vscode.ThemeIcon('loading~spin');
  item.description = title;
  item.tooltip = [title, bytes, progress?.what].filter((line) => line).join('\n');
  item.contextValue = kind ?? 'download';
  item.accessibilityInformation = { label: [item.label, title, bytes].filter((part) => part).join(', ') };
  return item;
}

function describePercent(progress: Download['progress'], kind: Download['kind']): string {
  if (kind === 'opening') return describeOpening(progress);
  if (!progress || progress.total === 0) return vscode.l10n.t('Downloading…');
  return vscode.l10n.t('Downloading, {0} %', Math.floor((100 * progress.done) / progress.total));
}

/** How far a model is that is being opened. */
export function describeOpening(progress: Download['progress']): string {
  if (!progress || progress.total === 0) return vscode.l10n.t('Opening…');
  return vscode.l10n.t('Converting, {0} %', Math.floor((100 * progress.done) / progress.total));
}

function describeBytes(progress: Download['progress']): string {
  if (!progress) return '';
  const done = formatBytes(progress.done);
  return progress.total === 0 ? done : vscode.l10n.t('{0} of {1}', done, formatBytes(progress.total));
}

/** The model that could not be loaded. */
export function failedItem({
  name,
  path,
  error,
}: Extract<ModelRow, { readonly kind: 'failed' }>): vscode.TreeItem {
  const item = new vscode.TreeItem(name, None);
  item.iconPath = new vscode.ThemeIcon('error', new vscode.ThemeColor('errorForeground'));
  item.description = vscode.l10n.t('not loaded');
  item.tooltip = `${wordError(error)}\n${path}`;
  item.contextValue = 'failedModel';
  item.accessibilityInformation = {
    label: vscode.l10n.t('Model {0}, not loaded: {1}', name, wordError(error)),
  };
  return item;
}

/** Something that may help after a failure; `previous` is the model that was open before. */
export function remedyItem(remedy: ModelRemedy, previous?: ModelInfo): vscode.TreeItem {
  const title = remedyTitle(remedy, previous);
  const item = new vscode.TreeItem(title, None);
  const icons = {
    previous: 'discard',
    chooseModel: 'folder-opened',
    embedded: 'circuit-board',
    restartEngine: 'debug-restart',
    showLog: 'output',
  };
  item.iconPath = new vscode.ThemeIcon(icons[remedy]);
  const isOpening = remedy === 'embedded' || remedy === 'previous';
  const path = remedy === 'previous' && previous ? previous.path : '';
  item.command = isOpening ? commandLink('chooseModel', title, [path]) : commandLink(remedy, title);
  item.accessibilityInformation = { label: title, role: 'button' };
  return item;
}

function remedyTitle(remedy: ModelRemedy, previous: ModelInfo | undefined): string {
  const titles = {
    previous: vscode.l10n.t('Back to {0}', previous?.name ?? ''),
    chooseModel: vscode.l10n.t('Choose Model…'),
    embedded: vscode.l10n.t('Use the Embedded Model'),
    restartEngine: vscode.l10n.t('Restart Engine'),
    showLog: vscode.l10n.t('Show Log'),
  };
  return titles[remedy];
}
