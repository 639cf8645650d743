/** The words over a task file: its pairs, the model's behaviour on them, and a way to the problems. */

import * as vscode from 'vscode';
import { formatNumber, formatProbability, formatSigned, formatText } from '../../shared/format.ts';
import type { TaskBehaviour, TaskCheck } from '../../shared/taskApi.ts';
import { plainTitle } from '../plainTitle.ts';
import { wordError } from '../wordError.ts';
import { withIcon } from './lensIcon.ts';

/** What is known of an open task file. */
export interface TaskState {
  /** Of the text as it was checked last. */
  readonly check?: TaskCheck;
  /** The name of the model it was checked with. */
  readonly model?: string;
  readonly error?: unknown;
  /** Whether its behaviour is still to come. */
  readonly busy: boolean;
}

/** The words over a task: what it is, and a link to what is wrong with it. */
export interface TaskLenses {
  readonly summary: vscode.Command;
  /** One link, or none. */
  readonly problems: readonly vscode.Command[];
}

/** What is said of a file: its pairs and the model's behaviour, and a way to the problems when there are any. */
export function taskLenses(state: TaskState | undefined): TaskLenses {
  if (state?.error !== undefined) return only(plain(withIcon('warning', plainTitle(wordError(state.error)))));
  const { check } = state ?? {};
  if (!state || !check) return only(plain(withIcon('checklist', vscode.l10n.t('Checking the pairs…'))));
  const pairs =
    check.pairs === 1 ? vscode.l10n.t('1 pair') : vscode.l10n.t('{0} pairs', formatNumber(check.pairs));
  const parts = [pairs, ...(check.behaviour ? behaviourParts(check.behaviour, check.pairs) : [])];
  if (state.busy && !check.behaviour) parts.push(vscode.l10n.t('measuring…'));
  if (state.model !== undefined) parts.push(formatText(state.model));
  const summary = plain(
    withIcon('checklist', parts.map(plainTitle).join(' · ')),
    vscode.l10n.t('What the model does on the pairs of this task'),
  );
  return {
    summary,
    problems: problemLinks(check.lines - check.pairs, check.problems.length + check.unlisted),
  };
}

function behaviourParts(behaviour: TaskBehaviour, pairs: number): string[] {
  const share = behaviour.accuracy === 0 ? '0 %' : formatProbability(behaviour.accuracy);
  const parts = [
    vscode.l10n.t('accuracy {0}', share),
    vscode.l10n.t(
      'mean logit difference {0}, corrupted {1}',
      formatSigned(behaviour.logitDifference),
      formatSigned(behaviour.corruptedLogitDifference),
    ),
  ];
  if (behaviour.pairs < pairs)
    parts.push(vscode.l10n.t('first {0} pairs measured', formatNumber(behaviour.pairs)));
  return parts;
}

function problemLinks(left: number, problems: number): vscode.Command[] {
  if (problems === 0) return [];
  const unusable =
    left === 1 ? vscode.l10n.t('1 pair cannot be used') : vscode.l10n.t('{0} pairs cannot be used', left);
  const warnings = problems === 1 ? vscode.l10n.t('1 warning') : vscode.l10n.t('{0} warnings', problems);
  const title = left > 0 ? withIcon('error', unusable) : withIcon('warning', warnings);
  return [{ title, command: 'workbench.actions.view.problems', tooltip: vscode.l10n.t('Show the problems') }];
}

function only(summary: vscode.Command): TaskLenses {
  return { summary, problems: [] };
}

/** Text that does nothing when clicked. */
function plain(title: string, tooltip?: string): vscode.Command {
  return { title, command: '', ...(tooltip !== undefined && { tooltip }) };
}
