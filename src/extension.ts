/** The extension's entry: makes the services and hands them to the surfaces. Nothing heavy happens before first use. */

import { join } from 'node:path';
import * as vscode from 'vscode';
import { CircuitEditor } from './host/circuits/circuitEditor.ts';
import { circuitFolder } from './host/circuits/circuitFolder.ts';
import { OpenCircuits } from './host/circuits/openCircuits.ts';
import { PromptPlaces } from './host/circuits/promptPlaces.ts';
import { followLabels } from './host/commands/labelCommands.ts';
import { registerCommands } from './host/commands/registerCommands.ts';
import { onSettingChanged, readSetting } from './host/contributions.ts';
import { Downloads } from './host/downloads.ts';
import { PromptCodeLens } from './host/editor/codeLens.ts';
import { Heatmap } from './host/editor/heatmap.ts';
import { registerHover } from './host/editor/hover.ts';
import { NextTokenHint } from './host/editor/inlay.ts';
import { PromptDocuments } from './host/editor/promptDocuments.ts';
import { TaskCodeLens } from './host/editor/taskCodeLens.ts';
import { TaskDiagnostics } from './host/editor/taskDiagnostics.ts';
import { EngineClient } from './host/engineClient.ts';
import { EngineProcess } from './host/engineProcess.ts';
import { ExperimentCodeLens } from './host/experiments/experimentCodeLens.ts';
import { registerExperimentCompletion } from './host/experiments/experimentCompletion.ts';
import { ExperimentDiagnostics } from './host/experiments/experimentDiagnostics.ts';
import { ExperimentRuns, type ExperimentRunsOptions } from './host/experiments/experimentRuns.ts';
import { KeptRuns, readBuild } from './host/experiments/keptRuns.ts';
import { describeForLog } from './host/log.ts';
import { ModelStore, type ModelStoreOptions } from './host/modelStore.ts';
import { PromptSession } from './host/promptSession.ts';
import { SaeChecks } from './host/saeChecks.ts';
import { tellFindings } from './host/saeNotices.ts';
import { SaeReadings } from './host/saeReadings.ts';
import type { CommandServices, Services } from './host/services.ts';
import { keepSessionContext } from './host/sessionContext.ts';
import { SessionMemory } from './host/sessionMemory.ts';
import { ShiftSession } from './host/shift/shiftSession.ts';
import { studyFolder } from './host/studies/studyFolder.ts';
import { StudySession } from './host/studies/studySession.ts';
import { sweepFolder } from './host/sweeps/sweepFolder.ts';
import { SweepSession } from './host/sweeps/sweepSession.ts';
import type { TestApi } from './host/testApi.ts';
import { UserLabels } from './host/userLabels.ts';
import { InterventionsTree } from './host/views/interventionsTree.ts';
import { ModelTree } from './host/views/modelTree.ts';
import { ResultsView } from './host/views/resultsView.ts';
import { StatusBar } from './host/views/statusBar.ts';
import { CircuitPanel } from './host/webviews/circuitPanel.ts';
import { ShiftPanel } from './host/webviews/shiftPanel.ts';
import { StudyPanel } from './host/webviews/studyPanel.ts';
import { SweepPanel } from './host/webviews/sweepPanel.ts';
import { TokensPanel } from './host/webviews/tokensPanel.ts';
import { forgetOldWindows, windowFolder } from './host/windowFolder.ts';
import { showError } from './host/wordError.ts';

/** Called by VS Code once the extension is needed. */
export function activate(context: vscode.ExtensionContext): TestApi | undefined {
  const own = <T extends { dispose(): unknown }>(resource: T): T => {
    context.subscriptions.push(resource);
    return resource;
  };
  const services = createServices(context, own);
  const { client, documents, engine, log, models, session } = services;
  const memory = own(
    new SessionMemory({ memory: context.workspaceState, session, log, open: (uri) => documents.reopen(uri) }),
  );
  const restorePrompt = (): void => void memory.restorePrompt();

  own(keepSessionContext(session));
  own(registerHover(services));
  own(new Heatmap(services));
  own(new PromptCodeLens(services));
  own(new NextTokenHint(services));
  own(new TaskCodeLens(own(new TaskDiagnostics(services))));
  own(new ExperimentCodeLens(services.experiments, services.sweeps));
  own(new ExperimentDiagnostics(services.experiments, services.log));
  own(registerExperimentCompletion(services));
  own(new ModelTree(services));
  own(new StatusBar(services));
  const commandServices: CommandServices = {
    ...services,
    interventionsTree: own(new InterventionsTree(services)),
    resultsView: own(new ResultsView(services)),
    tokensPanel: own(new TokensPanel(services, restorePrompt)),
    sweepPanel: own(new SweepPanel(services, () => commandServices, restorePrompt)),
    circuitPanel: own(new CircuitPanel(services, restorePrompt)),
    studyPanel: own(new StudyPanel(services, () => commandServices, restorePrompt)),
    shiftPanel: own(new ShiftPanel(services, () => commandServices)),
  };
  own(new CircuitEditor(services));
  own(registerCommands(commandServices));
  own(tellFindings(services));
  own(followLabels(services));
  own(onSettingChanged(['featuresPerToken', 'predictionsCount'], () => session.refresh()));
  own(onSettingChanged(['saeFolders'], () => void models.refreshSaes()));
  own(
    onSettingChanged(['modelBos'], () => {
      models.applyBos().catch((error: unknown) => showError(error, log));
    }),
  );
  own(
    onSettingChanged(['modelPath'], () => {
      // The model view and the prompt tell about a failure.
      if (models.status !== 'idle')
        models.reload().catch((error: unknown) => log.warn(describeForLog(error)));
    }),
  );
  own(onSettingChanged(['threads'], () => client.restart()));
  documents.start();
  if (context.extensionMode !== vscode.ExtensionMode.Test) return undefined;
  return testApi(session, engine, client);
}

