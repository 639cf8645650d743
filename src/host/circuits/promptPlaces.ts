/** Where the prompts of circuits stand in open editors: the prompt that is looked at, or a line of a task's file. */

import * as vscode from 'vscode';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import type { PromptSession } from '../promptSession.ts';
import { tokenBeforeCaret } from '../tokenAt.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** Documents beyond this size are not searched. */
const mostCharacters = 2_000_000;

/** Finds tokens of circuits in texts, and the selected token of a text in circuits. */
export class PromptPlaces extends Disposable {
  readonly onDidSelect;
  private readonly selected = this.own(new Emitter<void>());
  private place: { readonly document: vscode.TextDocument; readonly offset: number } | undefined;

  constructor(private readonly session: PromptSession) {
    super();
    this.onDidSelect = this.selected.event;
    this.own(
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
        const { document } = textEditor;
        const caret = selections[0]?.active;
        this.place = caret && { document, offset: document.offsetAt(caret) };
        this.selected.fire();
      }),
    );
  }

  /** The token of the circuit that is selected in an editor; −1 when there is none. */
  selectedToken({ graph }: OpenCircuit): number {
    if (graph.prompt === '' || graph.isAggregated) return -1;
    const { look, selected } = this.session;
    if (look?.prompt.text === graph.prompt) return selected;
    const { place } = this;
    if (!place || place.document.isClosed) return -1;
    const start = promptOffset(place.document, graph.prompt);
    if (start === undefined) return -1;
    const used = { start: 0, end: graph.prompt.length };
    const strip = { tokens: graph.tokens, used, truncated: false, exact: true };
    return tokenBeforeCaret(strip, place.offset - start);
  }

  /** The range of a token in a document that has the prompt's text somewhere. */
  rangeIn(document: vscode.TextDocument, { graph }: OpenCircuit, position: number): vscode.Range | undefined {
    const token = graph.tokens[position];
    const start = token && token.end > token.start ? promptOffset(document, graph.prompt) : undefined;
    if (!token || start === undefined) return undefined;
    return new vscode.Range(document.positionAt(start + token.start), document.positionAt(start + token.end));
  }

  /** Selects a token where the prompt is visible. */
  reveal(circuit: OpenCircuit, position: number): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const range = this.rangeIn(editor.document, circuit, position);
      if (!range) continue;
      editor.selection = new vscode.Selection(range.start, range.end);
      editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      return;
    }
  }
}

const found = new WeakMap<
  vscode.TextDocument,
  { version: number; places: Map<string, number | undefined> }
>();

/** Where the prompt begins in a document's text. Task files hold prompts as JSON: what needs no escape stands as it is. */
function promptOffset(document: vscode.TextDocument, prompt: string): number | undefined {
  if (prompt === '') return undefined;
  const known = found.get(document);
  const places = known?.version === document.version ? known.places : new Map<string, number | undefined>();
  if (!places.has(prompt)) {
    const text = document.getText();
    const at = text.length > mostCharacters ? -1 : text.indexOf(prompt);
    places.set(prompt, at < 0 ? undefined : at);
  }
  found.set(document, { version: document.version, places });
  return places.get(prompt);
}
