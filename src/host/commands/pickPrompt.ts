/** Asks for another prompt: an open document, a prompt file of the workspace, a line of this one, or typed text. */

import * as vscode from 'vscode';
import { readSetting } from '../contributions.ts';
import type { OtherPrompt } from '../prompt.ts';
import type { Services } from '../services.ts';

/** At most this many files of the workspace are offered. */
const mostFiles = 50;

/** Longer texts are no prompts. */
const longestText = 100_000;

interface PromptItem extends vscode.QuickPickItem {
  readonly read?: () => Promise<OtherPrompt | undefined>;
}

/** The chosen prompt; nothing when the user backs out. */
export async function pickPrompt(
  services: Pick<Services, 'session' | 'documents'>,
  title: string,
): Promise<OtherPrompt | undefined> {
  const chosen = await vscode.window.showQuickPick(promptItems(services), {
    title,
    placeHolder: vscode.l10n.t('Choose another prompt'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return chosen?.read?.();
}

async function promptItems({
  session,
  documents,
}: Pick<Services, 'session' | 'documents'>): Promise<PromptItem[]> {
  const current = documents.document;
  const items: PromptItem[] = [];
  const { other } = session;
  if (other) items.push(textItem(other.name, other.text, other.uri, vscode.l10n.t('compared now')));
  items.push({
    label: `$(edit) ${vscode.l10n.t('Type a Prompt…')}`,
    alwaysShow: true,
    read: () => typePrompt(session.prompt?.text ?? ''),
  });
  if (current)
    items.push(
      ...withHeading(vscode.l10n.t('Lines of this document'), lineItems(current, session.prompt?.text)),
    );
  const open = vscode.workspace.textDocuments.filter(
    (document) => document !== current && isReadable(document) && document.getText().trim() !== '',
  );
  const shown = new Set([current, ...open].map((document) => document?.uri.toString()));
  const prompts = open.filter((document) => documents.isPrompt(document));
  const others = open.filter((document) => !documents.isPrompt(document));
  const files = [...prompts.map(documentItem), ...(await fileItems(shown))];
  items.push(...withHeading(vscode.l10n.t('Prompts'), files));
  items.push(...withHeading(vscode.l10n.t('Other open documents'), others.map(documentItem)));
  return items;
}

function documentItem(document: vscode.TextDocument): PromptItem {
  return textItem(nameOf(document.uri), document.getText(), document.uri.toString());
}

function lineItems(document: vscode.TextDocument, text: string | undefined): PromptItem[] {
  const items: PromptItem[] = [];
  for (let line = 0; line < Math.min(document.lineCount, 200); line++) {
    const content = document.lineAt(line).text;
    if (content.trim() === '' || content === text) continue;
    items.push(textItem(vscode.l10n.t('line {0}', line + 1), content, document.uri.toString()));
  }
  return items;
}

async function fileItems(shown: ReadonlySet<string | undefined>): Promise<PromptItem[]> {
  const glob = readSetting('promptFiles').trim();
  if (glob === '') return [];
  const files = await vscode.workspace.findFiles(glob, undefined, mostFiles);
  return files
    .filter((file) => !shown.has(file.toString()))
    .sort((one, other) => one.path.localeCompare(other.path))
    .map((file) => ({
      label: nameOf(file),
      read: async () => {
        const document = await vscode.workspace.openTextDocument(file);
        return { name: nameOf(file), text: document.getText(), uri: file.toString() };
      },
    }));
}

function textItem(name: string, text: string, uri: string | undefined, description?: string): PromptItem {
  const shortText = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return {
    label: name,
    description,
    detail: shortText.replace(/\s+/g, ' '),
    read: async () => ({ name, text: text.slice(0, longestText), uri }),
  };
}

async function typePrompt(start: string): Promise<OtherPrompt | undefined> {
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Type a Prompt'),
    prompt: vscode.l10n.t(
      'Change the words whose effect you want to see; keep the number of tokens to compare position by position.',
    ),
    value: start.replace(/[\r\n]+$/, ''),
    validateInput: (value) => (value === '' ? vscode.l10n.t('Type at least one character.') : undefined),
  });
  return text ? { name: vscode.l10n.t('typed prompt'), text } : undefined;
}

function withHeading(heading: string, items: readonly PromptItem[]): PromptItem[] {
  if (items.length === 0) return [];
  return [{ label: heading, kind: vscode.QuickPickItemKind.Separator }, ...items];
}

function isReadable(document: vscode.TextDocument): boolean {
  return ['file', 'untitled', 'vscode-remote', 'vscode-vfs'].includes(document.uri.scheme);
}

function nameOf(uri: vscode.Uri): string {
  return vscode.workspace.asRelativePath(uri, false);
}
