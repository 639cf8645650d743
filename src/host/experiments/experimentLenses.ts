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
  /** Whether sweeps of its last run are kept. */
  readonly hasSweep?: boolean;
}

/** The links, from left to right. */
export function experimentLenses({
  uri,
  isTrusted,
  progress,
  kept,
  results,
  hasSweep,
}: ExperimentState): vscode.Command[] {
  if (!isTrusted) {
    const title = `$(shield) ${vscode.l10n.t('Trust this workspace to run experiments')}`;
    return [{ title, command: 'workbench.trust.manage' }];
  }
  const sweep = hasSweep ? [sweepLink(uri)] : [];
  const shown = results ? [resultsLink(results), ...sweep, compareLink(uri)] : [];
  if (progress !== undefined) {
    const cancel = commandLink('cancelExperiment', `$(debug-stop) ${vscode.l10n.t('Cancel')}`, [uri]);
    return [{ title: `$(sync~spin) ${plainTitle(wordProgress(progress))}`, command: '' }, cancel, ...shown];
  }
  return [
    ...(kept
      ? goOnLinks(uri, kept)
      : [commandLink('runExperiment', `$(play) ${vscode.l10n.t('Run')}`, [uri])]),
    commandLink('estimateExperiment', vscode.l10n.t('Estimate'), [uri]),
    ...shown,
    commandLink('exportExperiment', vscode.l10n.t('Export TransformerLens Script'), [uri]),
  ];
}

/** How far a run is. */
export function wordProgress(progress: Progress | 'starting'): string {
  if (progress === 'starting') return vscode.l10n.t('Starting…');
  const { what, done, total } = progress;
  return total > 0 ? `${what} · ${Math.floor((100 * done) / total)} %` : what;
}

/** To go on where the run was stopped, or to begin anew. */
function goOnLinks(uri: vscode.Uri, kept: KeptProgress): vscode.Command[] {
  return [
    commandLink('runExperiment', `$(debug-continue) ${vscode.l10n.t('Go On')} (${wordKept(kept)})`, [uri]),
    commandLink('runExperiment', vscode.l10n.t('Start Over'), [uri, 'anew']),
  ];
}

/** What of a run is done already. */
export function wordKept({ done, total, isUnderWay }: KeptProgress): string {
  if (total === 1) return vscode.l10n.t('partly done');
  const methods = vscode.l10n.t('{0} of {1} methods done', done, total);
  return isUnderWay ? `${methods}, ${vscode.l10n.t('one under way')}` : methods;
}

function resultsLink(results: vscode.Uri): vscode.Command {
  return { title: vscode.l10n.t('Results'), command: 'vscode.open', arguments: [results] };
}

function sweepLink(uri: vscode.Uri): vscode.Command {
  return commandLink('showExperimentSweep', vscode.l10n.t('Sweep'), [uri]);
}

function compareLink(uri: vscode.Uri): vscode.Command {
  return commandLink('compareExperiments', vscode.l10n.t('Compare…'), [uri]);
}
