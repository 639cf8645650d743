/** Asks for the prompts of a circuit: a task's file, pairs that are written for it, or the prompt that is looked at with the one it is compared with. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import { type PromptPairs, taskGenerators } from '../../shared/task.ts';
import type { CommandServices } from '../services.ts';
import { nameOfGenerated, pickGenerated } from './pickGenerator.ts';

/** Prompts to find a circuit on, with a name for people. */
export interface ChosenPairs {
  readonly pairs: PromptPairs;
  readonly name: string;
  /** The document that the prompts are in. */
  readonly uri?: string;
}

interface PairsItem extends vscode.QuickPickItem {
  readonly choose?: () => Promise<ChosenPairs | undefined>;
}

/** Task files of the workspace that are offered. */
const mostFiles = 50;

/** The prompts at `uri`, or those the user chooses; nothing when the user backs out. */
export async function pickPairs(
  services: CommandServices,
  title: string,
  uri?: vscode.Uri,
): Promise<ChosenPairs | undefined> {
  if (uri) return taskOf(uri);
  const items = [...pairItems(services), ...(await taskItems()), generatedItem(title)];
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('On which prompts?'),
    matchOnDescription: true,
  });
  return chosen?.choose?.();
}

/** How many pairs of a task to use; nothing when the user backs out. A pair is one pair, and written pairs are as many as were asked for. */
export async function askLimit(
  chosen: ChosenPairs,
  title: string,
  usual: number,
): Promise<ChosenPairs | undefined> {
  const { pairs } = chosen;
  if (pairs.kind === 'pair' || pairs.task.kind === 'generator') return chosen;
  const text = await vscode.window.showInputBox({
    title,
    prompt: vscode.l10n.t('How many pairs of the task, at most? More pairs take longer.'),
    value: String(usual),
    validateInput: (value) =>
      /^[1-9]\d{0,4}$/.test(value.trim())
        ? undefined
        : vscode.l10n.t('Give a whole number from 1 to 99,999.'),
  });
  return text === undefined ? undefined : { ...chosen, pairs: { ...pairs, limit: Number(text) } };
}

/** The prompt with the one it is compared with, when the two fit and their answers are known. */
function pairItems({ session }: CommandServices): PairsItem[] {
  const { contrast, look, other, prompt } = session;
  if (!prompt || !other || !contrast || !look?.comparison?.equalLength) return [];
  const pairs: PromptPairs = {
    kind: 'pair',
    clean: prompt.text,
    corrupted: other.text,
    answers: [contrast.answer],
    wrongAnswers: [contrast.wrong],
  };
  return [
    {
      label: vscode.l10n.t('This prompt and {0}', other.name),
      description: prompt.name,
      choose: async () => ({ pairs, name: prompt.name, uri: prompt.uri }),
    },
  ];
}

async function taskItems(): Promise<PairsItem[]> {
  const active = vscode.window.activeTextEditor?.document.uri;
  const found = await vscode.workspace.findFiles('**/*.task.jsonl', '**/node_modules/**', mostFiles);
  const isActive = (uri: vscode.Uri): boolean => uri.toString() === active?.toString();
  const sorted = found.sort(
    (a, b) => Number(isActive(b)) - Number(isActive(a)) || (a.path < b.path ? -1 : 1),
  );
  return [
    ...sorted.map((uri) => ({
      label: basename(uri.path),
      description: vscode.workspace.asRelativePath(uri),
      choose: () => taskOf(uri),
    })),
    { label: `$(folder-opened) ${vscode.l10n.t('Choose a Task File…')}`, choose: chooseFile },
  ];
}

/** Pairs without a file: what is found on them keeps their generator and seed. */
function generatedItem(title: string): PairsItem {
  return {
    label: `$(sparkle) ${vscode.l10n.t('Generated Pairs…')}`,
    description: taskGenerators.join(', '),
    choose: async () => {
      const generated = await pickGenerated({ title, usual: methodDefaults.searchPairs });
      return (
        generated && {
          pairs: { kind: 'task', task: { kind: 'generator', ...generated } },
          name: nameOfGenerated(generated),
        }
      );
    },
  };
}

async function chooseFile(): Promise<ChosenPairs | undefined> {
  const [uri] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Choose a Task File'),
      filters: { [vscode.l10n.t('Task')]: ['jsonl'] },
    })) ?? [];
  return uri && taskOf(uri);
}

/** The task of a file. The engine reads it from disk, so what is being written is saved first. */
async function taskOf(uri: vscode.Uri): Promise<ChosenPairs | undefined> {
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === uri.toString());
  if (document?.isDirty && !(await document.save())) return undefined;
  // An untitled task has another address once it is saved.
  const saved = uri.scheme === 'untitled' ? vscode.window.activeTextEditor?.document.uri : uri;
  if (saved?.scheme !== 'file') {
    const reason = vscode.l10n.t('save it in a folder of this machine first');
    throw new EngineError('request.invalid', { what: basename(uri.path), reason });
  }
  return {
    pairs: { kind: 'task', task: { kind: 'file', path: saved.fsPath } },
    name: basename(saved.path, '.task.jsonl'),
    uri: saved.toString(),
  };
}
