/**
 * Which document is the prompt: it follows the active editor, the settings and the Inspect command, and hands
 * the text to the session as it changes.
 */

import * as vscode from 'vscode';
import { onSettingChanged, readSetting, setContext } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import type { PromptSession } from '../promptSession.ts';
import { shiftRange, type TextRange } from './shiftRange.ts';

/** Follows prompts in editors. */
export class PromptDocuments extends Disposable {
  private current: vscode.TextDocument | undefined;
  /** Documents that were inspected by command, and the part that was meant (all of it: undefined). */
  private readonly inspected = new Map<string, TextRange | undefined>();

  constructor(private readonly session: PromptSession) {
    super();
    this.own(vscode.window.onDidChangeActiveTextEditor((editor) => this.followEditor(editor)));
    this.own(vscode.workspace.onDidChangeTextDocument((event) => this.documentChanged(event)));
    this.own(vscode.workspace.onDidCloseTextDocument((document) => this.documentClosed(document)));
    this.own(vscode.window.onDidChangeTextEditorSelection((event) => this.selectionChanged(event)));
    this.own(onSettingChanged(['promptFiles'], () => this.followEditor(vscode.window.activeTextEditor)));
  }

  /** Starts following what is open already. */
  start(): void {
    this.followEditor(vscode.window.activeTextEditor);
  }

  /** The document that is looked at. */
  get document(): vscode.TextDocument | undefined {
    return this.current;
  }

  /** An editor that shows the prompt. */
  get editor(): vscode.TextEditor | undefined {
    const active = vscode.window.activeTextEditor;
    if (active && active.document === this.current) return active;
    return vscode.window.visibleTextEditors.find((editor) => editor.document === this.current);
  }

  /** Whether a document counts as a prompt without being asked for. */
  isPrompt(document: vscode.TextDocument): boolean {
    if (this.inspected.has(document.uri.toString())) return true;
    const glob = readSetting('promptFiles', document.uri).trim();
    return glob !== '' && vscode.languages.match({ pattern: glob }, document) > 0;
  }

  /** Looks at a document, or at a part of it. */
  inspect(document: vscode.TextDocument, selection?: vscode.Selection): void {
    const range =
      selection && !selection.isEmpty
        ? { start: document.offsetAt(selection.start), end: document.offsetAt(selection.end) }
        : undefined;
    this.inspected.set(document.uri.toString(), range);
    this.look(document);
    const { editor } = this;
    if (editor) this.moveCaret(editor);
    this.updateContext();
  }

  /** Looks again at a document of an earlier session, unless another one is looked at already. */
  async reopen(uri: string): Promise<void> {
    const document = await findDocument(vscode.Uri.parse(uri, true));
    if (document && !this.current) this.inspect(document);
  }

  /** The document's text that is meant, as a range. */
  rangeOf(document: vscode.TextDocument): vscode.Range {
    const range = this.inspected.get(document.uri.toString());
    if (range) return new vscode.Range(document.positionAt(range.start), document.positionAt(range.end));
    const last = document.lineAt(document.lineCount - 1);
    return new vscode.Range(new vscode.Position(0, 0), last.range.end);
  }

  private followEditor(editor: vscode.TextEditor | undefined): void {
    this.updateContext();
    if (!editor || !this.isPrompt(editor.document)) return;
    this.look(editor.document);
    this.moveCaret(editor);
  }

  private look(document: vscode.TextDocument): void {
    const range = this.rangeOf(document);
    this.current = document;
    this.session.show({
      uri: document.uri.toString(),
      name: vscode.workspace.asRelativePath(document.uri, false),
      text: document.getText(range),
      start: document.offsetAt(range.start),
      narrowed: this.inspected.get(document.uri.toString()) !== undefined,
    });
  }

  private documentChanged(event: vscode.TextDocumentChangeEvent): void {
    if (event.contentChanges.length === 0) return;
    const key = event.document.uri.toString();
    const range = this.inspected.get(key);
    if (range) this.inspected.set(key, shiftRange(range, event.contentChanges));
    if (event.document === this.current) this.look(event.document);
  }

  private documentClosed(document: vscode.TextDocument): void {
    // Changing the language closes and reopens a document; the new one takes over.
    const reopened = vscode.workspace.textDocuments.find(
      (other) => other.uri.toString() === document.uri.toString() && !other.isClosed,
    );
    if (!reopened) this.inspected.delete(document.uri.toString());
    if (document !== this.current) return;
    if (reopened) {
      this.look(reopened);
      return;
    }
    this.current = undefined;
    this.session.show(undefined);
    this.updateContext();
  }

  private selectionChanged(event: vscode.TextEditorSelectionChangeEvent): void {
    if (event.textEditor.document === this.current) this.moveCaret(event.textEditor);
  }

  private moveCaret(editor: vscode.TextEditor): void {
    this.session.moveCaret(editor.document.offsetAt(editor.selection.end));
  }

  private updateContext(): void {
    const editor = vscode.window.activeTextEditor;
    setContext('promptActive', editor !== undefined && this.isPrompt(editor.document));
  }
}

/** An untitled document can only be found, since opening it would make an empty one. */
async function findDocument(uri: vscode.Uri): Promise<vscode.TextDocument | undefined> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  if (open || uri.scheme === 'untitled') return open;
  return vscode.workspace.openTextDocument(uri);
}
