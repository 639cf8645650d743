/** What the list of results shows: one row for each kept circuit, sweep, study and classifier, newest first, with what runs on top. */

import * as vscode from 'vscode';
import type { Progress } from '../../shared/domain.ts';
import { formatText } from '../../shared/format.ts';
import { shiftProfessions } from '../../shared/shiftProfessions.ts';
import type { OpenCircuit } from '../circuits/openCircuit.ts';
import type { Services } from '../services.ts';
import type { ShiftQuestion } from '../shift/shiftSession.ts';
import { type KeptStudy, stagesOf } from '../studies/keptStudy.ts';
import { sweepSubject, sweepTitle } from '../sweeps/describeSweep.ts';
import { progressOf, type SweepRecord } from '../sweeps/sweepRecord.ts';
import { wordDone } from '../wordProgress.ts';

/** What made a result, which is also the panel that shows it. */
export type ResultKind = 'circuit' | 'sweep' | 'study' | 'shift';

/** A result as it is listed. */
export interface ResultRow {
  readonly kind: ResultKind;
  /** Of the circuit, sweep or study; `search` for a circuit that is looked for. */
  readonly id: string;
  readonly title: string;
  /** How far it is, or its time first, since the side bar cuts the end off; then prompts or model. */
  readonly description: string;
  readonly tooltip: string;
  readonly state: ResultState;
  /** Milliseconds since 1970; absent where it was not kept. */
  readonly created?: number;
}

/** `running`: it can be cancelled. `partial`: it was stopped or has not begun. */
export type ResultState = 'running' | 'partial' | 'done';

/** Whatever keeps results. */
export type ResultSources = Pick<Services, 'circuits' | 'models' | 'shift' | 'studies' | 'sweeps'>;

/** The row of a circuit that is looked for, which has no id yet. */
export const searchId = 'search';

/** All results. Those of earlier sessions are read on the first call. */
export function resultRows(sources: ResultSources, now = Date.now()): readonly ResultRow[] {
  const { circuits, models, shift, studies, sweeps } = sources;
  circuits.restore();
  studies.restore();
  shift.restore();
  const rows = [
    ...searchRows(sources),
    ...circuits.results.map((circuit) => circuitRow(circuit, now)),
    ...sweeps.all.map((sweep) => sweepRow(sweep, models, now)),
    ...studies.all.map((study) => studyRow(study, studies.atWork, now)),
    ...shiftRows(shift, now),
  ];
  const isBelow = ({ state }: ResultRow): number => (state === 'running' ? 0 : 1);
  return rows.sort((a, b) => isBelow(a) - isBelow(b) || (b.created ?? 0) - (a.created ?? 0));
}

function searchRows({ circuits, models }: ResultSources): readonly ResultRow[] {
  const { pending, progress } = circuits;
  if (!pending) return [];
  const done = progress ? wordDone(progress) : vscode.l10n.t('searching…');
  return [
    {
      kind: 'circuit',
      id: searchId,
      title: pending.name,
      description: done,
      tooltip: [pending.name, models.name, done].join('\n'),
      state: 'running',
    },
  ];
}

function circuitRow({ created, graph, id, title }: OpenCircuit, now: number): ResultRow {
  const { counterfactual, method, nodes, pairs, prompt, provenance } = graph;
  const isTask = pairs?.kind === 'task';
  const against = counterfactual && vscode.l10n.t('against “{0}”', formatText(counterfactual));
  const words = isTask ? [] : [`“${formatText(prompt)}”`, against];
  const counted = vscode.l10n.t('{0} nodes, {1}', nodes.length, method.name);
  const when = wordTime(created, now);
  return {
    kind: 'circuit',
    id,
    title,
    description: [when, provenance.model.name].join(' · '),
    tooltip: lines(title, ...words, counted, provenance.model.name, when),
    state: 'done',
    created,
  };
}

function sweepRow(sweep: SweepRecord, models: ResultSources['models'], now: number): ResultRow {
  const { created, id, model, outline, question, status } = sweep;
  const title = sweepTitle(question, models);
  const subject = sweepSubject(sweep);
  const { done, total } = progressOf(sweep);
  const isRunning = status === 'running' || status === 'estimating';
  const progress = status === 'estimating' ? vscode.l10n.t('estimating…') : percent(done, total);
  const standing = status === 'ready' ? vscode.l10n.t('not started') : progress;
  const when = wordTime(created, now);
  const parts = status === 'done' ? [when, subject] : [standing, ...(isRunning ? [] : [when]), subject];
  return {
    kind: 'sweep',
    id,
    title,
    description: parts.join(' · '),
    tooltip: lines(
      title,
      subject,
      outline?.metric,
      status === 'done' ? undefined : standing,
      model.name,
      when,
    ),
    state: stateOf(isRunning, status === 'done'),
    created,
  };
}

function studyRow(study: KeptStudy, atWork: KeptStudy | undefined, now: number): ResultRow {
  const { created, finished, id, isDone, question } = study;
  const isRunning = study === atWork;
  const steps = stagesOf(study).length;
  const standing = isRunning
    ? vscode.l10n.t('step {0} of {1}', Math.min(finished.length + 1, steps), steps)
    : vscode.l10n.t('{0} of {1} steps', finished.length, steps);
  const title = vscode.l10n.t('Indirect objects: {0}', question.source);
  const when = wordTime(created, now);
  const parts = [...(isDone ? [] : [standing]), ...(isRunning ? [] : [when]), question.model.name];
  return {
    kind: 'study',
    id,
    title,
    description: parts.join(' · '),
    tooltip: lines(title, isDone ? undefined : standing, question.model.name, when),
    state: stateOf(isRunning, isDone),
    created,
  };
}

/** One classifier is kept, and shown as running while it is found or retrained. */
function shiftRows(shift: ResultSources['shift'], now: number): readonly ResultRow[] {
  const { created, findings, outcome, pending, question, running } = shift;
  const asked = pending ?? question;
  if (!asked || !(findings || running)) return [];
  const title = vscode.l10n.t('SHIFT: {0}', wordProfessions(asked));
  const when = created === undefined ? [] : [wordTime(created, now)];
  const standing = outcome
    ? vscode.l10n.t('retrained')
    : vscode.l10n.t('{0} features', findings?.features.length ?? 0);
  const done = running && (running.progress ? wordDone(running.progress) : vscode.l10n.t('starting…'));
  const parts = done === undefined ? [...when, asked.modelName] : [done];
  return [
    {
      kind: 'shift',
      id: 'shift',
      title,
      description: parts.join(' · '),
      tooltip: lines(title, done ?? standing, asked.modelName, ...when),
      state: done === undefined ? 'done' : 'running',
      ...(created !== undefined && { created }),
    },
  ];
}

function stateOf(isRunning: boolean, isDone: boolean): ResultState {
  if (isRunning) return 'running';
  return isDone ? 'done' : 'partial';
}

function wordProfessions({ request: { professions } }: ShiftQuestion): string {
  const [first, second] = professions ?? shiftProfessions;
  return vscode.l10n.t('{0} or {1}', first ?? '', second ?? '');
}

/** The time of day; of another day, its date. */
function wordTime(created: number, now: number): string {
  const date = new Date(created);
  const isToday = date.toDateString() === new Date(now).toDateString();
  const language = vscode.env.language;
  return isToday
    ? date.toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString(language, { day: 'numeric', month: 'short' });
}

function percent(done: number, total: number): string {
  return wordDone({ done, total, what: '' } satisfies Progress);
}

function lines(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('\n');
}
