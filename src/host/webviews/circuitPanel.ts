/** The circuit panel: the circuit that was found last, beside the text it was found for. */

import * as vscode from 'vscode';
import type { CircuitViewApi } from '../../shared/circuitViewApi.ts';
import type { ViewMessage } from '../../shared/viewApi.ts';
import { CircuitServer } from '../circuits/circuitServer.ts';
import { saveAsFile } from '../circuits/exportCircuit.ts';
import { Disposable } from '../disposable.ts';
import { panels } from '../names.ts';
import type { Services } from '../services.ts';
import { panelIcon } from './panelIcon.ts';
import { errorMessage, sessionMessage } from './viewMessage.ts';
import { ViewPanel } from './viewPanel.ts';

/** Serves the circuit panel. */
export class CircuitPanel extends Disposable {
  private readonly panel: ViewPanel<CircuitViewApi>;
  private readonly server: CircuitServer;

  constructor(
    private readonly services: Services,
    restorePrompt: () => void,
  ) {
    super();
    const { circuits, context } = services;
    this.server = this.own(
      new CircuitServer(services, {
        circuit: () => circuits.shown,
        isFile: false,
        message: () => this.message(),
        failure: () => (circuits.error === undefined ? undefined : errorMessage(circuits.error)),
        undo: () => circuits.shown?.undo(),
        redo: () => circuits.shown?.redo(),
        save: () => this.save(),
        tell: (change) => this.tell(change),
      }),
    );
    this.panel = this.own(
      new ViewPanel<CircuitViewApi>({
        viewType: panels.circuit,
        app: 'circuit',
        title: vscode.l10n.t('Circuit'),
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'circuit'),
        api: this.server.api,
        onRestore: () => {
          circuits.restore();
          restorePrompt();
        },
        onActive: () => circuits.activate(this.server),
      }),
    );
  }

  /** Whether it can be seen now. */
  get isVisible(): boolean {
    return this.panel.isVisible;
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.services.circuits.activate(this.server);
    this.panel.show();
  }

  private tell(change: 'state' | 'selection'): void {
    const { surface } = this.panel;
    const { circuits, places } = this.services;
    const { shown } = circuits;
    if (change === 'state') surface?.tell('changed', {});
    else surface?.tell('selectionChanged', { position: shown ? places.selectedToken(shown) : -1 });
    this.panel.setTitle(shown ? vscode.l10n.t('Circuit: {0}', shown.title) : vscode.l10n.t('Circuit'));
  }

  /** A found circuit becomes a file, which is open from then on. */
  private async save(): Promise<void> {
    const { shown } = this.services.circuits;
    if (shown) await saveAsFile(this.services, shown);
  }

  private message(): ViewMessage | undefined {
    const { circuits, session } = this.services;
    if (circuits.shown) return undefined;
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
}
