/** The SHIFT panel: a classifier's accuracies, and its features to be judged. */

import * as vscode from 'vscode';
import { shiftDefaults } from '../../shared/shiftApi.ts';
import type { ShiftState, ShiftViewApi } from '../../shared/shiftViewApi.ts';
import { ablateMarked } from '../commands/shiftCommands.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { foundElsewhere } from '../foundElsewhere.ts';
import { describeForLog } from '../log.ts';
import { panels } from '../names.ts';
import type { CommandServices, Services } from '../services.ts';
import { showError, wordError } from '../wordError.ts';
import { panelIcon } from './panelIcon.ts';
import { runViewCommand } from './tokensPanel.ts';
import { ViewPanel } from './viewPanel.ts';

/** Milliseconds between two pictures of work that is under way. */
const tellEvery = 100;

/** Serves the SHIFT panel. */
export class ShiftPanel extends Disposable {
  private readonly panel: ViewPanel<ShiftViewApi>;

  constructor(
    private readonly services: Services,
    /** What the panel's actions need is there once all panels are. */
    private readonly all: () => CommandServices,
  ) {
    super();
    const { context, shift, labels, log, models } = services;
    this.panel = this.own(
      new ViewPanel<ShiftViewApi>({
        viewType: panels.shift,
        app: 'shift',
        title: 'SHIFT',
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'shift'),
        api: this.api(),
        onRestore: () => shift.restore(),
      }),
    );
    this.own(shift.onDidChange(() => this.panel.tellSoon(tellEvery)));
    this.own(models.onDidChange(() => this.panel.tellSoon(tellEvery)));
    this.own(
      labels.onDidChange(() => {
        shift.relabel().catch((error: unknown) => log.warn(describeForLog(error)));
      }),
    );
  }

  /** Whether it can be seen now. */
  get isVisible(): boolean {
    return this.panel.isVisible;
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.panel.show();
  }

  private api(): ShiftViewApi {
    const { shift } = this.services;
    return {
      state: async () => shiftState(this.services),
      features: async () => shift.findings?.features ?? [],
      mark: async ({ keys }) => shift.mark(keys),
      // The view is told how it goes; waiting for the end would only hold its question open.
      ablate: async () => void this.told(() => ablateMarked(this.all())),
      cancel: async () => shift.cancel(),
      start: async () => void this.told(() => runCommand('runShift')),
      labelFeature: ({ feature }) => this.told(() => runCommand('labelFeature', feature)),
      copyFeature: async ({ feature }) => {
        const found = this.services.models.saes.find(({ id }) => id === feature.sae);
        await vscode.env.clipboard.writeText(`${found?.hook ?? feature.sae}/${feature.index}`);
      },
      runCommand: ({ command }) => this.told(() => runViewCommand(command)),
    };
  }

  /** Failures of what the user asks for are told to the user. */
  private async told(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      showError(error, this.services.log);
    }
  }
}

/** The panel's state now. */
function shiftState({ models, shift }: Services): ShiftState {
  const { question, pending, findings, running, error, marked, outcome, number } = shift;
  const failure = error === undefined ? undefined : wordError(error);
  if (!findings && !running) {
    const { message } = emptyState(failure);
    return { message, number, marked };
  }
  if (pending) {
    return { model: pending.modelName, professions: pending.request.professions, running, number, marked };
  }
  return {
    model: question?.modelName,
    elsewhere: foundElsewhere(shift.foundWith, models),
    professions: findings?.professions ?? question?.request.professions,
    hook: findings?.hook,
    biographies: question?.request.trainCount ?? shiftDefaults.trainCount,
    running,
    failure,
    before: findings?.before,
    number,
    marked,
    outcome,
  };
}

function emptyState(failure: string | undefined): Pick<ShiftState, 'message'> {
  const action = { title: vscode.l10n.t('Run SHIFT…'), command: 'runShift' as const };
  if (failure !== undefined) return { message: { kind: 'error', text: failure, action } };
  const text = vscode.l10n.t(
    'Train a classifier that is misled by gender, find the features it uses, and take out those that should not matter.',
  );
  return { message: { kind: 'empty', text, action } };
}
