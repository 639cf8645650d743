/** Commands about experiments: run, estimate, compare, export, and a new one from the prompts at hand. */

import { basename, dirname, relative } from 'node:path';
import * as vscode from 'vscode';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError } from '../../shared/errors.ts';
import type { MethodEstimate } from '../../shared/experiment/estimateExperiment.ts';
import {
  type ExperimentPairs,
  experimentEnding,
  isExperimentFile,
} from '../../shared/experiment/experiment.ts';
import { circuitMethod, stemOf } from '../../shared/experiment/resultFiles.ts';
import { formatNumber } from '../../shared/format.ts';
import { resultsOf } from '../experiments/experimentCodeLens.ts';
import { wordKept, wordProgress } from '../experiments/experimentLenses.ts';
import { newExperimentText } from '../experiments/newExperimentText.ts';
import type { CommandServices } from '../services.ts';
import { wordSeconds } from './confirmSearch.ts';
import { openUnsaved } from './openUnsaved.ts';
import { pickPairs } from './pickPairs.ts';

/** Files that are offered at most. */
const mostFiles = 100;

/** Circuits that a message offers at most. */
const mostOffered = 3;

/** Runs an experiment from where it was stopped, or `anew`, and opens what it found beside it. */
export async function runExperiment(services: CommandServices, given: unknown, how?: unknown): Promise<void> {
  const document = await experimentOf(given);
  if (!document) return;
  const { experiments } = services;
  if (how === 'anew') experiments.forget(document.uri.fsPath);
  const name = basename(document.uri.path);
  const kept = experiments.keptOf(document.uri.fsPath, document.getText());
  const title = kept
    ? vscode.l10n.t('Going on with {0} ({1})', name, wordKept(kept))
    : vscode.l10n.t('Running {0}', name);
  const paths = await watched(title, (call) =>
    experiments.run(document.uri.fsPath, document.getText(), call),
  );
  const { sweeps, sweepPanel } = services;
  const hasSweeps = sweeps.ofExperiment(document.uri.fsPath).length > 0;
  // One sweep is all there is to see; of several methods the numbers are beside it.
  if (!hasSweeps || Array.isArray(JSON.parse(document.getText()).method)) await showResults(document, paths);
  if (hasSweeps) sweepPanel.show();
  offerCircuits(document, paths);
}

/** Names the circuits that were found, unless the only one is open already, and opens the one that is chosen. */
function offerCircuits(document: vscode.TextDocument, paths: readonly string[]): void {
  const file = document.uri.fsPath;
  const circuits = paths.flatMap((path) => {
    const method = circuitMethod(file, basename(path));
    return method === undefined ? [] : [{ path, method }];
  });
  if (circuits.length === 0 || isCircuitOnly(document, circuits.length)) return;
  const items = circuits.slice(0, mostOffered).map(({ path, method }) => ({
    title: method === 0 ? vscode.l10n.t('Show Circuit') : vscode.l10n.t('Show Circuit {0}', method),
    path,
  }));
  const name = basename(file);
  const told =
    circuits.length === 1
      ? vscode.l10n.t('{0} has found a circuit.', name)
      : vscode.l10n.t('{0} has found {1} circuits.', name, circuits.length);
  void vscode.window.showInformationMessage(told, ...items).then((chosen) => {
    if (chosen) void vscode.commands.executeCommand('vscode.open', vscode.Uri.file(chosen.path));
  });
}

/** Whether a circuit is all that a run has found. */
function isCircuitOnly(document: vscode.TextDocument, circuits: number): boolean {
  return circuits === 1 && !Array.isArray(JSON.parse(document.getText()).method);
}

/** Opens the sweeps of an experiment's last run in their panel. */
export async function showExperimentSweep(services: CommandServices, given: unknown): Promise<void> {
  const uri = given instanceof vscode.Uri ? given : ((await activeExperiment()) ?? (await pickExperiment()));
  if (!uri) return;
  const { sweeps, sweepPanel } = services;
  const [first] = sweeps.ofExperiment(uri.fsPath);
  if (!first) {
    const reason = vscode.l10n.t('it has run no sweep in this window; run it first');
    throw new EngineError('request.invalid', { what: basename(uri.path), reason });
  }
  sweeps.choose(first.id);
  sweepPanel.show();
}

