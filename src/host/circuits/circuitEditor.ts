/** The editor of `*.circuit.json` files: the circuit panel over a document that VS Code saves, undoes, reverts and backs up. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import { Disposable } from '../disposable.ts';
import { describeForLog } from '../log.ts';
import { circuitFileEnding, customEditors } from '../names.ts';
import { plainMessage } from '../plainTitle.ts';
import type { Services } from '../services.ts';
import { showPage } from '../webviews/page.ts';
import { panelIcon } from '../webviews/panelIcon.ts';
import { Surface } from '../webviews/surface.ts';
import { BrokenCircuit, showBroken } from './brokenCircuit.ts';
import { askConflict, askOwnFile, CircuitTexts, isSavedByItself, offerOwnFile } from './circuitConflict.ts';
import { bytesIn, CircuitFile, type FileContent, isSame, readCircuitFile } from './circuitFile.ts';
import { CircuitServer } from './circuitServer.ts';
import { DiskCopy, hashOf } from './diskCopy.ts';
import { circuitBytes } from './exportCircuit.ts';

/** Marks the id of a backup of another tool's file: the backup itself is a circuit of Fovea's own. */
const foreignMark = 'foreign';

/** What an editor shows: a circuit, or why there is none. */
type OpenFile = CircuitFile | BrokenCircuit;

/** Provides the editors. */
export class CircuitEditor extends Disposable implements vscode.CustomEditorProvider<OpenFile> {
  readonly onDidChangeCustomDocument;
  private readonly changed = this.own(new vscode.EventEmitter<vscode.CustomDocumentEditEvent<CircuitFile>>());

  private readonly texts = this.own(new CircuitTexts());

  constructor(private readonly services: Services) {
    super();
    this.onDidChangeCustomDocument = this.changed.event;
    this.own(
      vscode.window.registerCustomEditorProvider(customEditors.circuit, this, {
        supportsMultipleEditorsPerDocument: true,
      }),
    );
  }

  async openCustomDocument(uri: vscode.Uri, context: vscode.CustomDocumentOpenContext): Promise<OpenFile> {
    try {
      return await this.open(uri, context);
    } catch (error) {
      // VS Code would put a dialog before an empty tab; the tab can say itself what is wrong.
      if (isEngineError(error, 'file.malformed')) return new BrokenCircuit(uri, error);
      throw error;
    }
  }

  private async open(uri: vscode.Uri, context: vscode.CustomDocumentOpenContext): Promise<CircuitFile> {
    const backup = context.backupId === undefined ? undefined : vscode.Uri.parse(context.backupId, true);
    const from = backup?.with({ query: '', fragment: '' }) ?? uri;
    const { document, bytes, isForeign, notes } = await readCircuitFile(uri, from);
    // A backup was made of the file as it was then, which its id tells.
    const disk = new DiskCopy(backup ? backup.fragment || undefined : hashOf(bytes));
    const { circuits } = this.services;
    const key = uri.toString();
    const name = basename(uri.path, `.${circuitFileEnding}`);
    const circuit = circuits.openFile(key, document, name);
    const file = new CircuitFile(uri, circuit, disk, isForeign || backup?.query === foreignMark, () =>
      circuits.closeFile(key),
    );
    if (context.backupId === undefined) file.markSaved();
    circuit.onDidStep((step) => {
      this.changed.fire({ document: file, label: step.what, undo: step.undo, redo: step.redo });
    });
    this.watch(file);
    if (notes.length > 0) void vscode.window.showInformationMessage(notes.map(plainMessage).join(' '));
    return file;
  }

  async resolveCustomEditor(file: OpenFile, panel: vscode.WebviewPanel): Promise<void> {
    const { services } = this;
    const { extensionUri } = services.context;
    panel.iconPath = panelIcon(extensionUri, 'circuit');
    if (file instanceof BrokenCircuit) {
      const { viewColumn } = panel;
      const open = (): void => {
        panel.dispose();
        void vscode.commands.executeCommand('vscode.openWith', file.uri, customEditors.circuit, {
          viewColumn,
          preserveFocus: true,
        });
      };
      return showBroken(services, file, { panel, open });
    }
    // VS Code keeps a history of the file; going back by any other way would leave it behind.
    const inEditor = async (command: 'undo' | 'redo'): Promise<void> => {
      if (panel.active) await vscode.commands.executeCommand(command);
      else file.circuit[command]();
    };
    const server = new CircuitServer(services, {
      circuit: () => file.circuit,
      isFile: true,
      message: () => undefined,
      undo: () => inEditor('undo'),
      redo: () => inEditor('redo'),
      save: async () => {
        panel.reveal();
        await this.saveActive(file);
      },
      tell: (change) => {
        if (change === 'state') surface.tell('changed', {});
        else surface.tell('selectionChanged', { position: services.places.selectedToken(file.circuit) });
      },
    });
    const surface = new Surface(panel.webview, server.api);
    const noteActive = (): void => {
      if (panel.active) services.circuits.activate(server);
    };
    panel.onDidChangeViewState(noteActive);
    noteActive();
    panel.onDidDispose(() => {
      server.dispose();
      surface.dispose();
    });
    showPage({ webview: panel.webview, extensionUri, app: 'circuit', title: file.circuit.title });
  }

