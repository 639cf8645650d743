/** The editor of `*.circuit.json` files: the circuit panel over a document that VS Code saves, undoes, reverts and backs up. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { CircuitAnnotations, CircuitDocument } from '../../shared/circuit.ts';
import { EngineError } from '../../shared/errors.ts';
import { FieldReader } from '../../shared/fieldReader.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { isPublicGraph, readPublicContent } from '../../shared/publicGraphReader.ts';
import { maxCircuitBytes, readCircuitContent } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import { describeForLog } from '../log.ts';
import { circuitFileEnding, customEditors } from '../names.ts';
import { plainMessage } from '../plainTitle.ts';
import type { Services } from '../services.ts';
import { showPage } from '../webviews/page.ts';
import { panelIcon } from '../webviews/panelIcon.ts';
import { Surface } from '../webviews/surface.ts';
import { askConflict, askOwnFile, CircuitTexts } from './circuitConflict.ts';
import { CircuitServer } from './circuitServer.ts';
import { DiskCopy, hashOf } from './diskCopy.ts';
import { circuitBytes } from './exportCircuit.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** Marks the id of a backup of another tool's file: the backup itself is a circuit of Fovea's own. */
const foreignMark = 'foreign';

/** What was read. */
interface FileContent {
  readonly document: CircuitDocument;
  readonly bytes: Uint8Array;
  readonly isForeign: boolean;
  /** What a file of another tool does not say. */
  readonly notes: readonly string[];
}

/** A circuit file that is open in one or several editors. */
class CircuitFile extends Disposable implements vscode.CustomDocument {
  /** The annotations as they are on disk. */
  private saved: CircuitAnnotations | undefined;

  constructor(
    readonly uri: vscode.Uri,
    readonly circuit: OpenCircuit,
    /** What the file holds, as far as is known here. */
    readonly disk: DiskCopy,
    /** True when another tool has written it, in a format that saving would end. */
    public isForeign: boolean,
    onClose: () => void,
  ) {
    super();
    this.own({ dispose: onClose });
  }

  get isDirty(): boolean {
    return this.circuit.annotations !== this.saved;
  }

  /** These annotations are on disk; newer ones may have come while they were written. */
  markSaved(annotations: CircuitAnnotations = this.circuit.annotations): void {
    this.saved = annotations;
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

  async openCustomDocument(uri: vscode.Uri, context: vscode.CustomDocumentOpenContext): Promise<CircuitFile> {
    const backup = context.backupId === undefined ? undefined : vscode.Uri.parse(context.backupId, true);
    const from = backup?.with({ query: '', fragment: '' }) ?? uri;
    const { document, bytes, isForeign, notes } = await readFile(uri, from);
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
    if (file.isForeign) return this.saveElsewhere(file);
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
    const target = await askOwnFile(file.uri);
    if (!target) throw new vscode.CancellationError();
    await this.saveCustomDocumentAs(file, target);
    if (target.toString() === file.uri.toString()) return;
    await this.revertCustomDocument(file);
    await vscode.commands.executeCommand('vscode.openWith', target, customEditors.circuit);
  }

  async saveCustomDocumentAs(file: CircuitFile, destination: vscode.Uri): Promise<void> {
    const { annotations } = file.circuit;
    const bytes = circuitBytes(file.circuit.document, destination);
    await vscode.workspace.fs.writeFile(destination, bytes);
    if (destination.toString() !== file.uri.toString()) return;
    file.disk.note(bytes);
    file.isForeign = false;
    file.markSaved(annotations);
  }

  async revertCustomDocument(file: CircuitFile): Promise<void> {
    this.take(file, await readFile(file.uri, file.uri));
  }

  async backupCustomDocument(
    file: CircuitFile,
    context: vscode.CustomDocumentBackupContext,
  ): Promise<vscode.CustomDocumentBackup> {
    const { destination } = context;
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
        const content = await readFile(file.uri, file.uri);
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

/** Reads the content of the file `uri` from `from`, which is the file or a backup of it. @throws file.malformed */
async function readFile(uri: vscode.Uri, from: vscode.Uri): Promise<FileContent> {
  const path = uri.fsPath;
  const { size } = await vscode.workspace.fs.stat(from);
  if (size > maxCircuitBytes) {
    const expected = `at most ${maxCircuitBytes} bytes`;
    throw new EngineError('file.malformed', { path, field: 'file size', expected, found: `${size} bytes` });
  }
  const bytes = await vscode.workspace.fs.readFile(from);
  const content = FieldReader.parse(path, new TextDecoder().decode(bytes));
  const isForeign = isPublicGraph(content);
  const { document, notes } = isForeign
    ? readPublicContent(content)
    : { document: readCircuitContent(content), notes: [] };
  const placed = withTaskPath(document, (task) => vscode.Uri.joinPath(uri, '..', task).fsPath);
  return { document: placed, bytes, isForeign, notes };
}

/** The bytes of a file; undefined when it is gone. */
async function bytesIn(uri: vscode.Uri): Promise<Uint8Array | undefined> {
  try {
    return await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return undefined;
    throw error;
  }
}

/** Whether two documents would be written alike, but for what was measured since. */
function isSame(one: CircuitDocument, other: CircuitDocument): boolean {
  const uri = vscode.Uri.file('/');
  const bytesOf = (document: CircuitDocument) => circuitBytes({ ...document, evaluation: undefined }, uri);
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}
