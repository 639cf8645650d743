/** Heat on the text of the prompt, the outline of the token under the cursor, and tokens lit up from the circuit. */

import * as vscode from 'vscode';
import { onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { heatStep } from '../heat.ts';
import { heatColors, lineColors } from '../names.ts';
import type { Look } from '../prompt.ts';
import type { Services } from '../services.ts';

/** Paints the editors that show the prompt. */
export class Heatmap extends Disposable {
  private readonly palette = heatColors.map((color, step) => this.own(createHeat(color, step)));
  private readonly outline = this.own(createOutline());
  private readonly highlight = this.own(createHighlight());

  constructor(private readonly services: Pick<Services, 'session' | 'documents' | 'circuits' | 'places'>) {
    super();
    const { session, circuits } = services;
    this.own(session.onDidChange((change) => (change === 'state' ? this.paintAll() : this.paintOutlines())));
    this.own(circuits.onDidHover(() => this.paintHighlights()));
    this.own(vscode.window.onDidChangeVisibleTextEditors(() => this.paintAll()));
    this.own(onSettingChanged(['heatmapEnabled'], () => this.paintAll()));
  }

  private paintAll(): void {
    const { look, computing } = this.services.session;
    // While a newer text is computed the editor moves the old marks along with the text by itself.
    if (computing && look) return;
    for (const editor of vscode.window.visibleTextEditors) this.paintHeat(editor);
    this.paintOutlines();
    this.paintHighlights();
  }

  private paintHeat(editor: vscode.TextEditor): void {
    const look = this.lookFor(editor);
    const isShown = look !== undefined && readSetting('heatmapEnabled', editor.document.uri);
    const steps = isShown ? heatRanges(look, editor.document) : [];
    for (const [step, decoration] of this.palette.entries()) {
      editor.setDecorations(decoration, steps[step] ?? []);
    }
  }

  private paintOutlines(): void {
    const { selected } = this.services.session;
    for (const editor of vscode.window.visibleTextEditors) {
      const look = this.lookFor(editor);
      const range = look && tokenRange(look, editor.document, selected);
      editor.setDecorations(this.outline, range ? [range] : []);
    }
  }

  private paintHighlights(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const ranges = this.highlightsIn(editor);
      editor.setDecorations(
        this.highlight,
        ranges.filter((range) => range !== undefined),
      );
    }
  }

  /** Tokens of the node under the pointer: in the prompt that is looked at, or in another text that has the prompt. */
  private highlightsIn(editor: vscode.TextEditor): readonly (vscode.Range | undefined)[] {
    const { pointed } = this.services.circuits;
    if (!pointed) return [];
    const { document } = editor;
    const look = this.lookFor(editor);
    if (look?.prompt.text === pointed.graph.prompt) {
      return pointed.hoveredPositions.map((position) => tokenRange(look, document, position));
    }
    return pointed.hoveredPositions.map((position) =>
      this.services.places.rangeIn(document, pointed, position),
    );
  }

  private lookFor(editor: vscode.TextEditor): Look | undefined {
    const { session, documents } = this.services;
    return editor.document === documents.document ? session.look : undefined;
  }
}

/** The range of a token in its document. */
export function tokenRange(
  look: Look,
  document: vscode.TextDocument,
  position: number,
): vscode.Range | undefined {
  const token = look.analysis.strip.tokens[position];
  if (!token || token.start === token.end) return undefined;
  return new vscode.Range(
    document.positionAt(look.prompt.start + token.start),
    document.positionAt(look.prompt.start + token.end),
  );
}

/** Ranges by step of the scale, weakest first. Only chosen features color the text. */
function heatRanges(look: Look, document: vscode.TextDocument): vscode.DecorationOptions[][] {
  const steps: vscode.DecorationOptions[][] = heatColors.map(() => []);
  const { heat } = look;
  if (heat?.kind !== 'pinned') return steps;
  for (let position = 0; position < heat.values.length; position++) {
    const value = heat.values[position] ?? 0;
    const range = tokenRange(look, document, position);
    const step = heatStep(value, heat.max);
    if (range && step > 0) steps[step - 1]?.push({ range });
  }
  return steps;
}

function createHeat(color: string, step: number): vscode.TextEditorDecorationType {
  // The line under the text grows with the heat, so that color is not the only sign of it.
  const thickness = 1 + Math.floor(step / 3);
  return vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor(color),
    borderColor: new vscode.ThemeColor(lineColors.heat),
    borderStyle: 'solid',
    borderWidth: `0 0 ${thickness}px 0`,
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}

function createOutline(): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    outline: '1px solid',
    outlineColor: new vscode.ThemeColor(lineColors.token),
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}

function createHighlight(): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('editor.wordHighlightStrongBackground'),
    border: '1px solid',
    borderColor: new vscode.ThemeColor(lineColors.token),
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}
