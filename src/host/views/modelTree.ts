/** The Models view: what is loaded, how its SAEs are read, what is being downloaded, and what failed. */

import * as vscode from 'vscode';
import { bosMismatch } from '../../shared/bosMismatch.ts';
import type { SaeId } from '../../shared/domain.ts';
import { setContext } from '../contributions.ts';
import { saeName } from '../describeSae.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { views } from '../names.ts';
import type { Services } from '../services.ts';
import { wordError } from '../wordError.ts';
import { ChosenMark } from './chosenMark.ts';
import {
  downloadItem,
  failedItem,
  hookItem,
  hooksItem,
  layerItem,
  modelFactItem,
  modelItem,
  otherSaesItem,
  remedyItem,
} from './modelItem.ts';
import { childRows, type ModelRow, type ModelRowsInput, parentRow, rowId } from './modelRows.ts';
import { saeFactItem, saeItem } from './saeItem.ts';

type TreeServices = Pick<Services, 'models' | 'checks' | 'downloads'>;

/** The view is drawn at most this often, in milliseconds: progress comes faster than anybody reads. */
const drawEvery = 150;

/** Shows the model and lets one of its SAEs be chosen. */
export class ModelTree extends Disposable implements vscode.TreeDataProvider<ModelRow> {
  readonly onDidChangeTreeData;
  private readonly changed = this.own(new Emitter<undefined>());
  private readonly view: vscode.TreeView<ModelRow>;
  private timer: NodeJS.Timeout | undefined;
  /** The SAE whose row was brought into view last. */
  private revealed: SaeId | undefined;

  constructor(private readonly services: TreeServices) {
    super();
    this.onDidChangeTreeData = this.changed.event;
    this.view = this.own(
      vscode.window.createTreeView(views.model, { treeDataProvider: this, showCollapseAll: true }),
    );
    this.own(new ChosenMark(services.models));
    this.own(services.models.onDidChange(() => this.refresh()));
    this.own(services.checks.onDidChange(() => this.drawSoon()));
    this.own(services.downloads.onDidChange(() => this.drawSoon()));
    this.own({ dispose: () => clearTimeout(this.timer) });
    this.refresh();
  }

  getChildren(row?: ModelRow): ModelRow[] {
    return [...childRows(this.input, row)];
  }

  getParent(row: ModelRow): ModelRow | undefined {
    return parentRow(this.input, row);
  }

  getTreeItem(row: ModelRow): vscode.TreeItem {
    const item = this.itemOf(row);
    item.id = rowId(row);
    return item;
  }

  private get input(): ModelRowsInput {
    return { models: this.services.models, downloads: this.services.downloads.current };
  }

  private itemOf(row: ModelRow): vscode.TreeItem {
    const { models, checks } = this.services;
    const isChosen = (sae: { readonly id: string }): boolean => sae.id === models.sae?.id;
    switch (row.kind) {
      case 'download':
        return downloadItem(row.download);
      case 'failed':
        return failedItem(row);
      case 'remedy':
        return remedyItem(row.remedy, models.previous);
      case 'model':
        return modelItem(row.model);
      case 'modelFact':
        return modelFactItem(row.model, row.fact);
      case 'layer': {
        const nLayers = models.model?.nLayers ?? 0;
        return layerItem(row, { nLayers, holdsChosen: row.saes.some(isChosen) });
      }
      case 'hooks':
        return hooksItem(row.hooks);
      case 'hook':
        return hookItem(row, row.saes.some(isChosen));
      case 'otherSaes':
        return otherSaesItem(row.saes.length);
      case 'sae':
        return saeItem(row.sae, {
          name: saeName(row.sae, models.saes),
          status: checks.status(row.sae),
          isChosen: isChosen(row.sae),
          ...(models.model && { mismatch: bosMismatch(row.sae, models.model) }),
        });
      case 'saeFact':
        return saeFactItem(row.sae, row.fact);
    }
  }

  private refresh(): void {
    const { status, error, name } = this.services.models;
    setContext('modelLoaded', status === 'ready');
    setContext('modelFailed', status === 'failed');
    this.view.message = this.messageOf(status, error, name);
    this.draw();
    this.revealChosen();
  }

  /** Opens the way to the chosen SAE when another one was chosen; what else is open stays so. */
  private revealChosen(): void {
    const { sae } = this.services.models;
    if (!sae || sae.id === this.revealed) return;
    this.revealed = sae.id;
    if (!this.view.visible) return;
    // A row that is gone by the time it is looked for needs no showing.
    this.view.reveal({ kind: 'sae', sae }, { select: false, focus: false }).then(undefined, () => undefined);
  }

  /** A message hides the welcome content, so a failure brings its remedies as rows. */
  private messageOf(status: string, error: unknown, name: string): string | undefined {
    if (status === 'failed') return wordError(error);
    return status === 'loading' ? vscode.l10n.t('Loading {0}…', name) : undefined;
  }

  private drawSoon(): void {
    this.timer ??= setTimeout(() => this.draw(), drawEvery);
  }

  private draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.changed.fire(undefined);
  }
}
