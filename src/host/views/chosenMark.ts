/** The mark behind the SAE that is shown: a badge, as VS Code marks changed files. */

import * as vscode from 'vscode';
import type { SaeId } from '../../shared/domain.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import type { ModelStore } from '../modelStore.ts';

const scheme = 'fovea-sae';

/** The address under which VS Code asks for an SAE's mark. */
export function saeUri(id: SaeId): vscode.Uri {
  // Two slashes at the beginning would mean another machine.
  return vscode.Uri.from({ scheme, path: `/${id.replace(/^\/+/, '')}` });
}

/** Marks the chosen SAE of the store. */
export class ChosenMark extends Disposable implements vscode.FileDecorationProvider {
  readonly onDidChangeFileDecorations;
  private readonly changed = this.own(new Emitter<vscode.Uri[]>());
  private marked: SaeId | undefined;

  constructor(private readonly models: ModelStore) {
    super();
    this.onDidChangeFileDecorations = this.changed.event;
    this.own(vscode.window.registerFileDecorationProvider(this));
    this.own(models.onDidChange(() => this.update()));
  }

  provideFileDecoration(uri: vscode.Uri): vscode.FileDecoration | undefined {
    const { sae } = this.models;
    if (uri.scheme !== scheme || !sae || uri.path !== saeUri(sae.id).path) return undefined;
    return new vscode.FileDecoration('●', vscode.l10n.t('Its features are shown'));
  }

  private update(): void {
    const now = this.models.sae?.id;
    if (now === this.marked) return;
    const changed = [this.marked, now].filter((id) => id !== undefined);
    this.marked = now;
    this.changed.fire(changed.map(saeUri));
  }
}
