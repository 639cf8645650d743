/** The token panel: the strip, the features of the selected token, and the views of the run behind it. */

import * as vscode from 'vscode';
import type { HeadWish, TokensViewApi, ViewCommand } from '../../shared/viewApi.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { revealToken } from '../editor/revealToken.ts';
import { panels } from '../names.ts';
import type { Services } from '../services.ts';
import { showError } from '../wordError.ts';
import { panelIcon } from './panelIcon.ts';
import { tokensState } from './tokensState.ts';
import { ViewPanel } from './viewPanel.ts';

/** How many tokens each cell of the logit lens keeps. */
const lensPredictions = 3;

/** Serves the token panel. */
export class TokensPanel extends Disposable {
  private readonly panel: ViewPanel<TokensViewApi>;
  private headWish: HeadWish | undefined;

  constructor(
    private readonly services: Services,
    restorePrompt: () => void,
  ) {
    super();
    const { context, session } = services;
    this.panel = this.own(
      new ViewPanel<TokensViewApi>({
        viewType: panels.tokens,
        app: 'tokens',
        title: vscode.l10n.t('Tokens'),
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'tokens'),
        api: this.api(),
        onRestore: restorePrompt,
      }),
    );
    this.own(session.onDidChange((change) => this.tell(change)));
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.panel.show();
    this.updateTitle();
  }

  /** Opens the panel at a head's attention. */
  showHead(layer: number, head: number): void {
    this.headWish = { layer, head, number: Date.now() };
    this.show();
    this.tell('state');
  }

  private tell(change: 'state' | 'selection'): void {
    const { surface } = this.panel;
    if (change === 'selection') {
      surface?.tell('selectionChanged', { position: this.services.session.selected });
      return;
    }
    surface?.tell('changed', {});
    this.updateTitle();
  }

  private updateTitle(): void {
    const name = this.services.session.prompt?.name;
    const base = name?.slice(name.lastIndexOf('/') + 1);
    this.panel.setTitle(base ? vscode.l10n.t('Tokens: {0}', base) : vscode.l10n.t('Tokens'));
  }

  private api(): TokensViewApi {
    const { session, engine, models, log } = this.services;
    return {
      state: async () => ({ ...tokensState(session), headWish: this.headWish }),
      selectToken: ({ position, reveal }) => revealToken(this.services, position, reveal),
      selectFeature: async ({ feature }) => session.selectFeature(feature),
      pinFeature: async ({ feature, pinned }) => session.pin(feature, pinned),
      chooseSae: async ({ sae }) => models.chooseSae(sae),
      featureInfo: ({ feature }, options) => session.catalog.describe(feature, options?.signal),
      ablateFeature: ({ feature }) => runCommand('ablateFeature', feature),
      ablateHead: ({ layer, head }) => runCommand('ablateHead', { layer, head }),
      steerFeature: ({ feature, amount }) => runCommand('steerFeature', feature, amount),
      copyFeature: async ({ feature }) => copyFeature(this.services, feature),
      logitLens: (_, options) =>
        session.withRun(({ analysis }) =>
          engine.logitLens({ run: analysis.run, top: lensPredictions }, { signal: options?.signal }),
        ),
      attentionPattern: ({ layer }, options) =>
        session.withRun(({ analysis }) =>
          engine.attention({ run: analysis.run, layer }, { signal: options?.signal }),
        ),
      residualAttribution: ({ position }, options) =>
        session.withRun(({ analysis }) =>
          engine.residualAttribution(
            { run: analysis.run, contrast: session.contrast, position },
            { signal: options?.signal },
          ),
        ),
      featureAttribution: ({ position, sae }, options) =>
        session.withRun(({ analysis }) =>
          engine.featureAttribution(
            { run: analysis.run, sae, contrast: session.contrast, position },
            { signal: options?.signal },
          ),
        ),
      runCommand: async ({ command }) => runViewCommand(command).catch((error) => showError(error, log)),
    };
  }
}

/** The commands that webviews may run. */
const viewCommands: Readonly<Record<ViewCommand, true>> = {
  inspectDocument: true,
  findCircuit: true,
  attributionGraph: true,
  studyIndirectObjects: true,
  setContrast: true,
  comparePrompts: true,
  sweepPatches: true,
  runShift: true,
  reopenAsText: true,
  chooseModel: true,
  chooseSae: true,
  chooseBos: true,
  followSaeBos: true,
  restartEngine: true,
  showLog: true,
  ablateHead: true,
  ablateMlp: true,
  patchFromPrompt: true,
  clearInterventions: true,
  undoIntervention: true,
  redoIntervention: true,
};

/** Runs a command for a webview; anything that is not on the list is refused. */
export async function runViewCommand(command: ViewCommand): Promise<void> {
  if (!Object.hasOwn(viewCommands, command)) throw new Error('A webview asked for a command it may not run.');
  await runCommand(command);
}

/** Puts a feature's address on the clipboard: hook and index, which name it wherever the SAE is known. */
async function copyFeature(
  { models }: Pick<Services, 'models'>,
  feature: { readonly sae: string; readonly index: number },
): Promise<void> {
  const sae = models.saes.find((candidate) => candidate.id === feature.sae);
  await vscode.env.clipboard.writeText(`${sae?.hook ?? feature.sae}/${feature.index}`);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Feature id copied'), 2000);
}
