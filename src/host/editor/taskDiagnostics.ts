/** Open task files: checked with the loaded model while they are written; problems are shown at their lines. */

import * as vscode from 'vscode';
import { type TaskProblem, taskProblemTemplates } from '../../shared/taskProblem.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog } from '../log.ts';
import type { Services } from '../services.ts';
import { fieldRange } from './fieldRange.ts';
import type { TaskState } from './taskLenses.ts';

/** Files that are tasks. */
export const taskFiles: vscode.DocumentSelector = { pattern: '**/*.task.jsonl' };

/** Pairs that are measured while a file is written; a sample is enough to see whether the model does the task. */
const measuredPairs = 200;

/** Milliseconds without a keystroke before a file is checked. */
const pause = 300;

interface Watched {
  state: TaskState;
  readonly work: LatestOnly;
  timer: NodeJS.Timeout | undefined;
}

/** Checks task files. */
export class TaskDiagnostics extends Disposable {
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<vscode.Uri>());
  private readonly shown = this.own(vscode.languages.createDiagnosticCollection('fovea-task'));
  private readonly watched = new Map<string, Watched>();
  /** Which model the files were checked with. */
  private model = '';

  constructor(private readonly services: Pick<Services, 'engine' | 'models' | 'log'>) {
    super();
    this.onDidChange = this.changed.event;
    this.own(vscode.workspace.onDidOpenTextDocument((document) => this.schedule(document, 0)));
    this.own(
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) this.schedule(document, pause);
      }),
    );
    this.own(vscode.workspace.onDidCloseTextDocument((document) => this.forget(document.uri)));
    this.own(services.models.onDidChange(() => this.modelChanged()));
    for (const document of vscode.workspace.textDocuments) this.schedule(document, 0);
  }

  override dispose(): void {
    for (const { uri } of vscode.workspace.textDocuments) this.forget(uri);
    super.dispose();
  }

  /** What is known of a file. */
  stateOf(uri: vscode.Uri): TaskState | undefined {
    return this.watched.get(uri.toString())?.state;
  }

  private modelChanged(): void {
    const { model } = this.services.models;
    const now = model ? `${model.id} ${model.bos}` : '';
    if (!model || now === this.model) return;
    this.model = now;
    for (const document of vscode.workspace.textDocuments) this.schedule(document, 0);
  }

  private schedule(document: vscode.TextDocument, delay: number): void {
    if (vscode.languages.match(taskFiles, document) === 0) return;
    const key = document.uri.toString();
    const watched = this.watched.get(key) ?? {
      state: { busy: true },
      work: new LatestOnly(),
      timer: undefined,
    };
    this.watched.set(key, watched);
    watched.work.cancel();
    clearTimeout(watched.timer);
    watched.timer = setTimeout(() => void this.check(document, watched), delay);
  }

  private async check(document: vscode.TextDocument, watched: Watched): Promise<void> {
    const { engine, models, log } = this.services;
    const tell = (state: TaskState): void => {
      watched.state = state;
      this.changed.fire(document.uri);
    };
    try {
      await watched.work.run(async (signal) => {
        const { id, name } = await models.ensure();
        if (signal.aborted) return;
        const file = { text: document.getText(), name: document.uri.path };
        // What is wrong is told before the model is run.
        const quick = await engine.checkTask({ model: id, file, measure: 0 }, { signal });
        if (signal.aborted) return;
        this.shown.set(
          document.uri,
          quick.problems.map((problem) => diagnosticOf(problem, document)),
        );
        if (quick.pairs === 0) return tell({ check: quick, model: name, busy: false });
        tell({ check: { ...quick, behaviour: watched.state.check?.behaviour }, model: name, busy: true });
        const check = await engine.checkTask({ model: id, file, measure: measuredPairs }, { signal });
        if (!signal.aborted) tell({ check, model: name, busy: false });
      });
    } catch (error) {
      log.warn(describeForLog(error));
      this.shown.delete(document.uri);
      tell({ error, busy: false });
    }
  }

  private forget(uri: vscode.Uri): void {
    const key = uri.toString();
    // Changing the language closes and reopens a document.
    if (vscode.workspace.textDocuments.some((open) => open.uri.toString() === key && !open.isClosed)) return;
    const watched = this.watched.get(key);
    clearTimeout(watched?.timer);
    watched?.work.cancel();
    this.watched.delete(key);
    this.shown.delete(uri);
  }
}

function diagnosticOf(problem: TaskProblem, document: vscode.TextDocument): vscode.Diagnostic {
  const line = Math.min(problem.line, document.lineCount) - 1;
  const { start, end } = fieldRange(document.lineAt(line).text, problem.field);
  const severity =
    problem.severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const range = new vscode.Range(line, start, line, end);
  const diagnostic = new vscode.Diagnostic(range, wordTaskProblem(problem), severity);
  diagnostic.source = 'Fovea';
  return diagnostic;
}

/** A problem in the user's language. */
export function wordTaskProblem({ code, data }: TaskProblem): string {
  return vscode.l10n.t(taskProblemTemplates[code], data as unknown as Record<string, string | number>);
}
