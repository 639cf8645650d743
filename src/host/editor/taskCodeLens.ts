/** The line over a task file: how many pairs can be run, and how well the loaded model does on them. */

import * as vscode from 'vscode';
import { commandLink, onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { withIcon } from './lensIcon.ts';
import { type TaskDiagnostics, taskFiles } from './taskDiagnostics.ts';
import { taskLenses } from './taskLenses.ts';

/** Provides the lenses. */
export class TaskCodeLens extends Disposable implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses;
  private readonly changed = this.own(new Emitter<void>());

  constructor(private readonly tasks: TaskDiagnostics) {
    super();
    this.onDidChangeCodeLenses = this.changed.event;
    this.own(vscode.languages.registerCodeLensProvider(taskFiles, this));
    this.own(tasks.onDidChange(() => this.changed.fire()));
    this.own(onSettingChanged(['codeLensEnabled'], () => this.changed.fire()));
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (!readSetting('codeLensEnabled', document.uri)) return [];
    const range = new vscode.Range(0, 0, 0, 0);
    const state = this.tasks.stateOf(document.uri);
    const { summary, problems } = taskLenses(state);
    // Actions first: the summary is long, and VS Code cuts the line off where the editor ends.
    const actions = state?.check?.pairs ? this.actions(document.uri) : [];
    const links = [...problems, ...actions, summary];
    return links.map((link) => new vscode.CodeLens(range, link));
  }

  /** What can be done with a task whose pairs can be run. */
  private actions(uri: vscode.Uri): vscode.Command[] {
    return [
      commandLink('findFeatureCircuit', withIcon('circuit-board', vscode.l10n.t('Find Feature Circuit')), [
        uri,
      ]),
      commandLink('attributeEdges', vscode.l10n.t('Attribute Edges'), [uri]),
      commandLink('sweepPatches', vscode.l10n.t('Sweep'), [uri]),
    ];
  }
}
