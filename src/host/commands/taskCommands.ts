/** The command that writes a new task: which kind of pairs and how many, in an unsaved file beside the others. */

import * as vscode from 'vscode';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { CommandServices } from '../services.ts';
import { openUnsaved } from './openUnsaved.ts';
import { pickGenerated } from './pickGenerator.ts';

/** Asks for a generator and a number, and opens the pairs. */
export async function newTask({ engine, models }: CommandServices): Promise<void> {
  const generated = await pickGenerated({
    title: vscode.l10n.t('New Task'),
    usual: methodDefaults.taskPairs,
  });
  if (!generated) return;
  const text = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Writing pairs…'),
      cancellable: true,
    },
    async (_progress, token) => {
      const controller = new AbortController();
      const stop = token.onCancellationRequested(() => controller.abort());
      try {
        const { id } = await models.ensure();
        return (await engine.generateTask({ ...generated, model: id }, { signal: controller.signal })).text;
      } finally {
        stop.dispose();
      }
    },
  );
  await openUnsaved(generated.name, '.task.jsonl', text);
}
