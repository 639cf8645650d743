/** Asks for a token that could follow the prompt: one the model thinks of, or any that is typed. */

import * as vscode from 'vscode';
import type { Prediction } from '../../shared/analysis.ts';
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
  /** Tokens of the prompt that are offered before the model's guesses. */
  readonly promptWords?: readonly string[];
}

/** The chosen token's text; nothing when the user backs out. */
export function pickAnswer(options: PickAnswerOptions): Promise<string | undefined> {
  const pick = vscode.window.createQuickPick<AnswerItem>();
  pick.title = options.title;
  pick.placeholder = options.placeholder;
  pick.step = options.step;
  pick.totalSteps = options.totalSteps;
  pick.items = answerItems(options, '');
  pick.onDidChangeValue((value) => {
    pick.items = answerItems(options, value);
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

/** What can be chosen after `typed`: words of the prompt, the model's own guesses, and what was typed as a new word or exactly. */
export function answerItems(
  { suggestions, promptWords = [] }: Pick<PickAnswerOptions, 'suggestions' | 'promptWords'>,
  typed: string,
): AnswerItem[] {
  const ofPrompt = promptWords.map((text) => ({
    label: quoteToken(text),
    description: vscode.l10n.t('in the prompt'),
    answer: text,
  }));
  const guesses = suggestions
    .filter(({ text }) => !promptWords.includes(text))
    .map(({ text, probability }) => ({
      label: quoteToken(text),
      description: formatProbability(probability),
      answer: text,
    }));
  const known = [...ofPrompt, ...guesses];
  const wanted = typed.trim() === '' ? [] : [...new Set([` ${typed.trim()}`, typed])];
  const own = wanted
    .filter((answer) => !known.some((item) => item.answer === answer))
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

/**
 * Words of the prompt that could be the wrong answer: whole-word tokens in their order, names (capitals) first,
 * since a name's rival is usually another name.
 */
export function promptWords(tokens: readonly { readonly text: string }[], excluded: string): string[] {
  const words = [...new Set(tokens.map(({ text }) => text))].filter(
    (text) => /^ \p{L}{2,}$/u.test(text) && text !== excluded,
  );
  const isName = (text: string): boolean => /^ \p{Lu}/u.test(text);
  return [...words.filter(isName), ...words.filter((text) => !isName(text))].slice(0, 8);
}
