/** The sweep panel: a heat map that fills while a sweep runs, linked to the text, to attention and to interventions. */

import * as vscode from 'vscode';
import type { SweepOutline } from '../../shared/patchingApi.ts';
import { restingValue } from '../../shared/sweepCell.ts';
import type { SweepRow, SweepState, SweepView, SweepViewApi } from '../../shared/sweepViewApi.ts';
import { changeSweep, planSweep } from '../commands/sweepCommands.ts';
import { tellFinished } from '../commands/tellFinished.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { foundElsewhere } from '../foundElsewhere.ts';
import { panels } from '../names.ts';
import type { CommandServices, Services } from '../services.ts';
import { actOnCell } from '../sweeps/cellActions.ts';
import { sweepSubject, sweepTitle } from '../sweeps/describeSweep.ts';
import { exportSweep } from '../sweeps/exportSweep.ts';
import { placeOfCell, revealCell } from '../sweeps/revealCell.ts';
import { foundWith, isComparable, progressOf, type SweepRecord } from '../sweeps/sweepRecord.ts';
import { showError, wordError } from '../wordError.ts';
import { panelIcon } from './panelIcon.ts';
import { runViewCommand } from './tokensPanel.ts';
import { ViewPanel } from './viewPanel.ts';

/** Milliseconds between two pictures: a sweep that runs reports far more often than is worth drawing. */
const tellEvery = { still: 80, running: 500 } as const;

/** Serves the sweep panel. */
export class SweepPanel extends Disposable {
  private readonly panel: ViewPanel<SweepViewApi>;

  constructor(
    private readonly services: Services,
    /** What the panel's actions need is there once all panels are. */
    private readonly all: () => CommandServices,
    restorePrompt: () => void,
  ) {
    super();
    const { context, models, sweeps } = services;
    this.panel = this.own(
      new ViewPanel<SweepViewApi>({
        viewType: panels.sweep,
        app: 'sweep',
        title: vscode.l10n.t('Sweep'),
        extensionUri: context.extensionUri,
        icon: panelIcon(context.extensionUri, 'sweep'),
        api: this.api(),
        onRestore: restorePrompt,
      }),
    );
    this.own(sweeps.onDidChange(() => this.tellSoon()));
    this.own(models.onDidChange(() => this.tellSoon()));
  }

  /** Whether it can be seen now. */
  get isVisible(): boolean {
    return this.panel.isVisible;
  }

  /** Opens the panel beside the editor. */
  show(): void {
    this.panel.show();
  }

  /** Asks where to save the cells of a kept sweep, and writes them. */
  async exportOne(id: string, kind: 'csv' | 'json'): Promise<void> {
    const record = this.services.sweeps.all.find((kept) => kept.id === id);
    if (record) await exportSweep(viewOf(record, this.services), kind, undefined);
  }

  private tellSoon(): void {
    this.panel.tellSoon(this.services.sweeps.isRunning ? tellEvery.running : tellEvery.still);
  }

  private api(): SweepViewApi {
    const { sweeps } = this.services;
    return {
      state: async () => sweepState(this.services),
      run: () => this.told(() => this.run()),
      cancel: async () => sweeps.cancel(),
      change: () => this.told(() => this.withCurrent((record) => changeSweep(this.all(), record))),
      again: ({ metric, direction }) =>
        this.told(() =>
          this.withCurrent(({ question, places }) => {
            const changed = { ...question, ...(metric && { metric }) };
            const other = changed.method === 'patch' && direction ? { ...changed, direction } : changed;
            return planSweep(this.all(), other, places);
          }),
        ),
      choose: async ({ id }) => sweeps.choose(id),
      remove: async ({ id }) => sweeps.remove(id),
      compare: async ({ id }) => sweeps.compare(id),
      revealCell: ({ cell }) => this.told(() => this.reveal(cell)),
      actOnCell: ({ cell, action }) => this.told(() => actOnCell(this.all(), cell, action)),
      exportSweep: ({ kind, svg }) =>
        this.told(() => this.withCurrent((record) => exportSweep(viewOf(record, this.services), kind, svg))),
      runCommand: ({ command }) => this.told(() => runViewCommand(command)),
    };
  }

