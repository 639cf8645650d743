/** The study panel: the report of a study of indirect objects, which fills while it runs. */

import * as vscode from 'vscode';
import type { IoiStudy, StudyHead } from '../../shared/study.ts';
import type { StudyRow, StudyState, StudyViewApi } from '../../shared/studyViewApi.ts';
import { failureOf, resumeStudy } from '../commands/studyCommands.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { foundElsewhere } from '../foundElsewhere.ts';
import { panels } from '../names.ts';
import { requireModelOf } from '../requireModelOf.ts';
import type { CommandServices, Services } from '../services.ts';
import { type KeptStudy, type StudyQuestion, stagesOf } from '../studies/keptStudy.ts';
import { openStudyCircuit, saveReport } from '../studies/saveStudy.ts';
import { showError } from '../wordError.ts';
import { panelIcon } from './panelIcon.ts';
import { runViewCommand } from './tokensPanel.ts';
import { ViewPanel } from './viewPanel.ts';

/** Milliseconds between two pictures of a study that runs. */
const tellEvery = 100;

/** Serves the study panel. */
export class StudyPanel extends Disposable {
  private readonly panel: ViewPanel<StudyViewApi>;

  constructor(
    private readonly services: Services,
    /** What the panel's actions need is there once all panels are. */
    private readonly all: () => CommandServices,
    restorePrompt: () => void,
  ) {
    super();
    const { context, models, studies } = services;
    this.panel = this.own(
      new ViewPanel<StudyViewApi>({
        viewType: panels.study,
        app: 'study',
        title: vscode.l10n.t('Indirect Objects'),
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'study'),
        api: this.api(),
        onRestore: () => {
          studies.restore();
          restorePrompt();
        },
      }),
    );
    this.own(studies.onDidChange(() => this.panel.tellSoon(tellEvery)));
    this.own(models.onDidChange(() => this.panel.tellSoon(tellEvery)));
  }

  /** Whether it can be seen now. */
  get isVisible(): boolean {
    return this.panel.isVisible;
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.panel.show();
  }

  /** Asks where to save the report of the study that is shown, and writes it. */
  async saveReport(): Promise<void> {
    await this.withStudy(async (study, question) => {
      if (await saveReport(study, question)) this.services.studies.markSaved();
    });
  }

  private api(): StudyViewApi {
    const { studies } = this.services;
    return {
      state: async () => studyState(this.services),
      // The view is told how it goes; waiting for the end would only hold its question open.
      start: async () => void this.told(() => runCommand('studyIndirectObjects')),
      resume: async () => void this.told(() => resumeStudy(this.all())),
      cancel: async () => studies.cancel(),
      choose: async ({ id }) => studies.choose(id),
      saveReport: () => this.told(() => this.saveReport()),
      openCircuit: () => this.told(() => this.withStudy(openStudyCircuit)),
      showHead: (head) => this.told(() => this.showHead(head)),
      ablateHead: ({ layer, head }) =>
        this.told(async () => {
          await this.requireStudied();
          await runCommand('ablateHead', { layer, head });
        }),
      runCommand: ({ command }) => this.told(() => runViewCommand(command)),
    };
  }

  /** A study is about a model, not a text: without a prompt there, the sample is inspected. */
  private async showHead({ layer, head }: StudyHead): Promise<void> {
    await this.requireStudied();
    if (!this.services.session.prompt) await runCommand('openSamplePrompt');
    this.all().tokensPanel.showHead(layer, head);
  }

  /** @throws request.invalid when another model is open: its heads are others */
  private async requireStudied(): Promise<void> {
    const { models, studies } = this.services;
    if (studies.foundWith) requireModelOf(studies.foundWith, await models.ensure(), 'The study');
  }

  private async withStudy(work: (study: IoiStudy, question: StudyQuestion) => Promise<void>): Promise<void> {
    const { study, question } = this.services.studies;
    if (study && question) await work(study, question);
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
function studyState({ models, studies }: Services): StudyState {
  const { current, question, soFar, finished, stages, progress, error, isRunning, study } = studies;
  if (!current || !question) return { message: emptyMessage(), finished: [], stages: [] };
  const ended = study ? 'done' : 'stopped';
  return {
    id: current.id,
    history: [...studies.all].reverse().map((kept) => rowOf(kept, studies.atWork)),
    elsewhere: foundElsewhere(studies.foundWith, models),
    model: question.model.name,
    source: question.source,
    status: isRunning ? 'running' : ended,
    failure: failureOf(error),
    study: soFar,
    finished,
    stages,
    progress,
    estimate: question.estimate,
  };
}

function rowOf(kept: KeptStudy, atWork: KeptStudy | undefined): StudyRow {
  const { finished, id, isDone, question } = kept;
  const ended = isDone ? 'done' : 'stopped';
  const status = kept === atWork ? 'running' : ended;
  const name = `${question.model.name} · ${question.source}`;
  const title = isDone
    ? name
    : vscode.l10n.t('{0} ({1} of {2} steps)', name, finished.length, stagesOf(kept).length);
  return { id, title, status };
}

function emptyMessage(): StudyState['message'] {
  return {
    kind: 'empty',
    text: vscode.l10n.t(
      'Find the heads that name the indirect object, what each of them does, and whether they explain the model.',
    ),
    action: { title: vscode.l10n.t('Study Indirect Objects…'), command: 'studyIndirectObjects' },
  };
}
