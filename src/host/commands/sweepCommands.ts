/** Sweep Patches: finds the pair or the task, asks what to patch, and plans it in the sweep panel. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { taskGenerators } from '../../shared/task.ts';
import type { TaskCheck } from '../../shared/taskApi.ts';
import { taskFiles } from '../editor/taskDiagnostics.ts';
import type { CommandServices } from '../services.ts';
import { commonRoles, firstTaskLine, readTaskLine, type TaskLine } from '../sweeps/findPrompt.ts';
import type { SweepPlaces, SweepRecord } from '../sweeps/sweepRecord.ts';
import { choosePair, pairLabel } from './choosePair.ts';
import { pickGenerated } from './pickGenerator.ts';
import { pickSweep, type SweptPairs } from './pickSweep.ts';

/** Pairs that are written unless the user says otherwise. */
const usualPairs = 32;

interface Swept extends SweptPairs {
  readonly places: SweepPlaces;
}

/**
 * Asks for everything and plans the sweep; it starts from the panel, where its estimate is.
 * @param given the address of an open task file, instead of the active editor
 */
export async function sweepPatches(services: CommandServices, given?: unknown): Promise<void> {
  const swept = await sweptPrompts(services, given);
  const question = swept && (await pickSweep(services, swept));
  if (swept && question) await planSweep(services, question, swept.places);
}

/** Asks for another sweep of the prompts of the one that is shown. */
export async function changeSweep(services: CommandServices, record: SweepRecord): Promise<void> {
  const { question, places } = record;
  const { pairs } = question;
  const roles = pairs.kind === 'task' ? rolesOf(question) : undefined;
  const other = await pickSweep(services, { pairs, roles });
  if (other) await planSweep(services, { ...other, metric: question.metric }, places);
}

/** Plans a sweep and shows it. */
export async function planSweep(
  { models, sweepPanel, sweeps }: CommandServices,
  question: SweepQuestion,
  places: SweepPlaces,
): Promise<void> {
  const model = await models.ensure();
  sweepPanel.show();
  await sweeps.plan(question, model, places);
}

/** The prompts of the active editor: a task's pairs, or a prompt and the one it is compared with. */
async function sweptPrompts(services: CommandServices, given: unknown): Promise<Swept | undefined> {
  const address = given instanceof vscode.Uri ? given.toString() : undefined;
  const shown = vscode.window.visibleTextEditors;
  const named = shown.find(({ document }) => document.uri.toString() === address);
  const editor = named ?? vscode.window.activeTextEditor;
  if (editor && vscode.languages.match(taskFiles, editor.document) > 0) return sweptTask(services, editor);
  // A link over a prompt means that prompt.
  if (address !== undefined) return sweptPair(services);
  const pair: SweptItem = {
    label: pairLabel(services),
    sweep: () => sweptPair(services),
  };
  return pickSwept([pair, generatedItem(services)]);
}

interface SweptItem extends vscode.QuickPickItem {
  readonly sweep: () => Promise<Swept | undefined>;
}

async function pickSwept(items: readonly SweptItem[]): Promise<Swept | undefined> {
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Sweep Patches'),
    placeHolder: vscode.l10n.t('Which prompts'),
    matchOnDescription: true,
  });
  return chosen?.sweep();
}

function generatedItem(services: CommandServices): SweptItem {
  return {
    label: `$(sparkle) ${vscode.l10n.t('Generated Pairs…')}`,
    description: taskGenerators.join(', '),
    sweep: () => sweptGenerated(services),
  };
}

/** Pairs that are written for the sweep; those of several templates have no positions in common, but roles. */
async function sweptGenerated({ engine, models }: CommandServices): Promise<Swept | undefined> {
  const generated = await pickGenerated({ title: vscode.l10n.t('Sweep Patches'), usual: usualPairs });
  if (!generated) return undefined;
  const { id: model } = await models.ensure();
  const { text } = await engine.generateTask({ ...generated, model });
  const roles = commonRoles(text.split('\n'));
  return {
    pairs: { kind: 'task', task: { kind: 'generator', ...generated } },
    ...(roles.length > 0 && { roles }),
    places: {},
  };
}

