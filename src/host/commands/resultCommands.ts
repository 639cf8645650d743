/** Commands on kept results: show one in its panel, save or export it, stop it, or throw it away. */

import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import { saveAsFile } from '../circuits/exportCircuit.ts';
import type { OpenCircuit } from '../circuits/openCircuit.ts';
import type { CommandServices } from '../services.ts';
import { isSafe } from '../studies/keptStudy.ts';
import { type ResultKind, type ResultRow, resultRows, searchId } from '../views/resultRows.ts';
import { resultChoice } from '../views/resultsView.ts';
import { exportOne } from './circuitCommands.ts';

/** Opens the panel of a result with that very result in it; asks for one when none is given. */
export async function showResult(services: CommandServices, given?: unknown): Promise<void> {
  const row = await chosenRow(services, given, vscode.l10n.t('Show Result'), () => true);
  if (row) show(services, row);
}

/** Stops what runs; what it has found so far stays. */
export async function cancelResult(services: CommandServices, given?: unknown): Promise<void> {
  const isRunning = ({ state }: ResultRow): boolean => state === 'running';
  const row = await chosenRow(services, given, vscode.l10n.t('Cancel'), isRunning);
  if (!row) return;
  const { circuits, shift, studies, sweeps } = services;
  if (row.kind === 'circuit') circuits.cancel();
  if (row.kind === 'sweep' && sweeps.atWork?.id === row.id) sweeps.cancel();
  if (row.kind === 'study' && studies.atWork?.id === row.id) studies.cancel();
  if (row.kind === 'shift') shift.cancel();
}

/** Saves a circuit as a file, or the report of a study. */
export async function saveResult(services: CommandServices, given?: unknown): Promise<void> {
  const canSave = ({ kind, state }: ResultRow): boolean =>
    state === 'done' && (kind === 'circuit' || kind === 'study');
  const row = await chosenRow(services, given, vscode.l10n.t('Save Result'), canSave);
  if (!row) return;
  if (row.kind === 'study') {
    services.studies.choose(row.id);
    return services.studyPanel.saveReport();
  }
  const circuit = services.circuits.get(row.id);
  if (circuit) await saveAsFile(services, circuit);
}

/** Writes a circuit in another tool's format, or the cells of a sweep. */
export async function exportResult(services: CommandServices, given?: unknown): Promise<void> {
  const canExport = ({ id, kind, state }: ResultRow): boolean =>
    (kind === 'circuit' && id !== searchId) || (kind === 'sweep' && state === 'done');
  const title = vscode.l10n.t('Export Result');
  const row = await chosenRow(services, given, title, canExport);
  if (!row) return;
  const circuit = row.kind === 'circuit' ? services.circuits.get(row.id) : undefined;
  if (circuit) return exportOne(services, circuit);
  const items = (['csv', 'json'] as const).map((format) => ({ label: format.toUpperCase(), format }));
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('{0}: as what?', row.title),
  });
  if (chosen) await services.sweepPanel.exportOne(row.id, chosen.format);
}

/** Throws a result away; asks first when work of a person, or hours of the machine, would go with it. */
export async function deleteResult(services: CommandServices, given?: unknown): Promise<void> {
  const isDeletable = ({ state }: ResultRow): boolean => state !== 'running';
  const row = await chosenRow(services, given, vscode.l10n.t('Delete Result'), isDeletable);
  if (!row || !(await mayDelete(services, row))) return;
  const { circuits, shift, studies, sweeps } = services;
  const circuit = row.kind === 'circuit' ? circuits.get(row.id) : undefined;
  if (circuit) circuits.remove(circuit);
  if (row.kind === 'sweep') sweeps.remove(row.id);
  if (row.kind === 'study') studies.remove(row.id);
  if (row.kind === 'shift') shift.forget();
}

/** Puts a circuit into the panel again, which opens. */
export function showCircuit({ circuits, circuitPanel }: CommandServices, circuit: OpenCircuit): void {
  circuits.bringForward(circuit);
  circuitPanel.show();
}

function show(services: CommandServices, { id, kind }: ResultRow): void {
  const { circuits, circuitPanel, shiftPanel, studies, studyPanel, sweepPanel, sweeps } = services;
  switch (kind) {
    case 'circuit': {
      const circuit = circuits.get(id);
      if (circuit) showCircuit(services, circuit);
      else circuitPanel.show();
      break;
    }
    case 'sweep':
      sweeps.choose(id);
      sweepPanel.show();
      break;
    case 'study':
      studies.choose(id);
      studyPanel.show();
      break;
    case 'shift':
      shiftPanel.show();
  }
}

/** The row that the command was called on, the one selected in the list, or one that is asked for. */
async function chosenRow(
  services: CommandServices,
  given: unknown,
  title: string,
  fits: (row: ResultRow) => boolean,
): Promise<ResultRow | undefined> {
  const rows = resultRows(services);
  const wanted = rowOf(given);
  if (wanted) return rows.find(({ id, kind }) => id === wanted.id && kind === wanted.kind);
  const items = rows.filter(fits).map(resultChoice);
  if (items.length === 0) throw nothingThere(title, rows.length > 0);
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('Circuits, sweeps and studies of this window, newest first'),
    matchOnDescription: true,
  });
  return chosen?.row;
}

function nothingThere(what: string, hasOthers: boolean): EngineError {
  const reason = hasOthers
    ? vscode.l10n.t('none of the results can be treated so')
    : vscode.l10n.t('there are no results yet; find a circuit, sweep patches, or run a study');
  return new EngineError('request.invalid', { what, reason });
}

function rowOf(given: unknown): Pick<ResultRow, 'id' | 'kind'> | undefined {
  const { id, kind } = (given ?? {}) as { readonly id?: unknown; readonly kind?: unknown };
  return typeof id === 'string' && isKind(kind) ? { id, kind } : undefined;
}

function isKind(kind: unknown): kind is ResultKind {
  return kind === 'circuit' || kind === 'sweep' || kind === 'study' || kind === 'shift';
}

async function mayDelete(services: CommandServices, row: ResultRow): Promise<boolean> {
  const detail = lossOf(services, row);
  if (detail === undefined) return true;
  const remove = vscode.l10n.t('Delete');
  const title = vscode.l10n.t('Delete {0}?', row.title);
  return (await vscode.window.showWarningMessage(title, { modal: true, detail }, remove)) === remove;
}

/** What cannot be had again by running it once more; nothing when it can, or is saved. */
function lossOf({ circuits, studies }: CommandServices, { id, kind }: ResultRow): string | undefined {
  switch (kind) {
    case 'circuit': {
      const circuit = circuits.get(id);
      const isSaved = circuit?.saved?.annotations === circuit?.annotations;
      if (!circuit?.isAnnotated || isSaved) return undefined;
      return vscode.l10n.t('Your pins, names and groups in it go with it. It was not saved as a file.');
    }
    case 'study': {
      const study = studies.all.find((kept) => kept.id === id);
      if (!study || isSafe(study)) return undefined;
      return study.isDone
        ? vscode.l10n.t('Its report was not saved.')
        : vscode.l10n.t('It is not finished, and could go on where it was stopped.');
    }
    case 'shift':
      return vscode.l10n.t('The features you have marked go with it.');
    case 'sweep':
      return undefined;
  }
}
