/** The tree of what is loaded: the model, and its SAEs by layer. */

import * as vscode from 'vscode';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { commandLink, setContext } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import type { ModelStore } from '../modelStore.ts';
import { views } from '../names.ts';
import type { Services } from '../services.ts';
import { wordError } from '../wordError.ts';

/** A row of the tree. */
export type ModelRow =
  | { readonly kind: 'model'; readonly model: ModelInfo }
  | { readonly kind: 'layer'; readonly layer: number; readonly saes: readonly SaeInfo[] }
  | { readonly kind: 'sae'; readonly sae: SaeInfo };

/** Shows the model and lets one of its SAEs be chosen. */
export class ModelTree extends Disposable implements vscode.TreeDataProvider<ModelRow> {
  readonly onDidChangeTreeData;
  private readonly changed = this.own(new Emitter<undefined>());
  private readonly view: vscode.TreeView<ModelRow>;
  private readonly models: ModelStore;

  constructor({ models }: Pick<Services, 'models'>) {
    super();
    this.models = models;
    this.onDidChangeTreeData = this.changed.event;
    this.view = this.own(vscode.window.createTreeView(views.model, { treeDataProvider: this }));
    this.own(models.onDidChange(() => this.refresh()));
    this.refresh();
  }

  getChildren(row?: ModelRow): ModelRow[] {
    const { model, saes } = this.models;
    if (!model) return [];
    if (!row) return [{ kind: 'model', model }];
    if (row.kind === 'model') return byLayer(saes);
    return row.kind === 'layer' ? row.saes.map((sae) => ({ kind: 'sae', sae })) : [];
  }

  getTreeItem(row: ModelRow): vscode.TreeItem {
    if (row.kind === 'model') return modelItem(row.model, this.models.saes.length);
    return row.kind === 'layer' ? this.layerItem(row.layer, row.saes) : this.saeItem(row.sae);
  }

  private layerItem(layer: number, saes: readonly SaeInfo[]): vscode.TreeItem {
    const holdsChosen = saes.some((sae) => sae === this.models.sae);
    const item = new vscode.TreeItem(
      vscode.l10n.t('Layer {0}', layer),
      holdsChosen ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed,
    );
    item.id = `layer ${layer}`;
    item.iconPath = new vscode.ThemeIcon('layers');
    return item;
  }

  private saeItem(sae: SaeInfo): vscode.TreeItem {
    const isChosen = sae.id === this.models.sae?.id;
    const item = new vscode.TreeItem(siteName(sae));
    item.id = sae.id;
    item.description = [
      architectureName(sae),
      vscode.l10n.t('{0} features', sae.dSae.toLocaleString('en-US')),
    ].join(' · ');
    item.iconPath = new vscode.ThemeIcon(isChosen ? 'check' : 'blank');
    const bos = sae.prependBos
      ? [vscode.l10n.t('Trained with a beginning-of-sequence token; prompts are run without one.')]
      : [];
    item.tooltip = [sae.name, sae.hook, sae.path, ...bos].join('\n');
    item.command = commandLink('chooseSae', vscode.l10n.t('Choose SAE'), [sae.id]);
    const state = isChosen ? vscode.l10n.t('chosen') : vscode.l10n.t('not chosen');
    item.accessibilityInformation = { label: `${sae.name}, ${item.description}, ${state}` };
    return item;
  }

  private refresh(): void {
    const { status, error } = this.models;
    setContext('modelLoaded', status === 'ready');
    setContext('modelFailed', status === 'failed');
    if (status === 'failed') this.view.message = wordError(error);
    else
      this.view.message = status === 'loading' ? vscode.l10n.t('Loading {0}…', this.models.name) : undefined;
    this.changed.fire(undefined);
  }
}

/** Where in its layer an SAE sits, in words. */
export function siteName({ hook, layer }: SaeInfo): string {
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
    case 'hook_mlp_out':
      return vscode.l10n.t('MLP output');
    default:
      return site;
  }
}

function architectureName({ architecture, k }: SaeInfo): string {
  const names = { standard: 'ReLU', topk: 'TopK', jumprelu: 'JumpReLU', gated: 'Gated' };
  return k === undefined ? names[architecture] : `${names[architecture]} ${k}`;
}

function modelItem(model: ModelInfo, saes: number): vscode.TreeItem {
  const item = new vscode.TreeItem(
    model.name,
    saes > 0 ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None,
  );
  item.id = model.id;
  item.iconPath = new vscode.ThemeIcon('circuit-board');
  item.description = vscode.l10n.t(
    '{0} layers · {1} heads · width {2}',
    model.nLayers,
    model.nHeads,
    model.dModel,
  );
  item.tooltip = [
    model.path,
    vscode.l10n.t('{0} parameters', model.parameters.toLocaleString('en-US')),
    vscode.l10n.t('context of {0} tokens, {1} tokens known', model.nContext, model.dVocab),
    vscode.l10n.t('precision {0}, hash {1}', model.precision, model.hash),
  ].join('\n');
  item.contextValue = 'model';
  return item;
}

function byLayer(saes: readonly SaeInfo[]): ModelRow[] {
  const layers = new Map<number, SaeInfo[]>();
  for (const sae of saes) layers.set(sae.layer, [...(layers.get(sae.layer) ?? []), sae]);
  return [...layers]
    .sort(([one], [other]) => one - other)
    .map(([layer, members]) => ({ kind: 'layer', layer, saes: members }));
}
