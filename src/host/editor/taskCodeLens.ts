/** The line over a task file: how many pairs can be run, and how well the loaded model does on them. */

import * as vscode from 'vscode';
import { onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
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
    return taskLenses(this.tasks.stateOf(document.uri)).map((link) => new vscode.CodeLens(range, link));
  }
}
