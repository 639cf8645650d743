/** The table of all commands. Each name of the manifest has its handler here; failures are told to the user. */

import * as vscode from 'vscode';
import { type CommandName, commands, walkthrough } from '../names.ts';
import type { CommandServices } from '../services.ts';
import { showError } from '../wordError.ts';
import { chooseBos, followSaeBos } from './chooseBos.ts';
import { chooseModel } from './chooseModel.ts';
import { chooseSae } from './chooseSae.ts';
import {
  compareCircuits,
  compareCircuitWith,
  exportAs,
  importCircuit,
  reopenAsText,
  saveCircuitAs,
} from './circuitCommands.ts';
import {
  cancelExperiment,
  compareExperiments,
  estimateExperiment,
  exportExperiment,
  newExperiment,
  runExperiment,
  showExperimentSweep,
} from './experimentCommands.ts';
import { attributeEdges, attributionGraph, findCircuit, findFeatureCircuit } from './findCircuits.ts';
import { downloadModel, setHubToken } from './hubCommands.ts';
import {
  ablateFeature,
  ablateHead,
  ablateMlp,
  asFeature,
  editStrength,
  patchFromPrompt,
  removeIntervention,
  steerFeature,
} from './interventionCommands.ts';
import { openInterventions, saveInterventions } from './interventionFileCommands.ts';
import { fetchLabels, importLabels, labelFeature, searchFeatures } from './labelCommands.ts';
import { pickFeature } from './pickComponent.ts';
import {
  comparePrompts,
  inspectDocument,
  openSamplePrompt,
  requirePrompt,
  setContrast,
  toggleHeatmap,
} from './promptCommands.ts';

import { removeSae } from './removeSae.ts';
import { cancelResult, deleteResult, exportResult, saveResult, showResult } from './resultCommands.ts';
import {
  checkSae,
  checkSaeOnDocument,
  chooseReading,
  copyHookName,
  copyPath,
  exportSae,
  readAsDeclared,
  useBetterReading,
} from './saeCommands.ts';
import { fieldOf } from './saeOfRow.ts';
import { runShift } from './shiftCommands.ts';
import { studyIndirectObjects } from './studyCommands.ts';
import { sweepPatches } from './sweepCommands.ts';
import { newTask } from './taskCommands.ts';

type Handler = (...parameters: readonly unknown[]) => unknown;

/** Registers every command of the manifest. */
export function registerCommands(services: CommandServices): vscode.Disposable {
  const table = handlers(services);
  const names = Object.keys(commands) as CommandName[];
  return vscode.Disposable.from(
    ...names.map((name) =>
      vscode.commands.registerCommand(commands[name], async (...parameters: unknown[]) => {
        try {
          await table[name](...parameters);
        } catch (error) {
          showError(error, services.log, takesFile[name]);
        }
      }),
    ),
  );
}

/** Commands that ask for a file: what they cannot read, they ask for anew. */
const takesFile: Readonly<Partial<Record<CommandName, CommandName>>> = {
  importCircuit: 'importCircuit',
  importLabels: 'importLabels',
  openInterventions: 'openInterventions',
};

