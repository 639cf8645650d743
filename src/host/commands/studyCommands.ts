/** Study Indirect Objects: asks on which pairs and how thoroughly, says what that takes, and runs it in the study panel. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { ModelInfo } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type { IoiStudyRequest } from '../../shared/study.ts';
import type { StudyEstimate } from '../../shared/studyApi.ts';
import type { TaskSource } from '../../shared/task.ts';
import { runCommand } from '../contributions.ts';
import { taskFiles } from '../editor/taskDiagnostics.ts';
import { modelMismatch, requireModelOf } from '../requireModelOf.ts';
import type { CommandServices } from '../services.ts';
import type { StudyQuestion } from '../studies/keptStudy.ts';
import { roughTime } from '../studies/roughTime.ts';
import { wordError } from '../wordError.ts';
import { watched } from './watchStudy.ts';

/** Pairs that are written: means need several for each of the generator's templates. */
const usualPairs = methodDefaults.studyPairs;

interface SourceItem extends vscode.QuickPickItem {
  readonly take: () => Promise<{ readonly task: TaskSource; readonly source: string } | 'resume' | undefined>;
}

interface SizeItem extends vscode.QuickPickItem {
  readonly request: IoiStudyRequest;
  estimate?: StudyEstimate;
}

/** Asks little, and runs the study; the panel shows how far it is. */
export async function studyIndirectObjects(services: CommandServices): Promise<void> {
  const { models, studies, studyPanel } = services;
  studies.restore();
  const model = await models.ensure();
  const source = await pickSource(services);
  if (source === undefined) return;
  if (source === 'resume') return resumeStudy(services);
  const chosen = await pickSize(services, model, source.task);
  if (!chosen || !(await mayBegin(services))) return;
  const { request, estimate } = chosen;
  const { name, hash, bos } = model;
  const question: StudyQuestion = {
    ...source,
    model: { name, hash },
    bos,
    request,
    ...(estimate && { estimate: estimate.seconds }),
  };
  studyPanel.show();
  await watched(services, () => studies.start(model, question));
}

/** Goes on with the study that was stopped, when the model is the one that it is about. */
export async function resumeStudy(services: CommandServices): Promise<void> {
  const { models, studies, studyPanel } = services;
  const { foundWith, question } = studies;
  if (!question || !foundWith || !studies.canResume) return;
  const model = await models.ensure();
  const mismatch = modelMismatch(foundWith, model);
  if (mismatch?.kind === 'bos') requireModelOf(foundWith, model, 'The study', 'or study anew');
  if (mismatch) {
    const text = vscode.l10n.t(
      'This study is of {0}. Choose that model to go on, or study {1} anew.',
      question.model.name,
      model.name,
    );
    const [choose, anew] = [vscode.l10n.t('Choose Model…'), vscode.l10n.t('Study Anew…')];
    const chosen = await vscode.window.showInformationMessage(text, choose, anew);
    if (chosen === choose) await runCommand('chooseModel');
    if (chosen === anew) await runCommand('studyIndirectObjects');
    return;
  }
  studyPanel.show();
  await watched(services, () => studies.resume(model));
}

/** Asks before a study stops, or goes for good that was not saved. */
async function mayBegin({ studies }: CommandServices): Promise<boolean> {
  const { atWork, nextLost } = studies;
  const words: string[] = [];
  if (atWork) {
    const { model, source } = atWork.question;
    words.push(
      vscode.l10n.t('The study of {0} on {1} is running. It stops, and can go on later.', model.name, source),
    );
  }
  if (nextLost) {
    const { model, source } = nextLost.question;
    const text = nextLost.isDone
      ? vscode.l10n.t(
          'The oldest study, of {0} on {1}, is given up. Its report was not saved.',
          model.name,
          source,
        )
      : vscode.l10n.t(
          'The oldest study, of {0} on {1}, is given up. It is not finished.',
          model.name,
          source,
        );
    words.push(text);
  }
  if (words.length === 0) return true;
  const begin = vscode.l10n.t('Begin');
  const detail = words.join('\n');
  const title = vscode.l10n.t('Begin another study?');
  return (await vscode.window.showWarningMessage(title, { modal: true, detail }, begin)) === begin;
}

