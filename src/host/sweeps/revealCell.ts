/** The way from a cell back to the text: its token in the clean and in the corrupted prompt. */

import * as vscode from 'vscode';
import type { PromptComparison } from '../../shared/analysis.ts';
import { type CellPlace, cellPlace } from '../../shared/sweepCell.ts';
import { revealToken } from '../editor/revealToken.ts';
import { requireModelOf } from '../requireModelOf.ts';
import type { CommandServices, Services } from '../services.ts';
import { findInText, firstTaskLine, roleRange, type TaskLine, type TextRange } from './findPrompt.ts';
import { foundWith, type SweepRecord } from './sweepRecord.ts';

type RevealServices = Pick<Services, 'session' | 'documents' | 'engine' | 'models'>;
type Side = 'clean' | 'corrupted';

/** The prompts a sweep is about, or the first pair of its task. */
export interface SweptPair {
  readonly clean: string;
  readonly corrupted: string;
  /** The line it was read from, when the sweep is about a task. */
  readonly line?: TaskLine;
}

/** What a cell of the current sweep stands for. */
export function placeOfCell({ question, outline }: SweepRecord, cell: number): CellPlace | undefined {
  const isThere = outline && Number.isInteger(cell) && cell >= 0;
  return isThere ? cellPlace(question, outline.axes, cell) : undefined;
}

/** The prompts to show cells in; nothing when the task's file is gone or has no pair. */
export async function sweptPair({ question, places }: SweepRecord): Promise<SweptPair | undefined> {
  const { pairs } = question;
  if (pairs.kind === 'pair') return pairs;
  const document = await openDocument(places.clean);
  const line = document && firstTaskLine(document.getText().split('\n'));
  return line && { clean: line.clean, corrupted: line.corrupted, line };
}

/**
 * Selects the cell's token in the editor; a cell of all positions shows the prompt. Answers whether it was found.
 * @throws request.invalid when another model is open, whose tokens may be others
 */
export async function revealCell(
  services: RevealServices,
  record: SweepRecord,
  place: CellPlace,
  side: Side = 'clean',
): Promise<boolean> {
  const pair = await sweptPair(record);
  if (!pair) return false;
  const position = place.position ?? place.source;
  if (position !== undefined) {
    const { models } = services;
    requireModelOf(foundWith(record), { ...(await models.ensure()), saes: models.saes }, 'The sweep');
  }
  const { prompt, look } = services.session;
  if (side === 'clean' && position !== undefined && prompt?.text === pair.clean && look) {
    await revealToken(services, position, true);
    return true;
  }
  const part = await partOf(services, pair, place, side);
  const uri = side === 'clean' ? record.places.clean : (record.places.corrupted ?? record.places.clean);
  const document = await openDocument(uri);
  const range = document && part && findInText(document.getText(), pair[side], side, part);
  if (!range) return false;
  await select(document, range);
  return true;
}

/** The characters of the prompt that a cell is about. */
async function partOf(
  { engine, models }: RevealServices,
  pair: SweptPair,
  { position, role, source }: CellPlace,
  side: Side,
): Promise<TextRange | undefined> {
  if (role !== undefined && pair.line && side === 'clean') return roleRange(pair.line, role);
  const at = position ?? source;
  if (at === undefined) return { start: 0, end: pair[side].length };
  const { id } = await models.ensure();
  const { clean, corrupted } = pair;
  const compared: PromptComparison = await engine.comparePrompts({ model: id, clean, corrupted });
  const token = compared[side].tokens[at];
  return token && { start: token.start, end: token.end };
}

async function select(document: vscode.TextDocument, { start, end }: TextRange): Promise<void> {
  const shown = vscode.window.visibleTextEditors.find((editor) => editor.document === document);
  const editor =
    shown ??
    (await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.One,
      preserveFocus: true,
    }));
  const range = new vscode.Range(document.positionAt(start), document.positionAt(end));
  editor.selection = new vscode.Selection(range.start, range.end);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/**
 * Makes the clean prompt of the sweep the one that is looked at, as attention and interventions want it. Answers false
 * when its text is nowhere to be found.
 */
export async function inspectSwept(
  { documents, session }: Pick<CommandServices, 'documents' | 'session'>,
  record: SweepRecord,
): Promise<boolean> {
  const pair = await sweptPair(record);
  if (!pair) return false;
  if (session.prompt?.text !== pair.clean) {
    const document = await documentWith(record, pair);
    const range = findInText(document.getText(), pair.clean, 'clean', { start: 0, end: pair.clean.length });
    if (!range) return false;
    const found = new vscode.Range(document.positionAt(range.start), document.positionAt(range.end));
    const isAll = range.start === 0 && range.end === document.getText().length;
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.One,
      preserveFocus: true,
    });
    documents.inspect(document, isAll ? undefined : new vscode.Selection(found.start, found.end));
  }
  await session.settled();
  return session.prompt?.text === pair.clean;
}

/** The prompt's own document, or a new one when it has none that holds the text as it is. */
async function documentWith({ places }: SweepRecord, { clean }: SweptPair): Promise<vscode.TextDocument> {
  const own = await openDocument(places.clean);
  if (own?.getText().includes(clean)) return own;
  return vscode.workspace.openTextDocument({ content: clean });
}

/** A document by its address; an untitled one can only be found. */
async function openDocument(uri: string | undefined): Promise<vscode.TextDocument | undefined> {
  if (uri === undefined) return undefined;
  const address = vscode.Uri.parse(uri, true);
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri);
  if (open || address.scheme === 'untitled') return open;
  return vscode.workspace.openTextDocument(address).then(
    (document) => document,
    () => undefined,
  );
}
