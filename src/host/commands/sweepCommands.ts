/** Sweep Patches: finds the pair or the task, asks what to patch, and plans it in the sweep panel. */

import * as vscode from 'vscode';
import { EngineError } from '../../shared/errors.ts';
import type { PromptPairs } from '../../shared/patchingApi.ts';
import type { SweepQuestion } from '../../shared/sweepViewApi.ts';
import { taskGenerators } from '../../shared/task.ts';
import { taskFiles } from '../editor/taskDiagnostics.ts';
import type { CommandServices } from '../services.ts';
import { commonRoles, firstTaskLine, readTaskLine, type TaskLine } from '../sweeps/findPrompt.ts';
import type { SweepPlaces, SweepRecord } from '../sweeps/sweepRecord.ts';
import { pickGenerated } from './pickGenerator.ts';
import { pickPrompt } from './pickPrompt.ts';
import { pickSweep, type SweptPairs } from './pickSweep.ts';
import { requirePrompt, setContrast } from './promptCommands.ts';

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
  const other = services.session.other?.name;
  const pair: SweptItem = {
    label: other
      ? vscode.l10n.t('This prompt and {0}', other)
      : vscode.l10n.t('This prompt and another one…'),
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
  const { session } = services;
  await requirePrompt(services);
  const { prompt } = session;
  if (!prompt) return undefined;
  const title = vscode.l10n.t('Sweep Patches');
  const other = session.other ?? (await pickPrompt(services, title));
  if (!other) return undefined;
  await requireSameLength(services, prompt.text, other.text);
  if (!session.other) session.compareWith(other);
  if (!session.contrast && !(await setContrast(services))) return undefined;
  const { contrast } = session;
  if (!contrast) return undefined;
  const pairs: PromptPairs = {
    kind: 'pair',
    clean: prompt.text,
    corrupted: other.text,
    answers: [contrast.answer],
    wrongAnswers: [contrast.wrong],
  };
  return { pairs, places: { clean: prompt.uri, corrupted: other.uri } };
}

/** Patching goes position by position. */
async function requireSameLength(
  { engine, models }: CommandServices,
  clean: string,
  corrupted: string,
): Promise<void> {
  const { id } = await models.ensure();
  const compared = await engine.comparePrompts({ model: id, clean, corrupted });
  if (compared.equalLength) return;
  const [here, there] = [compared.clean.tokens.length, compared.corrupted.tokens.length];
  throw new EngineError('request.invalid', {
    what: 'The corrupted prompt',
    reason: `it has ${there} tokens and the clean one ${here}; patching goes position by position, so change words for others of as many tokens`,
  });
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
  const one: SweptItem = {
    label: vscode.l10n.t('The pair on line {0}', line.line + 1),
    description: line.clean,
    sweep: async () => onePair(document, line),
  };
  const all: SweptItem = {
    label: vscode.l10n.t('All {0} pairs', number),
    description: vscode.l10n.t('mean over the task'),
    sweep: () => wholeTask(document, lines),
  };
  return pickSwept([one, all, generatedItem(services)]);
}

function onePair(document: vscode.TextDocument, line: TaskLine): Swept {
  const { clean, corrupted, answers, wrongAnswers } = line;
  const places = { clean: document.uri.toString(), corrupted: document.uri.toString() };
  return { pairs: { kind: 'pair', clean, corrupted, answers, wrongAnswers }, places };
}

async function wholeTask(
  document: vscode.TextDocument,
  lines: readonly string[],
): Promise<Swept | undefined> {
  // The engine reads the file, so it has to be on the disk as it is on the screen.
  if (document.isDirty || document.isUntitled) {
    const saved = await vscode.workspace.save(document.uri);
    if (!saved) return undefined;
    return taskAt(saved, lines);
  }
  return taskAt(document.uri, lines);
}

function taskAt(uri: vscode.Uri, lines: readonly string[]): Swept {
  const roles = commonRoles(lines);
  return {
    pairs: { kind: 'task', task: { kind: 'file', path: uri.fsPath } },
    ...(roles.length > 0 && { roles }),
    places: { clean: uri.toString() },
  };
}

function rolesOf(question: SweepQuestion): readonly string[] | undefined {
  if (question.method === 'path' || question.target.kind !== 'sweep') return undefined;
  return question.target.roles;
}
