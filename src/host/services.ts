/** What features are given to work with. They are made once, in `activate`. */

import type * as vscode from 'vscode';
import type { EngineApi } from '../shared/engineApi.ts';
import type { CircuitSession } from './circuitSession.ts';
import type { Downloads } from './downloads.ts';
import type { PromptDocuments } from './editor/promptDocuments.ts';
import type { EngineClient } from './engineClient.ts';
import type { Log } from './log.ts';
import type { ModelStore } from './modelStore.ts';
import type { PromptSession } from './promptSession.ts';
import type { SaeChecks } from './saeChecks.ts';
import type { UserLabels } from './userLabels.ts';
import type { InterventionsTree } from './views/interventionsTree.ts';
import type { CircuitPanel } from './webviews/circuitPanel.ts';
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
  readonly circuits: CircuitSession;
  readonly documents: PromptDocuments;
}

/** The panels as well: what commands need to bring something into view. */
export interface CommandServices extends Services {
  readonly interventionsTree: InterventionsTree;
  readonly tokensPanel: TokensPanel;
  readonly circuitPanel: CircuitPanel;
}