function handlers(services: CommandServices): Readonly<Record<CommandName, Handler>> {
  const { session, log } = services;
  const { interventions } = session;
  return {
    inspectDocument: () => inspectDocument(services),
    findCircuit: () => findCircuit(services),
    findFeatureCircuit: (uri) => findFeatureCircuit(services, uri),
    attributionGraph: () => attributionGraph(services),
    attributeEdges: (uri) => attributeEdges(services, uri),
    showResult: (row) => showResult(services, row),
    saveResult: (row) => saveResult(services, row),
    exportResult: (row) => exportResult(services, row),
    deleteResult: (row) => deleteResult(services, row ?? services.resultsView.selected),
    cancelResult: (row) => cancelResult(services, row),
    compareCircuits: () => compareCircuits(services),
    compareCircuitWith: (uri) => compareCircuitWith(services, uri),
    reopenAsText: (uri) => reopenAsText(uri),
    importCircuit: (uri) => importCircuit(services, uri),
    saveCircuitAs: () => saveCircuitAs(services),
    exportCircuit: () => exportAs(services),
    setContrast: () => setContrast(services),
    clearContrast: () => session.setContrast(undefined),
    comparePrompts: () => comparePrompts(services),
    sweepPatches: (uri) => sweepPatches(services, uri),
    clearComparison: () => session.compareWith(undefined),
    ablateHead: (head) => ablateHead(services, head),
    ablateMlp: () => ablateMlp(services),
    ablateFeature: (feature) => ablateFeature(services, feature),
    patchFromPrompt: () => patchFromPrompt(services),
    steerFeature: (feature, amount) => steerFeature(services, feature, amount),
    pinFeature: (feature) => pinFeature(services, feature),
    unpinFeature: (feature) => unpinFeature(services, feature),
    clearInterventions: () => interventions.clear(),
    undoIntervention: () => interventions.undo(),
    redoIntervention: () => interventions.redo(),
    editStrength: (row) => editStrength(services, row ?? selectedRow(services)),
    removeIntervention: (row) => removeIntervention(services, row ?? selectedRow(services)),
    saveInterventions: () => saveInterventions(services),
    openInterventions: () => openInterventions(services),
    chooseModel: (path) => chooseModel(services, path),
    chooseSae: (sae) => chooseSae(services, sae),
    chooseBos: () => chooseBos(services),
    followSaeBos: (sae) => followSaeBos(services, sae),
    downloadModel: (repo) => downloadAndOpen(services, repo),
    setHubToken: () => setHubToken(services),
    showSae: (sae) => chooseSae(services, sae),
    checkSae: (sae) => checkSae(services, sae),
    checkSaeOnDocument: (sae) => checkSaeOnDocument(services, sae),
    chooseReading: (sae) => chooseReading(services, sae),
    useBetterReading: (sae) => useBetterReading(services, sae),
    readAsDeclared: (sae) => readAsDeclared(services, sae),
    exportSae: (sae) => exportSae(services, sae),
    removeSae: (sae) => removeSae(services, sae),
    copyPath: (row) => copyPath(row),
    copyHookName: (row) => copyHookName(row),
    cancelDownload: (row) => cancelDownload(services, row),
    cancelOpening: () => cancelOpening(services),
    importLabels: () => importLabels(services),
    searchFeatures: () => searchFeatures(services),
    fetchLabels: () => fetchLabels(services),
    labelFeature: (feature) => labelFeature(services, feature),
    toggleHeatmap: () => toggleHeatmap(),
    showLog: () => log.show(),
    restartEngine: () => restartEngine(services),
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', '@ext:fovea.fovea'),
    openWalkthrough: () => openWalkthrough(services),
    openSamplePrompt: () => openSamplePrompt(services),
    newTask: () => newTask(services),
    newExperiment: () => newExperiment(services),
    runExperiment: (uri, how) => runExperiment(services, uri, how),
    cancelExperiment: (uri) => cancelExperiment(services, uri),
    estimateExperiment: (uri) => estimateExperiment(services, uri),
    compareExperiments: (uri) => compareExperiments(services, uri),
    exportExperiment: (uri) => exportExperiment(services, uri),
    showExperimentSweep: (uri) => showExperimentSweep(services, uri),
    studyIndirectObjects: () => studyIndirectObjects(services),
    runShift: () => runShift(services),
  };
}

function selectedRow({ interventionsTree }: CommandServices): unknown {
  const edit = interventionsTree.selectedEdit;
  return edit && { edit };
}

async function pinFeature(services: CommandServices, given: unknown): Promise<void> {
  await requirePrompt(services);
  const feature = asFeature(given) ?? (await pickFeature(services, vscode.l10n.t('Pin Feature')));
  if (feature) services.session.pin(feature, true);
}

async function unpinFeature({ session }: CommandServices, given: unknown): Promise<void> {
  const feature = asFeature(given);
  if (feature) return session.pin(feature, false);
  const items = session.pinned.map((pin) => ({
    label: pin.label ?? `#${pin.index}`,
    description: `#${pin.index}`,
    pin,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Unpin Feature') });
  if (chosen) session.pin(chosen.pin, false);
}

/** Starts the engine anew and computes the prompt again. */
async function restartEngine({ client, models, session }: CommandServices): Promise<void> {
  client.restart();
  await models.reload();
  session.refresh();
  await session.settled();
}

/** Fetches a model and opens it. */
async function downloadAndOpen(services: CommandServices, repo: unknown): Promise<void> {
  const path = await downloadModel(services, typeof repo === 'string' ? repo : undefined);
  if (path !== undefined) await chooseModel(services, path);
}

function cancelDownload({ downloads }: CommandServices, row: unknown): void {
  const id = fieldOf(fieldOf(row, 'download'), 'id');
  if (typeof id === 'string') downloads.cancel(id);
}

function cancelOpening({ downloads }: CommandServices): void {
  for (const { id, kind } of downloads.current) if (kind === 'opening') downloads.cancel(id);
}

function openWalkthrough({ context }: CommandServices): Thenable<unknown> {
  const id = `${context.extension.id}#${walkthrough}`;
  return vscode.commands.executeCommand('workbench.action.openWalkthrough', id, false);
}