function createServices(
  context: vscode.ExtensionContext,
  own: <T extends { dispose(): unknown }>(resource: T) => T,
): Services {
  const log = own(vscode.window.createOutputChannel('Fovea', { log: true }));
  const entry = engineEntry(context);
  const storage = context.globalStorageUri.fsPath;
  const client = own(
    new EngineClient({
      log,
      start: () =>
        new EngineProcess({ entry, threads: readSetting('threads'), storage, proxy: editorProxy(), log }),
    }),
  );
  const engine = client.api;
  const places = () => ({
    model: readSetting('modelPath') || join(context.extensionPath, 'models', 'mini'),
    saeFolders: readSetting('saeFolders'),
    bos: readSetting('modelBos'),
  });
  const readings = new SaeReadings(context.globalState);
  const downloads = own(new Downloads());
  const watch: ModelStoreOptions['watch'] = (title, work, signal) => downloads.open(title, work, signal);
  const models = own(new ModelStore({ engine, places, memory: context.globalState, log, readings, watch }));
  const settings = () => ({
    topFeatures: readSetting('featuresPerToken'),
    topPredictions: readSetting('predictionsCount'),
  });
  const session = own(new PromptSession({ engine, models, settings, log }));
  const idle = () => session.settled();
  const checks = own(new SaeChecks({ engine, models, readings, log, idle }));
  const labels = own(new UserLabels({ engine, log, fallback: context.globalStorageUri }));
  const found = join((context.storageUri ?? context.globalStorageUri).fsPath, 'circuits');
  const circuits = own(new OpenCircuits({ engine, models, storage: circuitFolder(found, log), log }));
  const promptPlaces = own(new PromptPlaces(session));
  const kept = windowFolder({
    own: context.storageUri?.fsPath,
    global: storage,
    memory: context.workspaceState,
  });
  forgetOldWindows(storage, kept, Date.now()).catch((error: unknown) => log.warn(describeForLog(error)));
  const sweeps = own(new SweepSession({ engine, storage: sweepFolder(join(kept, 'sweeps'), log), log }));
  const studies = own(new StudySession({ engine, storage: studyFolder(join(kept, 'studies'), log), log }));
  const shift = own(new ShiftSession({ engine, memory: context.workspaceState, log }));
  const documents = own(new PromptDocuments(session));
  const embedded = join(context.extensionPath, 'models', 'mini');
  const keepSweeps: ExperimentRunsOptions['keepSweeps'] = (file, model, found) =>
    sweeps.addFinished(file, model, found);
  const build = readBuild(join(context.extensionPath, 'dist'));
  const runs = new KeptRuns(join(kept, 'experiments'), log, build);
  const experiments = own(new ExperimentRuns({ engine, models, embedded, log, kept: runs, keepSweeps }));
  return {
    context,
    log,
    client,
    engine,
    models,
    checks,
    downloads,
    labels,
    session,
    circuits,
    places: promptPlaces,
    studies,
    shift,
    sweeps,
    documents,
    experiments,
  };
}

/** The proxy of the editor's own settings. */
function editorProxy(): string {
  return vscode.workspace.getConfiguration('http').get<string>('proxy') ?? '';
}

/** The engine's script. Development and tests may name another one. */
function engineEntry(context: vscode.ExtensionContext): string {
  const isProduction = context.extensionMode === vscode.ExtensionMode.Production;
  const other = isProduction ? undefined : process.env.FOVEA_ENGINE_ENTRY;
  return other || join(context.extensionPath, 'dist', 'engine.cjs');
}

function testApi(session: PromptSession, engine: Services['engine'], client: EngineClient): TestApi {
  return {
    settled: async () => {
      await session.settled();
      return session.look;
    },
    error: () => session.error,
    edits: () => session.interventions.edits,
    enginePid: async () => (await engine.ping({})).pid,
    engineState: () => client.state.kind,
  };
}