async function sweptPair(services: CommandServices): Promise<Swept | undefined> {
  const chosen = await choosePair(services, vscode.l10n.t('Sweep Patches'));
  return chosen && { pairs: chosen.pairs, places: { clean: chosen.prompt.uri, corrupted: chosen.other.uri } };
}

async function sweptTask(services: CommandServices, editor: vscode.TextEditor): Promise<Swept | undefined> {
  const { document, selection } = editor;
  const lines = document.getText().split('\n');
  const here = readTaskLine(lines[selection.active.line] ?? '', selection.active.line);
  const line = here ?? firstTaskLine(lines, selection.active.line) ?? firstTaskLine(lines);
  if (!line) {
    const reason = 'it has no pair yet; write a line with clean, corrupted, answer and wrongAnswer';
    throw new EngineError('request.invalid', { what: 'The task', reason });
  }
  const number = lines.filter((text, at) => readTaskLine(text, at)).length;
  const usable = await usablePairs(services, document);
  const one: SweptItem = {
    label: vscode.l10n.t('The pair on line {0}', line.line + 1),
    description: line.clean,
    sweep: async () => onePair(document, line),
  };
  const all: SweptItem = {
    label: vscode.l10n.t('All {0} pairs', number),
    description: isShort(usable)
      ? vscode.l10n.t('only {0} of {1} can be used', usable.pairs, usable.lines)
      : vscode.l10n.t('mean over the task'),
    sweep: () => wholeTask(document, lines, isShort(usable) ? usable.lines : undefined),
  };
  return pickSwept([one, all, generatedItem(services)]);
}

function onePair(document: vscode.TextDocument, line: TaskLine): Swept {
  const { clean, corrupted, answers, wrongAnswers } = line;
  const places = { clean: document.uri.toString(), corrupted: document.uri.toString() };
  return { pairs: { kind: 'pair', clean, corrupted, answers, wrongAnswers }, places };
}

type Usable = Pick<TaskCheck, 'pairs' | 'lines'>;

/** How many pairs of the text the model can run; nothing when the text cannot be checked, which the engine tells later. */
async function usablePairs(
  { engine, models }: CommandServices,
  document: vscode.TextDocument,
): Promise<Usable | undefined> {
  const { id: model } = await models.ensure();
  const file = { text: document.getText(), name: basename(document.uri.path) };
  return engine.checkTask({ model, file, measure: 0 }).catch(() => undefined);
}

function isShort(usable: Usable | undefined): usable is Usable {
  return usable !== undefined && usable.pairs < usable.lines;
}

/** @param pairsOfFile see `SweepPlaces.pairsOfFile` */
async function wholeTask(
  document: vscode.TextDocument,
  lines: readonly string[],
  pairsOfFile: number | undefined,
): Promise<Swept | undefined> {
  // The engine reads the file, so it has to be on the disk as it is on the screen.
  if (document.isDirty || document.isUntitled) {
    const saved = await vscode.workspace.save(document.uri);
    if (!saved) return undefined;
    return taskAt(saved, lines, pairsOfFile);
  }
  return taskAt(document.uri, lines, pairsOfFile);
}

function taskAt(uri: vscode.Uri, lines: readonly string[], pairsOfFile: number | undefined): Swept {
  const roles = commonRoles(lines);
  return {
    pairs: { kind: 'task', task: { kind: 'file', path: uri.fsPath } },
    ...(roles.length > 0 && { roles }),
    places: { clean: uri.toString(), ...(pairsOfFile !== undefined && { pairsOfFile }) },
  };
}

function rolesOf(question: SweepQuestion): readonly string[] | undefined {
  if (question.method === 'path' || question.target.kind !== 'sweep') return undefined;
  return question.target.roles;
}