  private async run(): Promise<void> {
    const { models, sweeps } = this.services;
    const model = await models.ensure();
    // Waiting for the end would only hold the view's question open; the status bar tells when the panel is hidden.
    void vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Sweeping') },
      async (progress) => {
        const listening = sweeps.onDidChange(() => progress.report({ message: shareOf(sweeps.atWork) }));
        const asked = sweeps.current;
        await sweeps.run({ ...model, saes: models.saes }).finally(() => listening.dispose());
        if (asked) this.tellEnd(asked.id);
      },
    );
  }

  /** Says that a sweep is through, when that cannot be seen. */
  private tellEnd(id: string): void {
    const { models, sweeps } = this.services;
    const record = sweeps.all.find((kept) => kept.id === id);
    if (record?.status !== 'done' && record?.status !== 'failed') return;
    if (this.isVisible && sweeps.current?.id === id) return;
    const title = sweepTitle(record.question, models);
    const words =
      record.status === 'done'
        ? vscode.l10n.t('The sweep {0} is done.', title)
        : vscode.l10n.t('The sweep {0} failed: {1}', title, wordError(record.failure));
    tellFinished(words, { isSeen: false, show: () => void runCommand('showResult', { kind: 'sweep', id }) });
  }

  private async reveal(cell: number): Promise<void> {
    await this.withCurrent(async (record) => {
      const place = placeOfCell(record, cell);
      // The note over the panel says why there is no way to the text; a click chooses the cell all the same.
      if (foundElsewhere(foundWith(record), this.services.models)) return;
      if (place) await revealCell(this.services, record, place);
    });
  }

  private async withCurrent(work: (record: SweepRecord) => Promise<void>): Promise<void> {
    const { current } = this.services.sweeps;
    if (current) await work(current);
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

function shareOf(record: SweepRecord | undefined): string | undefined {
  if (!record) return undefined;
  const { done, total } = progressOf(record);
  return `${Math.floor((100 * done) / Math.max(1, total))} %`;
}

/** The panel's state now. */
function sweepState(services: Services): SweepState {
  const { sweeps } = services;
  const { current } = sweeps;
  return {
    ...(!current && { message: emptyMessage() }),
    sweep: current && viewOf(current, services),
    history: toldApart([...sweeps.all].reverse(), services),
  };
}

function emptyMessage(): SweepState['message'] {
  return {
    kind: 'empty',
    text: vscode.l10n.t(
      'Patch every place between two prompts, one after the other, and see where the answer is decided.',
    ),
    action: { title: vscode.l10n.t('Sweep Patches…'), command: 'sweepPatches' },
  };
}

/** The rows of all sweeps; those of one title say what else tells them apart. */
function toldApart(records: readonly SweepRecord[], services: Services): readonly SweepRow[] {
  const rows = records.map((record) => rowOf(record, services));
  const subjects = records.map(sweepSubject);
  return rows.map((row, i) => {
    const alike = rows.flatMap(({ title }, j) => (j !== i && title === row.title ? [subjects[j]] : []));
    if (alike.length === 0) return row;
    const when = new Date(records[i]!.created).toLocaleTimeString(vscode.env.language);
    return { ...row, detail: alike.includes(subjects[i]) ? `${subjects[i]} · ${when}` : subjects[i] };
  });
}

function rowOf(record: SweepRecord, { models, sweeps }: Pick<Services, 'models' | 'sweeps'>): SweepRow {
  const { done, total } = progressOf(record);
  const { current } = sweeps;
  return {
    id: record.id,
    title: sweepTitle(record.question, models),
    status: record.status,
    share: total > 0 ? done / total : 0,
    comparable: current !== undefined && current !== record && isComparable(current, record),
  };
}

function viewOf(record: SweepRecord, services: Services): SweepView {
  const { cells, estimate, failure, model, outline, places, question } = record;
  return {
    ...rowOf(record, services),
    question,
    subject: sweepSubject(record),
    model: model.name,
    elsewhere: foundElsewhere(foundWith(record), services.models),
    outline,
    runs: progressOf(record),
    ...(places.pairsOfFile !== undefined && { pairsOfFile: places.pairsOfFile }),
    estimate,
    values: cells.values,
    raw: Float32Array.from(cells.raw),
    pairs: cells.pairs,
    remaining: services.sweeps.remaining,
    ...otherOf(services),
    ...(failure !== undefined && { error: wordError(failure) }),
    ...(outline && { labels: featureLabels(record, outline, services) }),
  };
}

function otherOf({ models, sweeps: { other } }: Services): Pick<SweepView, 'other'> {
  if (!other) return {};
  const { cells, id, question } = other;
  const title = sweepTitle(question, models);
  return { other: { id, title, values: cells.values, resting: restingValue(question) } };
}

function featureLabels(
  { question }: SweepRecord,
  { axes }: SweepOutline,
  { session }: Pick<Services, 'session'>,
): Readonly<Record<number, string>> | undefined {
  if (question.method === 'path' || question.target.kind !== 'features') return undefined;
  const { sae } = question.target;
  const labels = axes.find(({ name }) => name === 'feature')?.labels ?? [];
  const known = labels
    .filter((label) => label !== 'error')
    .map((label) => [label, session.catalog.get({ sae, index: Number(label) }).label])
    .filter(([, label]) => label !== undefined);
  return Object.fromEntries(known);
}
