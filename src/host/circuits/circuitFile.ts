/** A circuit file that is open in editors: what it holds on disk and here, and how it is read. */

import * as vscode from 'vscode';
import type { CircuitAnnotations, CircuitDocument } from '../../shared/circuit.ts';
import { EngineError } from '../../shared/errors.ts';
import { FieldReader } from '../../shared/fieldReader.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { isPublicGraph, readPublicContent } from '../../shared/publicGraphReader.ts';
import { maxCircuitBytes, readCircuitContent } from '../../shared/readCircuit.ts';
import { Disposable } from '../disposable.ts';
import type { DiskCopy } from './diskCopy.ts';
import { circuitBytes } from './exportCircuit.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** What was read. */
export interface FileContent {
  readonly document: CircuitDocument;
  readonly bytes: Uint8Array;
  readonly isForeign: boolean;
  /** What a file of another tool does not say. */
  readonly notes: readonly string[];
}

/** A circuit file that is open in one or several editors. */
export class CircuitFile extends Disposable implements vscode.CustomDocument {
  /** The annotations as they are on disk. */
  private saved: CircuitAnnotations | undefined;
  /** Somebody has been told that this is another tool's file, and what becomes of changes. */
  isForeignTold = false;
  /** Somebody has just asked for a file of its own; saving need not explain. */
  wantsOwnFile = false;

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

/** Reads the content of the file `uri` from `from`, which is the file or a backup of it. @throws file.malformed */
export async function readCircuitFile(uri: vscode.Uri, from: vscode.Uri): Promise<FileContent> {
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
export async function bytesIn(uri: vscode.Uri): Promise<Uint8Array | undefined> {
  try {
    return await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return undefined;
    throw error;
  }
}

/** Whether two documents would be written alike, but for what was measured since. */
export function isSame(one: CircuitDocument, other: CircuitDocument): boolean {
  const uri = vscode.Uri.file('/');
  const bytesOf = (document: CircuitDocument) => circuitBytes({ ...document, evaluation: undefined }, uri);
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}
