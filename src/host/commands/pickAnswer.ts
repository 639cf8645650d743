/** Asks for a token that could follow the prompt: one the model thinks of, or any that is typed. */

import * as vscode from 'vscode';
import type { Prediction } from '../../shared/domain.ts';
import { formatProbability, quoteToken } from '../../shared/format.ts';

interface AnswerItem extends vscode.QuickPickItem {
  readonly answer: string;
}

/** How to ask. */
export interface PickAnswerOptions {
  readonly title: string;
  readonly placeholder: string;
  readonly step: number;
  readonly totalSteps: number;
  readonly suggestions: readonly Prediction[];
}

/** The chosen token's text; nothing when the user backs out. */
export function pickAnswer(options: PickAnswerOptions): Promise<string | undefined> {
  const pick = vscode.window.createQuickPick<AnswerItem>();
  pick.title = options.title;
  pick.placeholder = options.placeholder;
  pick.step = options.step;
  pick.totalSteps = options.totalSteps;
  pick.items = answerItems(options.suggestions, '');
  pick.onDidChangeValue((value) => {
    pick.items = answerItems(options.suggestions, value);
  });
  return new Promise((resolve) => {
    pick.onDidAccept(() => {
      resolve(pick.selectedItems[0]?.answer);
      pick.hide();
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}

/** What can be chosen after `typed`: it as a new word, exactly as it is, and the model's own guesses. */
export function answerItems(suggestions: readonly Prediction[], typed: string): AnswerItem[] {
  const known = suggestions.map(({ text, probability }) => ({
    label: quoteToken(text),
    description: formatProbability(probability),
    answer: text,
  }));
  const wanted = typed.trim() === '' ? [] : [...new Set([` ${typed.trim()}`, typed])];
  const own = wanted
    .filter((answer) => !suggestions.some(({ text }) => text === answer))
    .map((answer) => ({
      label: quoteToken(answer),
      description: answer.startsWith(' ')
        ? vscode.l10n.t('as a new word')
        : vscode.l10n.t('joined to the word before'),
      answer,
      alwaysShow: true,
    }));
  return [...known, ...own];
}
