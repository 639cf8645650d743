/** Experiments that are open: all that keeps them from being run, underlined when a file is opened or saved. */

import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import type { ExperimentProblem } from '../../shared/experiment/experimentProblem.ts';
import { Disposable } from '../disposable.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import { experimentFiles } from './experimentCodeLens.ts';
import type { ExperimentRuns } from './experimentRuns.ts';
import { placeOf } from './jsonPlaces.ts';

/** Checks experiments in trusted workspaces. What VS Code says from the schema is a warning; here it is the error that it is. */
export class ExperimentDiagnostics extends Disposable {
  private readonly shown = this.own(vscode.languages.createDiagnosticCollection('fovea-experiment'));
  private readonly work = new Map<string, LatestOnly>();

  constructor(
    private readonly runs: ExperimentRuns,
    private readonly log: Log,
  ) {
    super();
    this.own(vscode.workspace.onDidOpenTextDocument((document) => void this.check(document)));
    this.own(vscode.workspace.onDidSaveTextDocument((document) => void this.check(document)));
    this.own(vscode.workspace.onDidGrantWorkspaceTrust(() => this.checkAll()));
    this.own(
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        this.work.get(uri.toString())?.cancel();
        this.shown.delete(uri);
      }),
    );
    this.checkAll();
  }

  private checkAll(): void {
    for (const document of vscode.workspace.textDocuments) void this.check(document);
  }

  private async check(document: vscode.TextDocument): Promise<void> {
    const { uri } = document;
    const isMeant = vscode.languages.match(experimentFiles, document) > 0 && uri.scheme === 'file';
    if (!isMeant || !vscode.workspace.isTrusted) return;
    const text = document.getText();
    const work = this.work.get(uri.toString()) ?? new LatestOnly();
    this.work.set(uri.toString(), work);
    try {
      const problems = await work.run((signal) => this.runs.check(uri.fsPath, text, { signal }));
      if (problems)
        this.shown.set(
          uri,
          problems.map((problem) => diagnosticOf(problem, document, text)),
        );
    } catch (error) {
      // A text that is no JSON is VS Code's own to tell.
      if (isEngineError(error, 'request.invalid')) this.shown.delete(uri);
      else if (!isEngineError(error, 'cancelled')) this.log.warn(describeForLog(error));
    }
  }
}

function diagnosticOf(
  { path, severity, message }: ExperimentProblem,
  document: vscode.TextDocument,
  text: string,
): vscode.Diagnostic {
  const { start, end } = placeOf(text, path) ?? { start: 0, end: 0 };
  const range = new vscode.Range(document.positionAt(start), document.positionAt(end));
  const level = severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const diagnostic = new vscode.Diagnostic(range, message, level);
  diagnostic.source = 'Fovea';
  return diagnostic;
}
