/** Tells that work is done: in a notification that leads there when its panel is out of sight, else in the status bar, which covers nothing. */

import * as vscode from 'vscode';
import { plainMessage, plainTitle } from '../plainTitle.ts';

/** Where the result is to be seen. */
export interface Finished {
  /** Whether its panel is in sight and shows it. */
  readonly isSeen: boolean;
  readonly show: () => void;
}

/** Milliseconds that the status bar keeps the words. */
const told = 30_000;

/** Tells once; the button shows the result. */
export function tellFinished(words: string, { isSeen, show }: Finished): void {
  if (isSeen) {
    vscode.window.setStatusBarMessage(`$(check) ${plainTitle(words)}`, told);
    return;
  }
  const button = vscode.l10n.t('Show');
  void vscode.window.showInformationMessage(plainMessage(words), button).then((chosen) => {
    if (chosen === button) show();
  });
}
