/** The circuit panel: the graph of what computes the contrast, linked to the text and to the interventions. */

import * as vscode from 'vscode';
import type { CircuitState, CircuitViewApi, ViewMessage } from '../../shared/viewApi.ts';
import { ablationOf } from '../circuitSession.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { revealToken } from '../editor/revealToken.ts';
import { panels } from '../names.ts';
import type { Services } from '../services.ts';
import { showError } from '../wordError.ts';
import { saveExport } from './exportCircuit.ts';
import { panelIcon } from './panelIcon.ts';
import { runViewCommand } from './tokensPanel.ts';
import { errorMessage, sessionMessage } from './viewMessage.ts';
import { ViewPanel } from './viewPanel.ts';

/** Serves the circuit panel. */
export class CircuitPanel extends Disposable {
  private readonly panel: ViewPanel<CircuitViewApi>;
  private tellTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly services: Services,
    restorePrompt: () => void,
  ) {
    super();
    const { circuits, context, session } = services;
    this.panel = this.own(
      new ViewPanel<CircuitViewApi>({
        viewType: panels.circuit,
        app: 'circuit',
        title: vscode.l10n.t('Circuit'),
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'circuit'),
        api: this.api(),
        onRestore: () => {
          circuits.restore();
          restorePrompt();
        },
      }),
    );
    this.own(circuits.onDidChange(() => this.tellSoon()));
    this.own(session.onDidChange((change) => this.sessionChanged(change)));
    this.own({ dispose: () => clearTimeout(this.tellTimer) });
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.panel.show();
  }

  private sessionChanged(change: 'state' | 'selection'): void {
    if (change === 'selection') {
      this.panel.surface?.tell('selectionChanged', { position: this.services.session.selected });
    } else if (!this.services.session.computing) this.tellSoon();
  }

  /** Progress comes often; the view is told at most every 50 ms. */
  private tellSoon(): void {
    if (!this.panel.isOpen) return;
    this.tellTimer ??= setTimeout(() => {
      this.tellTimer = undefined;
      this.panel.surface?.tell('changed', {});
    }, 50);
  }

  private api(): CircuitViewApi {
    const { circuits, log } = this.services;
    return {
      state: async () => circuitState(this.services),
      selectNode: ({ node, reveal }) => this.selectNode(node, reveal),
      hoverNode: async ({ node }) => circuits.hover(node),
      pinNode: async ({ node, pinned }) => circuits.pin(node, pinned),
      keep: async ({ fraction, nodes }) => {
        // After a reload the engine may not have the model yet.
        await this.services.models.ensure();
        await circuits.prune(fraction, nodes);
      },
      ablateNode: async ({ node }) => this.ablateNode(node),
      steerNode: ({ node }) => this.steerNode(node),
      exportGraph: ({ kind, svg }) =>
        saveExport(this.services, kind, svg).catch((error) => showError(error, log)),
      cancel: async () => circuits.cancel(),
      runCommand: async ({ command }) => runViewCommand(command).catch((error) => showError(error, log)),
    };
  }

  private async selectNode(id: string | undefined, reveal: boolean): Promise<void> {
    const { circuits, session } = this.services;
    circuits.select(id);
    const node = id === undefined ? undefined : circuits.node(id);
    if (!node || isStale(this.services)) return;
    await revealToken(this.services, node.position, reveal);
    if (node.feature) session.selectFeature(node.feature);
  }

  private ablateNode(id: string): void {
    const node = this.services.circuits.node(id);
    const edit = node && ablationOf(node);
    if (edit) this.services.session.interventions.add(edit);
    else
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Only heads, MLPs and features can be ablated.'),
      );
  }

  private async steerNode(id: string): Promise<void> {
    const feature = this.services.circuits.node(id)?.feature;
    if (feature) await runCommand('steerFeature', feature);
    else void vscode.window.showInformationMessage(vscode.l10n.t('Only features can be steered.'));
  }
}

/** The panel's state now. */
function circuitState(services: Services): CircuitState {
  const { circuits, session } = services;
  const { found } = circuits;
  return {
    message: found && !circuits.error ? undefined : emptyMessage(services),
    graph: found?.graph,
    stale: found !== undefined && isStale(services),
    selected: circuits.selected,
    tokenSelected: found && !isStale(services) ? session.selected : -1,
    keep: circuits.keep,
    pinned: circuits.pinned,
    evaluation: circuits.evaluation,
    evaluating: circuits.isEvaluating,
    progress: circuits.progress,
  };
}

/** Whether the prompt is another one than the circuit was found for. */
function isStale({ circuits, session }: Services): boolean {
  const { found } = circuits;
  return found !== undefined && session.prompt !== undefined && session.prompt.text !== found.graph.prompt;
}

function emptyMessage({ circuits, session }: Services): ViewMessage {
  if (circuits.error !== undefined) return errorMessage(circuits.error);
  if (circuits.isFinding) return { kind: 'loading', text: vscode.l10n.t('Finding the circuit…') };
  return (
    sessionMessage(session) ?? {
      kind: 'empty',
      text: vscode.l10n.t('Choose two answers and find the parts of the model that decide between them.'),
      action: { title: vscode.l10n.t('Find Circuit'), command: 'findCircuit' },
    }
  );
}
