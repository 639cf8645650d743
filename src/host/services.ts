/** What features are given to work with. They are made once, in `activate`. */

import type * as vscode from 'vscode';
import type { EngineApi } from '../shared/engineApi.ts';
import type { OpenCircuits } from './circuits/openCircuits.ts';
import type { PromptPlaces } from './circuits/promptPlaces.ts';
import type { Downloads } from './downloads.ts';
import type { PromptDocuments } from './editor/promptDocuments.ts';
import type { EngineClient } from './engineClient.ts';
import type { ExperimentRuns } from './experiments/experimentRuns.ts';
import type { Log } from './log.ts';
import type { ModelStore } from './modelStore.ts';
import type { PromptSession } from './promptSession.ts';
import type { SaeChecks } from './saeChecks.ts';
import type { ShiftSession } from './shift/shiftSession.ts';
import type { StudySession } from './studies/studySession.ts';
import type { SweepSession } from './sweeps/sweepSession.ts';
import type { UserLabels } from './userLabels.ts';
import type { InterventionsTree } from './views/interventionsTree.ts';
import type { ResultsView } from './views/resultsView.ts';
import type { CircuitPanel } from './webviews/circuitPanel.ts';
import type { ShiftPanel } from './webviews/shiftPanel.ts';
import type { StudyPanel } from './webviews/studyPanel.ts';
import type { SweepPanel } from './webviews/sweepPanel.ts';
import type { TokensPanel } from './webviews/tokensPanel.ts';

/** State and the engine: what surfaces read. */
export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: Log & { show(): void };
  readonly client: EngineClient;
  readonly engine: EngineApi;
  readonly models: ModelStore;
  readonly checks: SaeChecks;
  readonly downloads: Downloads;
  readonly labels: UserLabels;
  readonly session: PromptSession;
  readonly circuits: OpenCircuits;
  readonly places: PromptPlaces;
  readonly studies: StudySession;
  readonly shift: ShiftSession;
  readonly sweeps: SweepSession;
  readonly documents: PromptDocuments;
  readonly experiments: ExperimentRuns;
}

/** The panels as well: what commands need to bring something into view. */
export interface CommandServices extends Services {
  readonly interventionsTree: InterventionsTree;
  readonly resultsView: ResultsView;
  readonly tokensPanel: TokensPanel;
  readonly sweepPanel: SweepPanel;
  readonly circuitPanel: CircuitPanel;
  readonly studyPanel: StudyPanel;
  readonly shiftPanel: ShiftPanel;
}
