/** The status bar item: which model looks at the prompt, and whether the engine is well. */

import * as vscode from 'vscode';
import { Disposable } from '../disposable.ts';
import { type CommandName, commands } from '../names.ts';
import { plainTitle } from '../plainTitle.ts';
import type { Services } from '../services.ts';
import { wordError } from '../wordError.ts';
import { describeOpening } from './modelItem.ts';

interface Shown {
  readonly text: string;
  readonly tooltip: string;
  readonly command: CommandName;
}

/** Shows the item once there is something to tell. */
export class StatusBar extends Disposable {
  private readonly item = this.own(
    vscode.window.createStatusBarItem('fovea.status', vscode.StatusBarAlignment.Right, 90),
  );

  constructor(private readonly services: Pick<Services, 'client' | 'downloads' | 'models' | 'session'>) {
    super();
    this.item.name = 'Fovea';
    this.own(services.client.onDidChange(() => this.update()));
    this.own(services.models.onDidChange(() => this.update()));
    this.own(services.downloads.onDidChange(() => services.models.status === 'loading' && this.update()));
    this.own(services.session.onDidChange((change) => change === 'state' && this.update()));
  }

  private update(): void {
    const { client, models, session } = this.services;
    if (client.state.kind === 'idle' && models.status === 'idle' && !session.prompt) {
      this.item.hide();
      return;
    }
    const { text, tooltip, command } = this.shown();
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.command = commands[command];
    this.item.accessibilityInformation = {
      label: `Fovea: ${text.replace(/\$\([^)]*\)\s*/g, '')}. ${tooltip}`,
    };
    this.item.show();
  }

  private shown(): Shown {
    const { client, downloads, models, session } = this.services;
    const name = plainTitle(models.name);
    if (client.state.kind === 'stopped') {
      return {
        text: `$(warning) ${vscode.l10n.t('{0} · engine stopped', name)}`,
        tooltip: vscode.l10n.t('The engine stopped ({0}). Select to start it again.', client.state.reason),
        command: 'restartEngine',
      };
    }
    if (models.status === 'failed') {
      return {
        text: `$(warning) ${vscode.l10n.t('{0} · not loaded', name)}`,
        tooltip: wordError(models.error),
        command: 'chooseModel',
      };
    }
    const opening = downloads.current.find(({ kind }) => kind === 'opening');
    if (models.status === 'loading' && opening) {
      const progress = describeOpening(opening.progress);
      return {
        text: `$(loading~spin) ${name} · ${progress}`,
        tooltip: [opening.progress?.what, vscode.l10n.t('Select to cancel.')].filter(Boolean).join('\n'),
        command: 'cancelOpening',
      };
    }
    if (models.status === 'loading') {
      return {
        text: `$(loading~spin) ${name}`,
        tooltip: vscode.l10n.t('Loading {0}…', name),
        command: 'showLog',
      };
    }
    const tokens = session.look?.analysis.strip.tokens.length;
    const count = tokens === undefined ? '' : ` · ${vscode.l10n.t('{0} tokens', tokens)}`;
    return {
      text: `$(eye) ${name}`,
      tooltip: `${models.sae?.name ?? vscode.l10n.t('no SAE')}${count}`,
      command: 'chooseModel',
    };
  }
}
