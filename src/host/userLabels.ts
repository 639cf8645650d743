/** Keeps the user's own labels: reads their file, follows its changes, and tells the engine. */

import * as vscode from 'vscode';
import type { EngineApi } from '../shared/engineApi.ts';
import type { FeatureLabel } from '../shared/labelApi.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { checkLabelFileSize, labelFileName, readLabelFile, withLabel, writeLabelFile } from './labelFile.ts';
import { describeForLog, type Log } from './log.ts';
import { wordError } from './wordError.ts';

/** What the labels need. */
export interface UserLabelsOptions {
  readonly engine: EngineApi;
  readonly log: Log;
  /** Where the file lies when no folder is open. */
  readonly fallback: vscode.Uri;
}

/** The labels of `fovea.labels.json`. */
export class UserLabels extends Disposable {
  /** Fires when labels of features are other ones than before. */
  readonly onDidChange;
  private readonly changed = this.own(new Emitter<void>());
  private labels: readonly FeatureLabel[] = [];
  private loading: Promise<void> | undefined;

  constructor(private readonly options: UserLabelsOptions) {
    super();
    this.onDidChange = this.changed.event;
    const watcher = this.own(vscode.workspace.createFileSystemWatcher(`**/${labelFileName}`));
    const reread = (uri: vscode.Uri): void => {
      if (uri.toString() === this.uri.toString()) void this.reload();
    };
    this.own(watcher.onDidChange(reread));
    this.own(watcher.onDidCreate(reread));
    this.own(watcher.onDidDelete(reread));
  }

  /** The file. It is there once the first label was written. */
  get uri(): vscode.Uri {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? this.options.fallback;
    return vscode.Uri.joinPath(folder, labelFileName);
  }

  /** Reads the file for the first time, if nobody has. */
  load(): Promise<void> {
    this.loading ??= this.reload();
    return this.loading;
  }

  /** The user's label of a feature. */
  get(source: string, index: number): string | undefined {
    return this.labels.find((label) => label.source === source && label.index === index)?.text;
  }

  /** Writes a label into the file; an empty text takes it away. @throws what writing a file throws */
  async set(feature: Pick<FeatureLabel, 'source' | 'index'>, text: string): Promise<void> {
    // What others wrote meanwhile is kept; a file that cannot be read is not written over.
    const before = await this.read();
    const labels = withLabel(before, feature, text);
    await vscode.workspace.fs.createDirectory(vscode.Uri.joinPath(this.uri, '..'));
    await vscode.workspace.fs.writeFile(this.uri, new TextEncoder().encode(writeLabelFile(labels)));
    await this.accept(labels);
  }

  private async reload(): Promise<void> {
    try {
      await this.accept(await this.read());
    } catch (error) {
      this.options.log.warn(`Labels could not be read: ${describeForLog(error)}`);
      void vscode.window.showWarningMessage(wordError(error));
    }
  }

  private async read(): Promise<readonly FeatureLabel[]> {
    try {
      checkLabelFileSize(this.uri.fsPath, (await vscode.workspace.fs.stat(this.uri)).size);
      const bytes = await vscode.workspace.fs.readFile(this.uri);
      return readLabelFile(this.uri.fsPath, new TextDecoder().decode(bytes));
    } catch (error) {
      if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return [];
      throw error;
    }
  }

  private async accept(labels: readonly FeatureLabel[]): Promise<void> {
    if (JSON.stringify(labels) === JSON.stringify(this.labels)) return;
    this.labels = labels;
    await this.options.engine.setUserLabels({ labels });
    this.changed.fire();
  }
}
