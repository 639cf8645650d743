/** The editor of `*.circuit.json` files: the circuit panel over a document that VS Code saves, undoes, reverts and backs up. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { CircuitDocument } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { FieldReader } from '../../shared/fieldReader.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { isPublicGraph, readPublicContent } from '../../shared/publicGraphReader.ts';
import { maxCircuitBytes, readCircuitContent } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import { describeForLog } from '../log.ts';
import { circuitFileEnding, customEditors } from '../names.ts';
import type { Services } from '../services.ts';
import { showPage } from '../webviews/page.ts';
import { panelIcon } from '../webviews/panelIcon.ts';
import { Surface } from '../webviews/surface.ts';
import { CircuitServer } from './circuitServer.ts';
import { circuitBytes } from './exportCircuit.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** A circuit file that is open in one or several editors. */
class CircuitFile extends Disposable implements vscode.CustomDocument {
  /** The annotations as they are on disk. */
  private saved: unknown;

  constructor(
    readonly uri: vscode.Uri,
    readonly circuit: OpenCircuit,
    onClose: () => void,
  ) {
    super();
    this.own({ dispose: onClose });
  }

  get isDirty(): boolean {
    return this.circuit.annotations !== this.saved;
  }

  markSaved(): void {
    this.saved = this.circuit.annotations;
  }

  /** Goes when the file is closed. */
  adopt(resource: vscode.Disposable): void {
    this.own(resource);
  }
}

/** Provides the editors. */
export class CircuitEditor extends Disposable implements vscode.CustomEditorProvider<CircuitFile> {
  readonly onDidChangeCustomDocument;
  private readonly changed = this.own(new vscode.EventEmitter<vscode.CustomDocumentEditEvent<CircuitFile>>());

  constructor(private readonly services: Services) {
    super();
    this.onDidChangeCustomDocument = this.changed.event;
    this.own(
      vscode.window.registerCustomEditorProvider(customEditors.circuit, this, {
        supportsMultipleEditorsPerDocument: true,
      }),
    );
  }

  async openCustomDocument(uri: vscode.Uri, context: vscode.CustomDocumentOpenContext): Promise<CircuitFile> {
    const from = context.backupId === undefined ? uri : vscode.Uri.parse(context.backupId, true);
    const document = await readFile(uri, from);
    const { circuits } = this.services;
    const key = uri.toString();
    const name = basename(uri.path, `.${circuitFileEnding}`);
    const circuit = circuits.openFile(key, document, name);
    const file = new CircuitFile(uri, circuit, () => circuits.closeFile(key));
    if (context.backupId === undefined) file.markSaved();
    circuit.onDidStep((step) => {
      this.changed.fire({ document: file, label: step.what, undo: step.undo, redo: step.redo });
    });
    this.watch(file);
    return file;
  }

  async resolveCustomEditor(file: CircuitFile, panel: vscode.WebviewPanel): Promise<void> {
    const { services } = this;
    const { extensionUri } = services.context;
    panel.iconPath = panelIcon(extensionUri, 'circuit');
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
        await vscode.commands.executeCommand('workbench.action.files.save');
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

  async saveCustomDocument(file: CircuitFile): Promise<void> {
    await this.write(file, file.uri);
    file.markSaved();
  }

  async saveCustomDocumentAs(file: CircuitFile, destination: vscode.Uri): Promise<void> {
    await this.write(file, destination);
  }

  async revertCustomDocument(file: CircuitFile): Promise<void> {
    file.circuit.replace(await readFile(file.uri, file.uri));
    file.markSaved();
  }

  async backupCustomDocument(
    file: CircuitFile,
    context: vscode.CustomDocumentBackupContext,
  ): Promise<vscode.CustomDocumentBackup> {
    const { destination } = context;
    // The file's own place decides how its task is named, not that of the backup.
    await vscode.workspace.fs.writeFile(destination, circuitBytes(file.circuit.document, file.uri));
    return {
      id: destination.toString(),
      delete: () => void vscode.workspace.fs.delete(destination).then(undefined, () => undefined),
    };
  }

  private async write(file: CircuitFile, target: vscode.Uri): Promise<void> {
    await vscode.workspace.fs.writeFile(target, circuitBytes(file.circuit.document, target));
  }

  /** A file that changes on disk, as by a checkout, is read again unless it has changes of its own. */
  private watch(file: CircuitFile): void {
    const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(file.uri, '..'), basename(file.uri.path));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern, true, false, true);
    watcher.onDidChange(async () => {
      if (file.isDirty) return;
      try {
        const document = await readFile(file.uri, file.uri);
        if (file.isDirty || isSame(document, file.circuit.document)) return;
        file.circuit.replace(document);
        file.markSaved();
      } catch (error) {
        this.services.log.warn(`A circuit file has changed and cannot be read: ${describeForLog(error)}`);
      }
    });
    file.adopt(watcher);
  }
}

/** Reads the content of the file `uri` from `from`, which is the file or a backup of it. @throws file.malformed */
async function readFile(uri: vscode.Uri, from: vscode.Uri): Promise<CircuitDocument> {
  const path = uri.fsPath;
  const { size } = await vscode.workspace.fs.stat(from);
  if (size > maxCircuitBytes) {
    const expected = `at most ${maxCircuitBytes} bytes`;
    throw new EngineError('file.malformed', { path, field: 'file size', expected, found: `${size} bytes` });
  }
  const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(from));
  const content = FieldReader.parse(path, text);
  const document = isPublicGraph(content) ? readPublicContent(content).document : readCircuitContent(content);
  return withTaskPath(document, (task) => vscode.Uri.joinPath(uri, '..', task).fsPath);
}

/** Whether two documents would be written alike, but for what was measured since. */
function isSame(one: CircuitDocument, other: CircuitDocument): boolean {
  const uri = vscode.Uri.file('/');
  const bytesOf = (document: CircuitDocument) => circuitBytes({ ...document, evaluation: undefined }, uri);
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}
