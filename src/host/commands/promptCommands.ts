/** Commands about the prompt: look at it, choose what to compare, open the sample. */

import * as vscode from 'vscode';
import type { Contrast } from '../../shared/domain.ts';
import { EngineError, isEngineError } from '../../shared/errors.ts';
import { readSetting, writeSetting } from '../contributions.ts';
import { tokenRange } from '../editor/heatmap.ts';
import { promptLanguage } from '../names.ts';
import type { CommandServices } from '../services.ts';
import { pickAnswer, promptWords } from './pickAnswer.ts';
import { pickPrompt } from './pickPrompt.ts';
import { promptTitle } from './promptTitle.ts';

/** A prompt whose circuit the field knows: the model should name the person who did not act (Wang et al. 2022). */
const samplePrompt = 'When Mary and John went to the store, John gave a drink to';

/** Looks at the document of the active editor, or at its selection, and opens the token panel. */
export async function inspectDocument(services: CommandServices): Promise<void> {
  const { documents, session, tokensPanel } = services;
  const editor = vscode.window.activeTextEditor ?? documents.editor;
  if (!editor) {
    if (documents.document) return tokensPanel.show();
    const open = vscode.l10n.t('Open a Sample Prompt');
    const message = vscode.l10n.t('There is no text to inspect. Open a document, or start with the sample.');
    const chosen = await vscode.window.showInformationMessage(message, open);
    return chosen === open ? openSamplePrompt(services) : undefined;
  }
  if (!isSelectedToken(services, editor)) documents.inspect(editor.document, editor.selection);
  tokensPanel.show();
  await session.settled();
}

/** Whether the selection is the token that was chosen in a panel: nobody asked to look at this token alone. */
function isSelectedToken({ documents, session }: CommandServices, editor: vscode.TextEditor): boolean {
  const { look, selected } = session;
  if (!look || editor.document !== documents.document || editor.selection.isEmpty) return false;
  return tokenRange(look, editor.document, selected)?.isEqual(editor.selection) ?? false;
}

/** Opens the sample prompt and looks at it. */
export async function openSamplePrompt(services: CommandServices): Promise<void> {
  const document = await vscode.workspace.openTextDocument({
    language: promptLanguage,
    content: samplePrompt,
  });
  const editor = await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
  const end = document.lineAt(document.lineCount - 1).range.end;
  editor.selection = new vscode.Selection(end, end);
  await inspectDocument(services);
}

/** Asks for two answers to compare, in the name of the command that needs them. Answers whether a contrast is set now. */
export async function setContrast(
  services: CommandServices,
  command = vscode.l10n.t('Set Contrast'),
): Promise<boolean> {
  const contrast = await askContrast(services, command);
  if (!contrast) return false;
  services.session.setContrast(contrast);
  return true;
}

/** Compares the prompt with another one, in the token panel. */
export async function comparePrompts(services: CommandServices): Promise<void> {
  await requirePrompt(services);
  const title = promptTitle(vscode.l10n.t('Compare Prompts'), services.session.prompt);
  const other = await pickPrompt(services, title);
  if (!other) return;
  services.session.compareWith(other);
  services.tokensPanel.show();
  await services.session.settled();
}

/** Shows or hides the heat on the text. */
export function toggleHeatmap(): Promise<void> {
  const toggle = (): Promise<void> => writeSetting('heatmapEnabled', !readSetting('heatmapEnabled'));
  // One after the other: a setting is written late, and a second toggle must see what the first one made of it.
  lastToggle = lastToggle.then(toggle, toggle);
  return lastToggle;
}

let lastToggle: Promise<void> = Promise.resolve();

/** Throws a message that says what to do when no prompt is looked at; looks at the active document if there is one. */
export async function requirePrompt({ documents, session }: CommandServices): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!session.prompt && editor) documents.inspect(editor.document);
  if (!session.prompt) throw new EngineError('prompt.empty', {});
  await session.settled();
  if (session.error !== undefined) {
    // What failed may be over by now: a stopped engine starts again, a model may have come back.
    session.refresh();
    await session.settled();
  }
  if (session.error !== undefined) throw session.error;
}

async function askContrast(services: CommandServices, command: string): Promise<Contrast | undefined> {
  const { engine, models, session } = services;
  await requirePrompt(services);
  const model = await models.ensure();
  const text = session.prompt?.text ?? '';
  const suggestions = await engine.suggestAnswers({ model: model.id, text });
  const ask = (step: number, placeholder: string, excluded?: string): Promise<string | undefined> =>
    pickAnswer({
      title: promptTitle(command, session.prompt),
      placeholder,
      step,
      totalSteps: 2,
      suggestions: suggestions.filter((suggestion) => suggestion.text !== excluded),
      promptWords:
        excluded === undefined ? [] : promptWords(session.look?.analysis.strip.tokens ?? [], excluded),
    });
  const answer = await ask(1, vscode.l10n.t('The right answer: choose a next token or type one'));
  if (answer === undefined) return undefined;
  await requireOneToken(services, { answer, wrong: answer });
  const wrong = await ask(2, vscode.l10n.t('The wrong answer to compare it with'), answer);
  if (wrong === undefined) return undefined;
  const contrast = { answer, wrong };
  await requireOneToken(services, contrast);
  return contrast;
}

/** The engine knows what a token is: it is asked for the attribution of the contrast, which is cheap. */
async function requireOneToken({ engine, session }: CommandServices, contrast: Contrast): Promise<void> {
  try {
    await session.withRun(({ analysis }) => engine.residualAttribution({ run: analysis.run, contrast }));
  } catch (error) {
    if (isEngineError(error, 'answer.notOneToken')) throw error;
    // Other failures are no verdict on the answer; they show where the contrast is used.
  }
}
