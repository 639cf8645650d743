/** The tree of interventions: the effect of the stack first, then each with its check-box and strength. */

import * as vscode from 'vscode';
import type { Effect } from '../../shared/analysis.ts';
import type { Edit } from '../../shared/domain.ts';
import { formatNumber, formatProbability, quoteToken } from '../../shared/format.ts';
import { commandLink, setContext } from '../contributions.ts';
import {
  describeDivergence,
  describeEdit,
  describeEffect,
  describeMisfit,
  describePositions,
} from '../describeEdit.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { views } from '../names.ts';
import type { Services } from '../services.ts';
import { wordError } from '../wordError.ts';

/** A row of the tree. */
export type InterventionRow =
  | { readonly kind: 'effect'; readonly effect: Effect }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'edit'; readonly edit: Edit };

/** Shows and changes the stack. */
export class InterventionsTree extends Disposable implements vscode.TreeDataProvider<InterventionRow> {
  readonly onDidChangeTreeData;
  private readonly changed = this.own(new Emitter<undefined>());
  private readonly view: vscode.TreeView<InterventionRow>;

  constructor(private readonly services: Pick<Services, 'session'>) {
    super();
    this.onDidChangeTreeData = this.changed.event;
    this.view = this.own(
      vscode.window.createTreeView(views.interventions, {
        treeDataProvider: this,
        manageCheckboxStateManually: true,
      }),
    );
    const { session } = services;
    this.own(this.view.onDidChangeCheckboxState((event) => this.setEnabled(event.items)));
    this.own(session.onDidChange((change) => change === 'state' && this.refresh()));
    this.own(session.interventions.onDidChange(() => this.refresh()));
    this.refresh();
  }

  /** The row that is selected in the view. */
  get selectedEdit(): Edit | undefined {
    const row = this.view.selection[0];
    return row?.kind === 'edit' ? row.edit : undefined;
  }

  getChildren(row?: InterventionRow): InterventionRow[] {
    const { session } = this.services;
    const { edits } = session.interventions;
    if (row || edits.length === 0) return [];
    const summary = this.summaryRow();
    const rows = edits.map((edit) => ({ kind: 'edit', edit }) as const);
    return summary ? [summary, ...rows] : rows;
  }

  getTreeItem(row: InterventionRow): vscode.TreeItem {
    switch (row.kind) {
      case 'effect':
        return effectItem(row.effect);
      case 'pending':
        return new vscode.TreeItem(vscode.l10n.t('Computing the effect…'));
      case 'failed':
        return failureItem(row.error);
      case 'edit':
        return this.editItem(row.edit);
    }
  }

  private summaryRow(): InterventionRow | undefined {
    const { session } = this.services;
    if (session.error !== undefined) return { kind: 'failed', error: session.error };
    const effect = session.look?.analysis.effect;
    if (effect && session.interventions.active.length > 0) return { kind: 'effect', effect };
    return session.computing && session.interventions.active.length > 0 ? { kind: 'pending' } : undefined;
  }

  private editItem(edit: Edit): vscode.TreeItem {
    const { session } = this.services;
    const tokens = session.look?.analysis.strip.tokens ?? [];
    const label = describeEdit(edit, session.catalog);
    const where = describePositions(edit, tokens);
    const item = new vscode.TreeItem(label);
    item.id = edit.id;
    const misfit = session.interventions.misfit(edit);
    if (misfit) return withMisfit(item, label, describeMisfit(misfit));
    item.description =
      edit.strength === 1 ? where : vscode.l10n.t('strength {0} · {1}', formatNumber(edit.strength), where);
    item.tooltip = editTooltip(edit, label, where);
    item.contextValue = 'intervention';
    item.checkboxState = {
      state: edit.enabled ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
      tooltip: edit.enabled ? vscode.l10n.t('Switch off') : vscode.l10n.t('Switch on'),
    };
    item.accessibilityInformation = { label: `${label}, ${item.description}` };
    return item;
  }

  private setEnabled(items: readonly (readonly [InterventionRow, vscode.TreeItemCheckboxState])[]): void {
    const changes = items.flatMap(([row, state]) => {
      if (row.kind !== 'edit') return [];
      return [[row.edit.id, { enabled: state === vscode.TreeItemCheckboxState.Checked }] as const];
    });
    this.services.session.interventions.changeAll(new Map(changes));
  }

  private refresh(): void {
    const { interventions } = this.services.session;
    setContext('hasInterventions', interventions.edits.length > 0);
    setContext('canUndo', interventions.canUndo);
    setContext('canRedo', interventions.canRedo);
    const active = interventions.active.length;
    const tooltip =
      active === 1
        ? vscode.l10n.t('1 active intervention')
        : vscode.l10n.t('{0} active interventions', active);
    this.view.badge = active > 0 ? { value: active, tooltip } : undefined;
    this.changed.fire(undefined);
  }
}

/** It stays on the stack without a check-box: there is nothing to switch on. */
function withMisfit(item: vscode.TreeItem, label: string, reason: string): vscode.TreeItem {
  item.description = vscode.l10n.t('waits: {0}', reason);
  item.tooltip = vscode.l10n.t(
    '{0} does not act now, since {1}. It acts again in a model it fits.',
    label,
    reason,
  );
  item.iconPath = new vscode.ThemeIcon('circle-slash');
  item.contextValue = 'waitingIntervention';
  item.accessibilityInformation = { label: `${label}, ${item.description}` };
  return item;
}

function effectItem(effect: Effect): vscode.TreeItem {
  const item = new vscode.TreeItem(describeEffect(effect));
  item.description = describeDivergence(effect);
  item.iconPath = new vscode.ThemeIcon('pulse');
  item.command = commandLink('setContrast', vscode.l10n.t('Set Contrast'));
  const before = effect.before.map(
    ({ text, probability }) => `${quoteToken(text)} ${formatProbability(probability)}`,
  );
  const after = effect.after.map(
    ({ text, probability }) => `${quoteToken(text)} ${formatProbability(probability)}`,
  );
  item.tooltip = [
    vscode.l10n.t('Without: {0}', before.join(', ')),
    vscode.l10n.t('With: {0}', after.join(', ')),
    vscode.l10n.t('KL divergence from the clean run, at the last token'),
  ].join('\n');
  item.accessibilityInformation = { label: `${describeEffect(effect)}, ${describeDivergence(effect)}` };
  return item;
}

function failureItem(error: unknown): vscode.TreeItem {
  const item = new vscode.TreeItem(wordError(error));
  item.iconPath = new vscode.ThemeIcon('warning');
  item.tooltip = wordError(error);
  return item;
}

function editTooltip(edit: Edit, label: string, where: string): string {
  const lines = [label, where, vscode.l10n.t('Strength {0}', formatNumber(edit.strength))];
  if (edit.action.kind === 'patch') lines.push(vscode.l10n.t('From: {0}', edit.action.text));
  return lines.join('\n');
}
