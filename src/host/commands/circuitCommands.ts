/** Commands on circuits that are there: compare, import, save, export. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { CircuitDocument } from '../../shared/circuit.ts';
import { isRelativePath } from '../../shared/circuitDocument.ts';
import { EngineError } from '../../shared/errors.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { type ExportKind, exportCircuit, saveAsFile } from '../circuits/exportCircuit.ts';
import type { OpenCircuit } from '../circuits/openCircuit.ts';
import { circuitFileEnding, customEditors } from '../names.ts';
import { plainMessage, plainTitle } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';

/** Sets another circuit beside the active one: an open one, or a file's. */
export async function compareCircuits(services: CommandServices): Promise<void> {
  const { circuits } = services;
  const title = vscode.l10n.t('Compare Circuits');
  const base = requireCircuit(services);
  const other = await pickOther(services, base, title);
  if (!other) return;
  const as = await pickComparison(title);
  if (!as) return;
  if (!circuits.activePlace) services.circuitPanel.show();
  circuits.activePlace?.compare(other, as);
}

/** Opens a circuit file and sets another circuit beside it; without a file, beside the active one. */
export async function compareCircuitWith(services: CommandServices, given?: unknown): Promise<void> {
  if (given instanceof vscode.Uri) {
    await vscode.commands.executeCommand('vscode.openWith', given, customEditors.circuit);
    // What is wrong with a file, its editor says.
    if (!services.circuits.ofFile(given.toString())) return;
  }
  await compareCircuits(services);
}

/** Reads a circuit of any known format and shows it in the panel. */
export async function importCircuit(services: CommandServices, given?: unknown): Promise<void> {
  const uri = given instanceof vscode.Uri ? given : await chooseFile(vscode.l10n.t('Import Circuit'));
  if (!uri) return;
  const { document, notes } = await readFile(services, uri);
  services.circuitPanel.show();
  services.circuits.show(document, { name: basename(uri.path) });
  if (notes.length > 0) {
    void vscode.window.showInformationMessage(notes.map(plainMessage).join(' '));
  }
}

/** Shows a file, or that of the active editor, as the text it is. */
export async function reopenAsText(given?: unknown): Promise<void> {
  const { input } = vscode.window.tabGroups.activeTabGroup.activeTab ?? {};
  const active = input instanceof vscode.TabInputCustom ? input.uri : undefined;
  const uri = given instanceof vscode.Uri ? given : active;
  if (uri) await vscode.commands.executeCommand('vscode.openWith', uri, 'default');
}

/** Saves the active circuit as a file and opens that. */
export async function saveCircuitAs(services: CommandServices): Promise<void> {
  await saveAsFile(services, requireCircuit(services));
}

/** Writes the active circuit in another tool's format. */
export async function exportAs(services: CommandServices): Promise<void> {
  await exportOne(services, requireCircuit(services));
}

/** Asks for the format, and writes. */
export async function exportOne(services: CommandServices, circuit: OpenCircuit): Promise<void> {
  const items: (vscode.QuickPickItem & { readonly format: ExportKind })[] = [
    {
      label: vscode.l10n.t('Attribution Graph'),
      detail: vscode.l10n.t('The public JSON that circuit-tracer and Neuronpedia show'),
      format: 'attributionGraph',
    },
    { label: 'EAP-IG', detail: vscode.l10n.t('Edges between heads and MLPs, as JSON'), format: 'eapIg' },
    {
      label: 'auto-circuit',
      detail: vscode.l10n.t('Prune scores of edges, as a PyTorch file'),
      format: 'autoCircuit',
    },
    { label: vscode.l10n.t('Circuit'), detail: `*.${circuitFileEnding}`, format: 'fovea' },
  ];
  const title = vscode.l10n.t('Export Circuit');
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('As what?'),
    ignoreFocusOut: true,
  });
  if (chosen) await exportCircuit(services, circuit, chosen.format);
}

/** The circuit of the editor or panel that was active last. @throws request.invalid when there is none */
function requireCircuit({ circuits }: CommandServices): OpenCircuit {
  const circuit = circuits.activePlace?.circuit ?? circuits.shown ?? circuits.all[0];
  if (circuit) return circuit;
  const reason = vscode.l10n.t('none is open; find one, or open a circuit file');
  throw new EngineError('request.invalid', { what: vscode.l10n.t('A circuit'), reason });
}

async function pickOther(
  services: CommandServices,
  base: OpenCircuit,
  title: string,
): Promise<OpenCircuit | undefined> {
  services.circuits.restore();
  const open = services.circuits.othersThan(base);
  const items: (vscode.QuickPickItem & { readonly circuit?: OpenCircuit })[] = [
    ...open.map((circuit) => ({
      label: plainTitle(circuit.title),
      description: circuit.graph.method.name,
      circuit,
    })),
    { label: `$(folder-opened) ${vscode.l10n.t('Choose a Circuit File…')}` },
  ];
  const placeHolder = vscode.l10n.t('With which circuit should {0} be compared?', base.title);
  const chosen = await vscode.window.showQuickPick(items, { title, placeHolder, ignoreFocusOut: true });
  if (!chosen) return undefined;
  if (chosen.circuit) return chosen.circuit;
  const uri = await chooseFile(title);
  if (!uri) return undefined;
  const { document } = await readFile(services, uri);
  return services.circuits.addBeside(document, basename(uri.path));
}

async function pickComparison(title: string): Promise<'difference' | 'sideBySide' | undefined> {
  const items: (vscode.QuickPickItem & { readonly as: 'difference' | 'sideBySide' })[] = [
    {
      label: vscode.l10n.t('Differences'),
      detail: vscode.l10n.t('One picture with what was added, removed and changed'),
      as: 'difference',
    },
    { label: vscode.l10n.t('Side by Side'), detail: vscode.l10n.t('Two pictures'), as: 'sideBySide' },
  ];
  const placeHolder = vscode.l10n.t('How should they be shown?');
  return (await vscode.window.showQuickPick(items, { title, placeHolder, ignoreFocusOut: true }))?.as;
}

async function chooseFile(title: string): Promise<vscode.Uri | undefined> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title,
      filters: { [vscode.l10n.t('Circuits')]: ['json', 'pt'] },
    })) ?? [];
  return uri;
}

/** What the engine reads in a file; the open model gives shapes that some formats leave out. */
async function readFile(
  { engine, models }: CommandServices,
  uri: vscode.Uri,
): Promise<{ readonly document: CircuitDocument; readonly notes: readonly string[] }> {
  const path = uri.fsPath;
  const read = (model?: string) => engine.readCircuitFile({ path, model });
  const open = models.model?.id;
  // A file of another model is still worth showing: its own words about its shape are taken then.
  const { document, notes } = await read(open).catch((error: unknown) => {
    if (open === undefined) throw error;
    return read();
  });
  const place = (task: string): string =>
    isRelativePath(task) ? vscode.Uri.joinPath(uri, '..', task).fsPath : task;
  return { document: withTaskPath(document, place), notes };
}