/** The one circuit when there is one and nothing else to see, else the numbers. */
async function showResults(document: vscode.TextDocument, paths: readonly string[]): Promise<void> {
  const results = paths.at(-1);
  if (results === undefined) return;
  const circuits = paths.slice(0, -1);
  const shown = vscode.Uri.file(isCircuitOnly(document, circuits.length) ? circuits[0]! : results);
  await vscode.commands.executeCommand('vscode.open', shown, {
    viewColumn: vscode.ViewColumn.Beside,
    preserveFocus: true,
    preview: true,
  });
}

/** Stops a run. What it has found is used by the next one. */
export function cancelExperiment({ experiments }: CommandServices, given: unknown): void {
  const uri = given instanceof vscode.Uri ? given : vscode.window.activeTextEditor?.document.uri;
  if (uri) experiments.cancel(uri.fsPath);
}

/** Tells what an experiment will take, and offers to run it. */
export async function estimateExperiment(services: CommandServices, given: unknown): Promise<void> {
  const document = await experimentOf(given);
  if (!document) return;
  const title = vscode.l10n.t('Estimating {0}', basename(document.uri.path));
  const estimates = await watched(title, (call) =>
    services.experiments.estimate(document.uri.fsPath, document.getText(), call),
  );
  const run = vscode.l10n.t('Run');
  const chosen = await vscode.window.showInformationMessage(wordEstimates(estimates), run);
  if (chosen === run) await runExperiment(services, document.uri);
}

function wordEstimates(estimates: readonly MethodEstimate[]): string {
  const known = estimates.filter(({ seconds }) => seconds !== undefined);
  const seconds = known.reduce((sum, one) => sum + (one.seconds ?? 0), 0);
  const runs = known.reduce((sum, one) => sum + (one.runs ?? 0), 0);
  const memory = Math.max(0, ...known.map((one) => one.memory ?? 0));
  const open = estimates.filter((one) => one.seconds === undefined).map(({ kind }) => kind);
  const unknown = vscode.l10n.t('Not known before: {0}.', open.join(', '));
  if (known.length === 0) return unknown;
  const told = vscode.l10n.t(
    '{0} for {1}, with {2} MB beside the model.',
    wordSeconds(seconds, known.some(({ bound }) => bound === 'atMost') ? 'atMost' : undefined),
    runs === 1 ? vscode.l10n.t('1 run') : vscode.l10n.t('{0} runs', formatNumber(runs)),
    formatNumber(Math.ceil(memory / 1e6)),
  );
  return open.length > 0 ? `${told} ${unknown}` : told;
}

interface ResultsItem extends vscode.QuickPickItem {
  readonly uri?: vscode.Uri;
}

/** Shows how the results of an experiment differ from others. */
export async function compareExperiments(_services: CommandServices, given: unknown): Promise<void> {
  const document = await experimentOf(given);
  const own = document && resultsOf(document.uri);
  if (!document) return;
  if (!own) {
    const reason = vscode.l10n.t('it has no results yet; run it first');
    throw new EngineError('request.invalid', { what: basename(document.uri.path), reason });
  }
  const found = await vscode.workspace.findFiles('**/*.results.json', '**/node_modules/**', mostFiles);
  const others = found.filter((uri) => uri.fsPath !== own.fsPath);
  const items: ResultsItem[] = [
    ...others.map((uri) => ({
      label: basename(uri.path),
      description: vscode.workspace.asRelativePath(uri),
      uri,
    })),
    { label: `$(folder-opened) ${vscode.l10n.t('Choose a Results File…')}` },
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Compare {0}', basename(own.path)),
    placeHolder: vscode.l10n.t('With which results?'),
  });
  const other = chosen && (chosen.uri ?? (await chooseResults()));
  if (!other) return;
  const title = `${basename(other.path)} ↔ ${basename(own.path)}`;
  await vscode.commands.executeCommand('vscode.diff', other, own, title);
}

async function chooseResults(): Promise<vscode.Uri | undefined> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Choose a Results File'),
      filters: { [vscode.l10n.t('Results')]: ['json'] },
    })) ?? [];
  return uri;
}