async function pickSource({ studies }: CommandServices): Promise<Awaited<ReturnType<SourceItem['take']>>> {
  const items: SourceItem[] = [];
  const { question } = studies;
  if (studies.canResume && question) {
    const { finished, stages } = studies;
    items.push({
      label: `$(debug-continue) ${vscode.l10n.t('Go On With the Stopped Study')}`,
      description: question.model.name,
      detail: vscode.l10n.t(
        '{0}, {1} of {2} steps are done',
        question.source,
        finished.length,
        stages.length,
      ),
      take: async () => 'resume',
    });
  }
  items.push({
    label: `$(sparkle) ${vscode.l10n.t('Generated Pairs')}`,
    description: vscode.l10n.t('{0} pairs', usualPairs),
    detail: vscode.l10n.t('When Mary and John went to the store, John gave a drink to — Mary'),
    take: async () => generated(usualPairs),
  });
  const editor = vscode.window.activeTextEditor;
  if (editor && vscode.languages.match(taskFiles, editor.document) > 0) {
    items.push({
      label: `$(file) ${basename(editor.document.uri.fsPath)}`,
      description: vscode.l10n.t('the task in the editor'),
      detail: vscode.l10n.t('Its pairs need the roles IO, S1, S1+1, S2 and END'),
      take: () => savedTask(editor.document),
    });
  }
  items.push({
    label: `$(edit) ${vscode.l10n.t('Another Number of Pairs…')}`,
    alwaysShow: true,
    take: async () => {
      const count = await askCount();
      return count === undefined ? undefined : generated(count);
    },
  });
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Study Indirect Objects (1/2)'),
    placeHolder: vscode.l10n.t('On which pairs of prompts?'),
    matchOnDetail: true,
  });
  return chosen?.take();
}

function generated(count: number): { readonly task: TaskSource; readonly source: string } {
  return {
    task: { kind: 'generator', name: 'ioi', count, seed: methodDefaults.seed },
    source: vscode.l10n.t('{0} generated pairs', count),
  };
}

/** The engine reads the file, so it has to be on the disk as it is on the screen. */
async function savedTask(
  document: vscode.TextDocument,
): Promise<{ readonly task: TaskSource; readonly source: string } | undefined> {
  const uri =
    document.isDirty || document.isUntitled ? await vscode.workspace.save(document.uri) : document.uri;
  return uri && { task: { kind: 'file', path: uri.fsPath }, source: basename(uri.fsPath) };
}

async function askCount(): Promise<number | undefined> {
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Study Indirect Objects'),
    prompt: vscode.l10n.t('How many pairs? Means need several for each template; the paper has hundreds.'),
    value: '200',
    validateInput: (value) =>
      /^\d{1,5}$/.test(value.trim()) && Number(value) >= 8 && Number(value) <= 10_000
        ? undefined
        : vscode.l10n.t('Give a whole number from 8 to 10,000.'),
  });
  return text === undefined ? undefined : Number(text);
}

/** How thoroughly; what each choice takes is filled in as soon as it is measured. */
async function pickSize(
  { engine }: CommandServices,
  model: ModelInfo,
  task: TaskSource,
): Promise<SizeItem | undefined> {
  const items = sizeItems();
  const controller = new AbortController();
  const pick = vscode.window.createQuickPick<SizeItem>();
  pick.title = vscode.l10n.t('Study Indirect Objects (2/2)');
  pick.placeholder = vscode.l10n.t('How thoroughly?');
  pick.items = items;
  pick.busy = true;
  const estimating = (async () => {
    for (const item of items) {
      const request = { ...item.request, model: model.id, task };
      item.estimate = await engine.estimateIndirectObjects(request, { signal: controller.signal });
      item.description = describeEstimate(item.estimate);
      const active = pick.activeItems;
      pick.items = [...items];
      pick.activeItems = active;
    }
  })();
  try {
    return await new Promise<SizeItem | undefined>((resolve, reject) => {
      pick.onDidAccept(() => resolve(pick.selectedItems[0]));
      pick.onDidHide(() => resolve(undefined));
      estimating.then(
        () => {
          pick.busy = false;
        },
        // Pairs that cannot be studied are told at once.
        (error: unknown) => (isEngineError(error, 'cancelled') ? undefined : reject(error)),
      );
      pick.show();
    });
  } finally {
    controller.abort();
    pick.dispose();
  }
}

function sizeItems(): SizeItem[] {
  const quick = {
    pathPairs: 40,
    circuitPairs: 16,
    copyPairs: 20,
    randomSets: 10,
    greedy: { runs: 1, steps: 5, candidates: 5 },
  };
  return [
    {
      label: vscode.l10n.t('Quick'),
      detail: vscode.l10n.t('40 pairs for paths, 16 for the circuit: a first look'),
      request: quick,
    },
    {
      label: vscode.l10n.t('Thorough'),
      detail: vscode.l10n.t('200 pairs for paths as in the paper, 40 for the circuit and its criteria'),
      request: {},
    },
    {
      label: vscode.l10n.t('Heads Only'),
      detail: vscode.l10n.t('200 pairs for paths; classes and signals, without a circuit'),
      request: { circuit: false },
    },
  ];
}

function describeEstimate({ seconds, bytes }: StudyEstimate): string {
  return vscode.l10n.t('about {0}, {1} beside the weights', roughTime(seconds), formatBytes(bytes));
}

/** What ended a study before its time, in words; nothing when it was cancelled. */
export function failureOf(error: unknown): string | undefined {
  return error === undefined ? undefined : wordError(error);
}
