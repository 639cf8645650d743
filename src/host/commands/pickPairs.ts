/** Asks for the prompts of a circuit: a task's file, pairs that are written for it, or the prompt that is looked at with the one it is compared with. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import { formatNumber } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import { type PromptPairs, taskGenerators } from '../../shared/task.ts';
import type { CommandServices } from '../services.ts';
import { readTaskLine } from '../sweeps/findPrompt.ts';
import { choosePair, pairLabel } from './choosePair.ts';
import { nameOfGenerated, pickGenerated } from './pickGenerator.ts';
import { lastWords } from './promptTitle.ts';

/** Prompts to find a circuit on, with a name for people. */
export interface ChosenPairs {
  readonly pairs: PromptPairs;
  readonly name: string;
  /** The document that the prompts are in. */
  readonly uri?: string;
  /** Pairs of a task's file. */
  readonly size?: number;
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
  if (uri?.path.endsWith('.task.jsonl')) return taskOf(uri);
  const items = [...pairItems(services, title), ...(await taskItems()), generatedItem(title)];
  const chosen = await vscode.window.showQuickPick(items, {
    title,
    placeHolder: vscode.l10n.t('On which prompts?'),
    ignoreFocusOut: true,
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
  const { size } = chosen;
  const text = await vscode.window.showInputBox({
    title,
    prompt:
      size === undefined
        ? vscode.l10n.t('How many pairs of the task, at most? More pairs take longer.')
        : vscode.l10n.t('How many of its {0} pairs, at most? More pairs take longer.', formatNumber(size)),
    value: String(Math.max(1, Math.min(usual, size ?? usual))),
    ignoreFocusOut: true,
    validateInput: (value) =>
      /^[1-9]\d{0,4}$/.test(value.trim())
        ? undefined
        : vscode.l10n.t('Give a whole number from 1 to 99,999.'),
  });
  return text === undefined ? undefined : { ...chosen, pairs: { ...pairs, limit: Number(text) } };
}

/** The prompt that is looked at with another one; what is missing is asked for. */
function pairItems(services: CommandServices, title: string): PairsItem[] {
  const { prompt } = services.session;
  if (!prompt) return [];
  const choose = async (): Promise<ChosenPairs | undefined> => {
    const chosen = await choosePair(services, title);
    return chosen && { pairs: chosen.pairs, name: chosen.prompt.name, uri: chosen.prompt.uri };
  };
  return [{ label: pairLabel(services), description: `${prompt.name} “${lastWords(prompt.text)}”`, choose }];
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
      ...(isNested(uri) && { description: vscode.workspace.asRelativePath(uri) }),
      choose: () => taskOf(uri),
    })),
    { label: `$(folder-opened) ${vscode.l10n.t('Choose a Task File…')}`, choose: chooseFile },
  ];
}

/** Whether its path says more than its name. */
function isNested(uri: vscode.Uri): boolean {
  return vscode.workspace.asRelativePath(uri) !== basename(uri.path);
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
  const size = await countPairs(saved);
  return {
    pairs: { kind: 'task', task: { kind: 'file', path: saved.fsPath } },
    name: basename(saved.path, '.task.jsonl'),
    uri: saved.toString(),
    ...(size !== undefined && { size }),
  };
}

/** Lines that hold a pair; what is wrong with the file, the engine says. */
async function countPairs(uri: vscode.Uri): Promise<number | undefined> {
  try {
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
    return text.split('\n').filter((line, at) => readTaskLine(line, at)).length;
  } catch {
    return undefined;
  }
}
