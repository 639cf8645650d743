/** Watches a study that runs: how far it is, in the status bar, and that it is done, when its panel is out of sight. */

import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import { runCommand } from '../contributions.ts';
import type { CommandServices } from '../services.ts';
import { type KeptStudy, stagesOf } from '../studies/keptStudy.ts';
import { tellFinished } from './tellFinished.ts';

/** Shows in the status bar how far it is, too: the panel may be hidden. */
export async function watched(services: CommandServices, work: () => Promise<void>): Promise<void> {
  const { studies } = services;
  const before = new Set(studies.all.filter(({ isDone }) => isDone).map(({ id }) => id));
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Studying indirect objects') },
    async (progress) => {
      const listening = studies.onDidChange(() => {
        const { atWork } = studies;
        if (!atWork) return;
        const stages = stagesOf(atWork);
        const message = vscode.l10n.t(
          'step {0} of {1}',
          Math.min(atWork.finished.length + 1, stages.length),
          stages.length,
        );
        progress.report({ message });
      });
      try {
        await work();
      } catch (error) {
        // The panel says what happened, and what is there stays.
        if (!isEngineError(error, 'cancelled') && studies.error === undefined) throw error;
      } finally {
        listening.dispose();
      }
    },
  );
  const done = studies.all.find(({ id, isDone }) => isDone && !before.has(id));
  if (done) tellDone(services, done);
}

/** Says that a study is through, when that cannot be seen. */
function tellDone({ studies, studyPanel }: CommandServices, { id, question }: KeptStudy): void {
  if (studyPanel.isVisible && studies.current?.id === id) return;
  const words = vscode.l10n.t('The study of {0} on {1} is done.', question.model.name, question.source);
  tellFinished(words, { isSeen: false, show: () => void runCommand('showResult', { kind: 'study', id }) });
}
