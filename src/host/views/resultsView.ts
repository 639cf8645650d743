/** The tree of results: everything that was found and is kept, so that a closed panel or an earlier result can be shown again. */

import * as vscode from 'vscode';
import { commandLink } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { views } from '../names.ts';
import { plainTitle } from '../plainTitle.ts';
import { type ResultKind, type ResultRow, type ResultSources, resultRows } from './resultRows.ts';

/** Milliseconds between two refreshes: work that runs reports often. */
const refreshEvery = 300;

/** Shows the results, newest first. */
export class ResultsView extends Disposable implements vscode.TreeDataProvider<ResultRow> {
  readonly onDidChangeTreeData;
  private readonly changed = this.own(new Emitter<undefined>());
  private readonly view: vscode.TreeView<ResultRow>;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly sources: ResultSources) {
    super();
    this.onDidChangeTreeData = this.changed.event;
    this.view = this.own(vscode.window.createTreeView(views.results, { treeDataProvider: this }));
    const { circuits, models, shift, studies, sweeps } = sources;
    // A circuit that is pruned or annotated keeps its row.
    this.own(circuits.onDidChange(({ kind }) => kind !== 'circuit' && this.refreshSoon()));
    for (const source of [models, shift, studies, sweeps]) {
      this.own(source.onDidChange(() => this.refreshSoon()));
    }
    this.own({ dispose: () => clearTimeout(this.timer) });
  }

  /** The row that is selected in the view. */
  get selected(): ResultRow | undefined {
    return this.view.selection[0];
  }

  getChildren(row?: ResultRow): ResultRow[] {
    return row ? [] : [...resultRows(this.sources)];
  }

  getTreeItem(row: ResultRow): vscode.TreeItem {
    return resultItem(row);
  }

  private refreshSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.changed.fire(undefined);
    }, refreshEvery);
  }
}

/** A row as VS Code draws it; its menu depends on what kind it is and whether it runs. */
export function resultItem(row: ResultRow): vscode.TreeItem {
  const { description, id, kind, state, title, tooltip } = row;
  const item = new vscode.TreeItem(title);
  item.id = `${kind}:${id}`;
  item.description = description;
  item.tooltip = tooltip;
  item.iconPath = new vscode.ThemeIcon(state === 'running' ? 'loading~spin' : resultIcons[kind]);
  item.contextValue = `${kind}.${state}`;
  item.command = commandLink('showResult', vscode.l10n.t('Show'), [row]);
  item.accessibilityInformation = { label: [wordKind(kind), title, description].join(', ') };
  return item;
}

/** A row as it is offered in a list to choose from. */
export function resultChoice(row: ResultRow): vscode.QuickPickItem & { readonly row: ResultRow } {
  const icon = row.state === 'running' ? 'loading~spin' : resultIcons[row.kind];
  return {
    label: `$(${icon}) ${plainTitle(row.title)}`,
    description: plainTitle(row.description),
    row,
  };
}

const resultIcons: Readonly<Record<ResultKind, string>> = {
  circuit: 'circuit-board',
  sweep: 'table',
  study: 'beaker',
  shift: 'filter',
};

function wordKind(kind: ResultKind): string {
  switch (kind) {
    case 'circuit':
      return vscode.l10n.t('Circuit');
    case 'sweep':
      return vscode.l10n.t('Sweep');
    case 'study':
      return vscode.l10n.t('Study');
    case 'shift':
      return 'SHIFT';
  }
}
