/** Brings a token of the prompt into view: the way from panels back to the text. */

import * as vscode from 'vscode';
import type { Services } from '../services.ts';

/** Selects the token in the session and, when `reveal` is set, in the editor. */
export async function revealToken(
  { session, documents }: Pick<Services, 'session' | 'documents'>,
  position: number,
  reveal: boolean,
): Promise<void> {
  const range = session.selectToken(position);
  const { document } = documents;
  if (!range || !reveal || !document) return;
  const editor =
    documents.editor ??
    (await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.One,
      preserveFocus: true,
    }));
  const start = document.positionAt(range.start);
  const end = document.positionAt(range.end);
  editor.selection = new vscode.Selection(start, end);
  editor.revealRange(new vscode.Range(start, end), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}