  /** Saves the editor that is active, as its own command does, when somebody has asked for just that. */
  private async saveActive(file: CircuitFile): Promise<void> {
    file.wantsOwnFile = true;
    try {
      await vscode.commands.executeCommand('workbench.action.files.save');
    } finally {
      file.wantsOwnFile = false;
    }
  }

  async saveCustomDocument(file: OpenFile): Promise<void> {
    if (file instanceof BrokenCircuit) return;
    if (file.isForeign) return this.saveElsewhere(file);
    file.circuit.endStroke();
    const { annotations } = file.circuit;
    const bytes = circuitBytes(file.circuit.document, file.uri);
    const outcome = await file.disk.save(bytes, {
      read: () => bytesIn(file.uri),
      write: async (content) => vscode.workspace.fs.writeFile(file.uri, content),
      ask: () => askConflict(file.uri),
    });
    if (outcome === 'saved') return file.markSaved(annotations);
    if (outcome === 'revert') return this.revertCustomDocument(file);
    const there = outcome === 'compare' ? await bytesIn(file.uri) : undefined;
    if (there) await this.texts.compare(file.uri, there, bytes);
    // Nothing was saved: the editor stays as it is, with its changes.
    throw new vscode.CancellationError();
  }

  /** Another tool's graph stays as it is; what was added to it goes into a file of its own, which is open from then on. */
  private async saveElsewhere(file: CircuitFile): Promise<void> {
    if (isSavedByItself(file.uri) && !file.wantsOwnFile) {
      this.tellForeign(file);
      throw new vscode.CancellationError();
    }
    const target = await askOwnFile(file.uri, file.wantsOwnFile);
    if (!target) throw new vscode.CancellationError();
    await this.saveCustomDocumentAs(file, target);
    if (target.toString() === file.uri.toString()) return;
    await this.revertCustomDocument(file);
    await vscode.commands.executeCommand('vscode.openWith', target, customEditors.circuit);
  }

  /** Saving by itself would ask at every change; it is told once where changes are, and how to keep them. */
  private tellForeign(file: CircuitFile): void {
    const told = vscode.l10n.t('{0} is another tool’s file and was not saved.', basename(file.uri.path));
    vscode.window.setStatusBarMessage(`$(info) ${told}`, 5000);
    if (file.isForeignTold) return;
    file.isForeignTold = true;
    void offerOwnFile(file.uri).then(async (accepted) => {
      if (!accepted || !file.isDirty) return;
      await vscode.commands.executeCommand('vscode.openWith', file.uri, customEditors.circuit);
      await this.saveActive(file);
    });
  }

  async saveCustomDocumentAs(file: OpenFile, destination: vscode.Uri): Promise<void> {
    if (file instanceof BrokenCircuit) return vscode.workspace.fs.copy(file.uri, destination);
    file.circuit.endStroke();
    const { annotations } = file.circuit;
    const bytes = circuitBytes(file.circuit.document, destination);
    await vscode.workspace.fs.writeFile(destination, bytes);
    if (destination.toString() !== file.uri.toString()) return;
    file.disk.note(bytes);
    file.isForeign = false;
    file.markSaved(annotations);
  }

  async revertCustomDocument(file: OpenFile): Promise<void> {
    if (file instanceof BrokenCircuit) return;
    this.take(file, await readCircuitFile(file.uri, file.uri));
  }

  async backupCustomDocument(
    file: OpenFile,
    context: vscode.CustomDocumentBackupContext,
  ): Promise<vscode.CustomDocumentBackup> {
    const { destination } = context;
    // It has no changes of its own that could be lost.
    if (file instanceof BrokenCircuit) return { id: file.uri.toString(), delete: () => undefined };
    file.circuit.endStroke();
    // The file's own place decides how its task is named, not that of the backup.
    await vscode.workspace.fs.writeFile(destination, circuitBytes(file.circuit.document, file.uri));
    return {
      id: destination
        .with({ query: file.isForeign ? foreignMark : '', fragment: file.disk.hash ?? '' })
        .toString(),
      delete: () => void vscode.workspace.fs.delete(destination).then(undefined, () => undefined),
    };
  }

  private take(file: CircuitFile, { document, bytes, isForeign }: FileContent): void {
    file.disk.note(bytes);
    file.isForeign = isForeign;
    file.circuit.replace(document);
    file.markSaved();
  }

  /** A file that changes on disk, as by a checkout, is read again unless it has changes of its own. */
  private watch(file: CircuitFile): void {
    const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(file.uri, '..'), basename(file.uri.path));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern, true, false, true);
    watcher.onDidChange(async () => {
      if (file.isDirty) return;
      try {
        const there = await bytesIn(file.uri);
        if (!there || file.disk.isOurs(there)) return;
        const content = await readCircuitFile(file.uri, file.uri);
        if (file.isDirty) return;
        if (isSame(content.document, file.circuit.document)) file.disk.note(content.bytes);
        else this.take(file, content);
      } catch (error) {
        this.services.log.warn(`A circuit file has changed and cannot be read: ${describeForLog(error)}`);
      }
    });
    file.adopt(watcher);
  }
}
