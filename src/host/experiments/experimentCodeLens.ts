/** The line over an experiment's file. */

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { circuitMethod, resultsName } from '../../shared/experiment/resultFiles.ts';
import { onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import type { SweepSession } from '../sweeps/sweepSession.ts';
import { type CircuitFile, experimentLenses } from './experimentLenses.ts';
import type { ExperimentRuns } from './experimentRuns.ts';

/** Files that are experiments. */
export const experimentFiles: vscode.DocumentSelector = { pattern: '**/*.fovea.json' };

/** Milliseconds between two progresses that are shown: lenses that jump cannot be read. */
const pause = 400;

/** Provides the lenses. */
export class ExperimentCodeLens extends Disposable implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses;
  private readonly changed = this.own(new Emitter<void>());
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly runs: ExperimentRuns,
    private readonly sweeps: SweepSession,
  ) {
    super();
    this.onDidChangeCodeLenses = this.changed.event;
    this.own(vscode.languages.registerCodeLensProvider(experimentFiles, this));
    this.own(runs.onDidChange(() => this.refresh()));
    this.own(vscode.workspace.onDidGrantWorkspaceTrust(() => this.changed.fire()));
    this.own(onSettingChanged(['codeLensEnabled'], () => this.changed.fire()));
    const results = this.own(
      vscode.workspace.createFileSystemWatcher('**/*.results.json', false, true, false),
    );
    this.own(results.onDidCreate(() => this.changed.fire()));
    this.own(results.onDidDelete(() => this.changed.fire()));
    this.own({ dispose: () => clearTimeout(this.timer) });
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (!readSetting('codeLensEnabled', document.uri)) return [];
    const range = new vscode.Range(0, 0, 0, 0);
    const { uri } = document;
    const results = resultsOf(uri);
    const links = experimentLenses({
      uri,
      isTrusted: vscode.workspace.isTrusted,
      progress: this.runs.progressOf(uri.fsPath),
      kept: this.runs.keptOf(uri.fsPath, document.getText()),
      results,
      circuits: results && circuitsOf(uri.fsPath),
      // Sweeps that are kept are read from disk when somebody asks: nobody does before there are results.
      hasSweep: results !== undefined && this.sweeps.ofExperiment(uri.fsPath).length > 0,
    });
    return links.map((link) => new vscode.CodeLens(range, link));
  }

  private refresh(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.changed.fire();
    }, pause);
  }
}

/** Circuits that have a link at most. */
const mostCircuits = 3;

/** The circuits beside an experiment, by the number of their method. */
function circuitsOf(file: string): readonly CircuitFile[] {
  const folder = dirname(file);
  const found = readdirSync(folder).flatMap((name) => {
    const method = circuitMethod(file, name);
    return method === undefined ? [] : [{ uri: vscode.Uri.file(join(folder, name)), method }];
  });
  found.sort((one, other) => one.method - other.method);
  return found.slice(0, mostCircuits).map(({ uri, method }) => (method === 0 ? { uri } : { uri, method }));
}

/** The results beside an experiment, when they are there. */
export function resultsOf(uri: vscode.Uri): vscode.Uri | undefined {
  if (uri.scheme !== 'file') return undefined;
  const path = join(dirname(uri.fsPath), resultsName(uri.fsPath));
  return existsSync(path) ? vscode.Uri.file(path) : undefined;
}
