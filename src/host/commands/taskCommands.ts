/** The command that writes a new task: which kind of pairs and how many, in an unsaved file beside the others. */

import * as vscode from 'vscode';
import { type TaskGenerator, taskGenerators } from '../../shared/task.ts';
import type { CommandServices } from '../services.ts';
import { openUnsaved } from './openUnsaved.ts';

interface GeneratorItem extends vscode.QuickPickItem {
  readonly generator: TaskGenerator;
}

/** Asks for a generator and a number, and opens the pairs. */
export async function newTask({ engine, models }: CommandServices): Promise<void> {
  const chosen = await vscode.window.showQuickPick(generatorItems(), {
    title: vscode.l10n.t('New Task'),
    placeHolder: vscode.l10n.t('What should the pairs be about?'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) return;
  const count = await askCount();
  if (count === undefined) return;
  const { generator } = chosen;
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
        const request = { model: id, name: generator, count, seed: freshSeed() };
        return (await engine.generateTask(request, { signal: controller.signal })).text;
      } finally {
        stop.dispose();
      }
    },
  );
  await openUnsaved(generator, '.task.jsonl', text);
}

function generatorItems(): GeneratorItem[] {
  const about: Readonly<Record<TaskGenerator, readonly [label: string, detail: string]>> = {
    ioi: [
      vscode.l10n.t('Indirect Objects'),
      vscode.l10n.t('When Mary and John went to the store, John gave a drink to — Mary'),
    ],
    agreement: [vscode.l10n.t('Agreement'), vscode.l10n.t('The keys near the cabinet — are')],
    greaterThan: [
      vscode.l10n.t('Greater Than'),
      vscode.l10n.t('The war lasted from the year 1732 to the year 17 — 33 to 99'),
    ],
    induction: [vscode.l10n.t('Induction'), vscode.l10n.t('lamp river cup lamp river — cup')],
    pronoun: [vscode.l10n.t('Pronouns'), vscode.l10n.t('Yesterday Mary stayed at home because — she')],
    bios: [
      vscode.l10n.t('Biographies'),
      vscode.l10n.t('She works at a hospital and has learned to care for patients. She is a — nurse'),
    ],
  };
  return taskGenerators.map((generator) => {
    const [label, detail] = about[generator];
    return { label, description: generator, detail, generator };
  });
}

async function askCount(): Promise<number | undefined> {
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('New Task'),
    prompt: vscode.l10n.t('How many pairs?'),
    value: '50',
    validateInput: (value) =>
      isCount(value) ? undefined : vscode.l10n.t('Give a whole number from 1 to 10,000.'),
  });
  return text === undefined ? undefined : Number(text);
}

function isCount(value: string): boolean {
  return /^\d{1,5}$/.test(value.trim()) && Number(value) >= 1 && Number(value) <= 10_000;
}

/** Another one each time; it is written into the file, so that the pairs can be made again. */
function freshSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}
