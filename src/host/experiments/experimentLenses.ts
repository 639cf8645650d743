/** What stands over an experiment: run it, what it would take, compare its results, a script of it. */

import * as vscode from 'vscode';
import type { Progress } from '../../shared/domain.ts';
import type { KeptProgress } from '../../shared/experiment/keptRun.ts';
import { commandLink } from '../contributions.ts';
import { plainTitle } from '../plainTitle.ts';

/** What is known of an experiment's file. */
export interface ExperimentState {
  readonly uri: vscode.Uri;
  /** Whether the workspace is trusted: nothing runs in one that is not. */
  readonly isTrusted: boolean;
  readonly progress?: Progress | 'starting';
  /** How far the run has come that the next one goes on with. */
  readonly kept?: KeptProgress;
  /** Its results, when it has run. */
  readonly results?: vscode.Uri;
  /** The circuits that it found. */
  readonly circuits?: readonly CircuitFile[];
  /** Whether sweeps of its last run are kept. */
  readonly hasSweep?: boolean;
}

/** A circuit of the last run, and the number of its method; none when it is the only one. */
export interface CircuitFile {
  readonly uri: vscode.Uri;
  readonly method?: number;
}

/** The links, from left to right: short, and what can be done first, since a narrow editor cuts the line off. */
export function experimentLenses(state: ExperimentState): vscode.Command[] {
  const { uri, isTrusted, progress, kept } = state;
  if (!isTrusted) {
    const title = `$(shield) ${vscode.l10n.t('Trust this workspace to run experiments')}`;
    return [{ title, command: 'workbench.trust.manage' }];
  }
  if (progress !== undefined) {
    const cancel = commandLink('cancelExperiment', `$(debug-stop) ${vscode.l10n.t('Cancel')}`, [uri]);
    const title = `$(sync~spin) ${plainTitle(wordProgress(progress))}`;
    return [cancel, { title, command: '' }, ...foundLinks(state)];
  }
  const begin = kept
    ? goOnLinks(uri)
    : [commandLink('runExperiment', `$(play) ${vscode.l10n.t('Run')}`, [uri])];
  const script = commandLink('exportExperiment', vscode.l10n.t('Script'), [uri]);
  return [
    ...begin,
    ...foundLinks(state),
    commandLink('estimateExperiment', vscode.l10n.t('Estimate'), [uri]),
    { ...script, tooltip: vscode.l10n.t('Writes the experiment as a TransformerLens script') },
    ...(kept ? [{ title: wordKept(kept), command: '' }] : []),
  ];
}

/** What the last run has found. */
function foundLinks({ uri, results, circuits = [], hasSweep }: ExperimentState): vscode.Command[] {
  if (!results) return [];
  const open = (title: string, file: vscode.Uri): vscode.Command => ({
    title,
    command: 'vscode.open',
    arguments: [file],
  });
  const sweep = hasSweep ? [commandLink('showExperimentSweep', vscode.l10n.t('Sweep'), [uri])] : [];
  return [
    open(vscode.l10n.t('Results'), results),
    ...sweep,
    ...circuits.map((circuit) => open(circuitTitle(circuit), circuit.uri)),
    commandLink('compareExperiments', vscode.l10n.t('Compare…'), [uri]),
  ];
}

/** What a circuit of a run is called. */
export function circuitTitle({ method }: CircuitFile): string {
  return method === undefined ? vscode.l10n.t('Circuit') : vscode.l10n.t('Circuit {0}', method);
}

/** How far a run is. */
export function wordProgress(progress: Progress | 'starting'): string {
  if (progress === 'starting') return vscode.l10n.t('Starting…');
  const { what, done, total } = progress;
  return total > 0 ? `${what} · ${Math.floor((100 * done) / total)} %` : what;
}

/** To go on where the run was stopped, or to begin anew. */
function goOnLinks(uri: vscode.Uri): vscode.Command[] {
  return [
    commandLink('runExperiment', `$(debug-continue) ${vscode.l10n.t('Go On')}`, [uri]),
    commandLink('runExperiment', vscode.l10n.t('Start Over'), [uri, 'anew']),
  ];
}

/** What of a run is done already. */
export function wordKept({ done, total, isUnderWay }: KeptProgress): string {
  if (total === 1) return vscode.l10n.t('partly done');
  const methods = vscode.l10n.t('{0} of {1} methods done', done, total);
  return isUnderWay ? `${methods}, ${vscode.l10n.t('one under way')}` : methods;
}
