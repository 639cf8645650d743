/** Saves a circuit as a file of the user's choice: Fovea's own, other tools' formats, or the picture that the view drew. */

import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { CircuitDocument } from '../../shared/circuit.ts';
import { writeCircuit } from '../../shared/circuitDocument.ts';
import type { CircuitFileFormat } from '../../shared/circuitFileApi.ts';
import type { CircuitViewApi } from '../../shared/circuitViewApi.ts';
import { EngineError } from '../../shared/errors.ts';
import { relativePath, withTaskPath } from '../../shared/portableCircuit.ts';
import { circuitFileEnding, customEditors } from '../names.ts';
import { plainMessage } from '../plainTitle.ts';
import type { Services } from '../services.ts';
import { isOfModel } from './localCircuit.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** What a circuit can be saved as. */
export type ExportKind = Parameters<CircuitViewApi['exportGraph']>[0]['kind'];

type Needed = Pick<Services, 'engine' | 'models' | 'documents'>;

/** Asks where to save, writes, and tells so. */
export async function exportCircuit(
  services: Needed,
  circuit: OpenCircuit,
  kind: ExportKind,
  picture?: string,
): Promise<void> {
  const isPicture = kind === 'svg' || kind === 'png';
  if (isPicture && picture === undefined) return;
  const target = await askTarget(services, circuit, kind);
  if (!target) return;
  const notes = isPicture
    ? await writeBytes(target, pictureBytes(kind, picture ?? ''))
    : await writeFormat(services, circuit, kind, target);
  tellSaved(target, kind, notes);
}

/** Saves the circuit as a file, which is open from then on. */
export async function saveAsFile(services: Needed, circuit: OpenCircuit): Promise<void> {
  const target = await askTarget(services, circuit, 'fovea');
  if (!target) return;
  circuit.endStroke();
  const { annotations } = circuit;
  await writeBytes(target, circuitBytes(circuit.document, target));
  circuit.saved = { uri: target.toString(), annotations };
  await vscode.commands.executeCommand('vscode.openWith', target, customEditors.circuit);
}

async function askTarget(
  services: Pick<Services, 'documents'>,
  circuit: OpenCircuit,
  kind: ExportKind,
): Promise<vscode.Uri | undefined> {
  return vscode.window.showSaveDialog({
    defaultUri: await suggestFile(services, circuit, kind),
    // A filter of two parts would be appended again to a name that has it.
    filters: { [filterNames()[kind]]: [endings[kind].split('.').at(-1) ?? 'json'] },
    title: kind === 'fovea' ? vscode.l10n.t('Save Circuit') : vscode.l10n.t('Export Circuit'),
  });
}

const endings: Readonly<Record<ExportKind, string>> = {
  fovea: circuitFileEnding,
  attributionGraph: 'graph.json',
  eapIg: 'eap.json',
  autoCircuit: 'pt',
  svg: 'svg',
  png: 'png',
};

function filterNames(): Readonly<Record<ExportKind, string>> {
  return {
    fovea: vscode.l10n.t('Circuit'),
    attributionGraph: vscode.l10n.t('Attribution Graph'),
    eapIg: 'EAP-IG',
    autoCircuit: 'auto-circuit',
    svg: 'SVG',
    png: 'PNG',
  };
}

function pictureBytes(kind: ExportKind, picture: string): Uint8Array {
  return kind === 'svg' ? new TextEncoder().encode(picture) : new Uint8Array(Buffer.from(picture, 'base64'));
}

async function writeFormat(
  { engine, models }: Pick<Services, 'engine' | 'models'>,
  circuit: OpenCircuit,
  format: CircuitFileFormat,
  target: vscode.Uri,
): Promise<readonly string[]> {
  if (format === 'fovea') return writeBytes(target, circuitBytes(circuit.document, target));
  if (target.scheme !== 'file') {
    const reason = vscode.l10n.t('other formats are written to folders of this machine only');
    throw new EngineError('request.invalid', { what: target.path, reason });
  }
  const open = models.model && isOfModel(circuit.graph, models.model) ? models.model.id : undefined;
  const request = { path: target.fsPath, format, document: circuit.document, model: open };
  return (await engine.writeCircuitFile(request)).notes;
}

/** The bytes of a circuit's own file at `target`: without paths of this machine. */
export function circuitBytes(document: CircuitDocument, target: vscode.Uri): Uint8Array {
  const near = withTaskPath(document, (path) => relativePath(dirname(target.fsPath), path));
  return new TextEncoder().encode(writeCircuit(near));
}

async function writeBytes(target: vscode.Uri, bytes: Uint8Array): Promise<readonly string[]> {
  await vscode.workspace.fs.writeFile(target, bytes);
  return [];
}

function tellSaved(target: vscode.Uri, kind: ExportKind, notes: readonly string[]): void {
  const open = vscode.l10n.t('Open');
  const saved = vscode.l10n.t('Saved {0}', vscode.workspace.asRelativePath(target));
  const message = [saved, ...notes.map(plainMessage)].join(' · ');
  void vscode.window
    .showInformationMessage(message, ...(kind === 'autoCircuit' ? [] : [open]))
    .then((chosen) => {
      if (chosen === open) void vscode.commands.executeCommand('vscode.open', target);
    });
}

/** Beside the file or the prompt that the circuit belongs to, and called like it; others are called by their title. */
async function suggestFile(
  { documents }: Pick<Services, 'documents'>,
  circuit: OpenCircuit,
  kind: ExportKind,
): Promise<vscode.Uri | undefined> {
  const own = circuit.fileUri ?? circuit.promptUri;
  const ownUri = own === undefined ? undefined : vscode.Uri.parse(own);
  const base = ownUri && ownUri.scheme !== 'untitled' ? ownUri : undefined;
  const near = base ?? documents.document?.uri;
  const root = vscode.workspace.workspaceFolders?.[0]?.uri;
  const folder = near && near.scheme !== 'untitled' ? vscode.Uri.joinPath(near, '..') : root;
  return folder && freeFile(folder, base ? stemOf(base) : stemOfTitle(circuit.title), endings[kind]);
}

function stemOf({ path }: vscode.Uri): string {
  return basename(path).replace(/(\.prompt|\.circuit)?\.\w+$/, '');
}

function stemOfTitle(title: string): string {
  const stem = title
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
  return stem || 'circuit';
}

/** The first name that no file has yet: a second circuit of one prompt is not to replace the first. */
async function freeFile(folder: vscode.Uri, stem: string, ending: string): Promise<vscode.Uri> {
  const taken = new Set((await listFolder(folder)).map(([name]) => name));
  let name = `${stem}.${ending}`;
  for (let number = 2; taken.has(name); number++) name = `${stem}-${number}.${ending}`;
  return vscode.Uri.joinPath(folder, name);
}

async function listFolder(folder: vscode.Uri): Promise<readonly [string, vscode.FileType][]> {
  try {
    return await vscode.workspace.fs.readDirectory(folder);
  } catch {
    // A folder that is gone takes no names; saving there will say so.
    return [];
  }
}
