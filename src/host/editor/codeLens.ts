/** The line over the prompt: which model and SAE look at it, and what can be done next. */

import * as vscode from 'vscode';
import type { TokenStrip } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatSigned, formatToken, quoteToken } from '../../shared/format.ts';
import { commandLink, onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { plainTitle } from '../plainTitle.ts';
import type { Look } from '../prompt.ts';
import type { Services } from '../services.ts';
import { remedyFor, wordError } from '../wordError.ts';

/** Provides the lenses and tells VS Code when they changed. */
export class PromptCodeLens extends Disposable implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses;
  private readonly changed = this.own(new Emitter<void>());
  private shown = '';

  constructor(private readonly services: Pick<Services, 'session' | 'documents'>) {
    super();
    this.onDidChangeCodeLenses = this.changed.event;
    this.own(vscode.languages.registerCodeLensProvider('*', this));
    this.own(services.session.onDidChange((change) => change === 'state' && this.refresh()));
    this.own(onSettingChanged(['codeLensEnabled', 'promptFiles'], () => this.changed.fire()));
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (!readSetting('codeLensEnabled', document.uri)) return [];
    const isLookedAt = document === this.services.documents.document;
    if (!isLookedAt && !this.services.documents.isPrompt(document)) return [];
    const line = this.services.documents.rangeOf(document).start.line;
    const range = new vscode.Range(line, 0, line, 0);
    const links = isLookedAt ? this.links() : [inspectLink()];
    return links.map((link) => new vscode.CodeLens(range, link));
  }

  /** Lenses jump when they are asked for again, so this happens only when their text is another one. */
  private refresh(): void {
    if (this.services.session.computing && this.services.session.look) return;
    const now = JSON.stringify(this.links());
    if (now === this.shown) return;
    this.shown = now;
    this.changed.fire();
  }

  private links(): vscode.Command[] {
    const { session } = this.services;
    if (session.error !== undefined) return errorLinks(session.error);
    if (!session.look) return [commandLink('inspectDocument', vscode.l10n.t('Reading the prompt…'))];
    return [summaryLink(session.look, this.services), ...this.actionLinks(session.look)];
  }

  private actionLinks(look: Look): vscode.Command[] {
    const { session } = this.services;
    const contrast = session.contrast;
    const value = look.analysis.contrast;
    const contrastTitle = contrast
      ? `${quoteToken(contrast.answer)} − ${quoteToken(contrast.wrong)} ${value === undefined ? '' : formatSigned(value)}`
      : vscode.l10n.t('Set Contrast');
    const compareTitle = session.other
      ? vscode.l10n.t('Compared With {0}', session.other.name)
      : vscode.l10n.t('Compare');
    return [
      commandLink('comparePrompts', compareTitle),
      commandLink('sweepPatches', vscode.l10n.t('Sweep')),
      commandLink('findCircuit', vscode.l10n.t('Find Circuit')),
      commandLink('setContrast', contrastTitle.trim()),
    ];
  }
}

function summaryLink(look: Look, { session }: Pick<Services, 'session'>): vscode.Command {
  const { strip } = look.analysis;
  const count = countTokens(strip);
  const parts = [look.model.name, session.models.sae?.name ?? vscode.l10n.t('no SAE'), count];
  const changes = session.interventions.active.length;
  if (changes === 1) parts.push(vscode.l10n.t('1 intervention'));
  if (changes > 1) parts.push(vscode.l10n.t('{0} interventions', changes));
  if (look.prompt.narrowed) parts.push(vscode.l10n.t('selection only'));
  if (strip.truncated) {
    const used = strip.used.end - strip.used.start;
    parts.push(vscode.l10n.t('context full: {0} of {1} characters used', used, look.prompt.text.length));
  }
  return {
    ...commandLink('inspectDocument', `$(eye) ${parts.map(plainTitle).join(' · ')}`),
    tooltip: vscode.l10n.t('Open the token panel'),
  };
}

function countTokens({ tokens }: TokenStrip): string {
  const before = tokens.find(({ special }) => special);
  if (before) return vscode.l10n.t('{0} tokens with {1}', tokens.length, formatToken(before.text));
  return tokens.length === 1 ? vscode.l10n.t('1 token') : vscode.l10n.t('{0} tokens', tokens.length);
}

function inspectLink(): vscode.Command {
  return commandLink('inspectDocument', `$(eye) ${vscode.l10n.t('Inspect With Fovea')}`);
}

function errorLinks(error: unknown): vscode.Command[] {
  if (isEngineError(error, 'prompt.empty')) return [commandLink('inspectDocument', wordError(error))];
  const { title, command } = remedyFor(error);
  return [
    commandLink('inspectDocument', `$(warning) ${plainTitle(wordError(error))}`),
    commandLink(command, title),
  ];
}