/** Writes an experiment as a TransformerLens script, unsaved beside it. */
export async function exportExperiment(services: CommandServices, given: unknown): Promise<void> {
  const document = await experimentOf(given);
  if (!document) return;
  const title = vscode.l10n.t('Writing a script of {0}', basename(document.uri.path));
  const script = await watched(title, (call) =>
    services.experiments.script(document.uri.fsPath, document.getText(), call),
  );
  await openUnsaved(stemOf(document.uri.path), '.py', script, vscode.Uri.joinPath(document.uri, '..'));
}

/** Asks for prompts, and opens an experiment about them. */
export async function newExperiment(services: CommandServices): Promise<void> {
  const chosen = await pickPairs(services, vscode.l10n.t('New Experiment'));
  if (!chosen) return;
  const { pairs, name, uri } = chosen;
  const place = uri === undefined ? undefined : vscode.Uri.parse(uri);
  const folder = place?.scheme === 'file' ? vscode.Uri.joinPath(place, '..') : undefined;
  const model = await modelName(services);
  const text = newExperimentText({ name, model, pairs: pairsIn(pairs, folder) });
  const stem = basename(name).replace(/(\.prompt)?\.txt$/, '') || 'new';
  await openUnsaved(stem, experimentEnding, text, folder);
}

function pairsIn(
  pairs: NonNullable<Awaited<ReturnType<typeof pickPairs>>>['pairs'],
  folder: vscode.Uri | undefined,
): ExperimentPairs {
  if (pairs.kind === 'pair') return pairs;
  const { task } = pairs;
  if (task.kind === 'generator') return { ...task, kind: 'generator' };
  const path = folder ? relative(folder.fsPath, task.path).replaceAll('\\', '/') : task.path;
  return { kind: 'file', path };
}

/** The window's model as an experiment names it. */
async function modelName({ experiments, models, engine }: CommandServices): Promise<string> {
  const { path } = await models.ensure();
  if (experiments.isEmbedded(path)) return 'embedded';
  const local = await engine.listLocalModels({ folders: [] });
  return local.find((one) => one.source === 'cache' && one.path === path)?.name ?? path;
}

/**
 * The experiment that is meant, saved: what runs is what is in the file. Nothing when the user backs out.
 * @throws request.invalid when the workspace is not trusted: an experiment names files and models of this machine.
 */
async function experimentOf(given: unknown): Promise<vscode.TextDocument | undefined> {
  const uri = given instanceof vscode.Uri ? given : ((await activeExperiment()) ?? (await pickExperiment()));
  if (!uri) return undefined;
  const what = basename(uri.path);
  if (!vscode.workspace.isTrusted) {
    const reason = vscode.l10n.t('this workspace is not trusted, and an experiment opens the files it names');
    throw new EngineError('request.invalid', { what, reason });
  }
  const document = await vscode.workspace.openTextDocument(uri);
  if ((document.isDirty || document.isUntitled) && !(await document.save())) return undefined;
  const saved = document.isUntitled ? vscode.window.activeTextEditor?.document : document;
  if (saved?.uri.scheme === 'file') return saved;
  const reason = vscode.l10n.t('save it in a folder of this machine first');
  throw new EngineError('request.invalid', { what, reason });
}

async function activeExperiment(): Promise<vscode.Uri | undefined> {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri && isExperimentFile(uri.path) ? uri : undefined;
}

async function pickExperiment(): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles(`**/*${experimentEnding}`, '**/node_modules/**', mostFiles);
  const items = found.map((uri) => ({
    label: basename(uri.path),
    description: vscode.workspace.asRelativePath(dirname(uri.fsPath)),
    uri,
  }));
  if (items.length === 0) {
    const reason = vscode.l10n.t('there is none in this workspace; “Fovea: New Experiment…” writes one');
    throw new EngineError('request.invalid', { what: vscode.l10n.t('An experiment'), reason });
  }
  const placeHolder = vscode.l10n.t('Which experiment?');
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Experiments'), placeHolder }))
    ?.uri;
}

/** Shows how far work is, with a button that stops it. */
function watched<T>(title: string, work: (call: CallOptions) => Promise<T>): Thenable<T> {
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (shown, token) => {
      const controller = new AbortController();
      const stop = token.onCancellationRequested(() => controller.abort());
      try {
        return await work({
          signal: controller.signal,
          report: (progress) => shown.report({ message: wordProgress(progress) }),
        });
      } finally {
        stop.dispose();
      }
    },
  );
}
