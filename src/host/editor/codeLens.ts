/** The line over the prompt: which model and SAE look at it, and what can be done next. */

import * as vscode from 'vscode';
import { isEngineError } from '../../shared/errors.ts';
import { commandLink, onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { plainTitle } from '../plainTitle.ts';
import type { Look } from '../prompt.ts';
import type { Services } from '../services.ts';
import { remedyFor, wordError } from '../wordError.ts';
import { withIcon } from './lensIcon.ts';
import { contrastTitle, otherName, promptSummary } from './promptSummary.ts';

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
    // VS Code cuts the line off where the editor ends: what can be done comes before what is only worth knowing.
    return [
      ...this.actionLinks(session.look),
      ...noteLinks(session.look, this.services),
      summaryLink(session.look, this.services),
    ];
  }

  private actionLinks(look: Look): vscode.Command[] {
    const { session } = this.services;
    const contrast = session.contrast;
    const value = look.analysis.contrast;
    const setContrast = contrast
      ? contrastTitle(contrast, value)
      : { title: vscode.l10n.t('Set Contrast'), tooltip: '' };
    const compare = session.other
      ? {
          title: vscode.l10n.t('vs {0}', plainTitle(otherName(session.other))),
          tooltip: vscode.l10n.t('Compared With {0}', session.other.name),
        }
      : { title: vscode.l10n.t('Compare'), tooltip: '' };
    return [
      commandLink('findCircuit', vscode.l10n.t('Find Circuit')),
      commandLink('sweepPatches', vscode.l10n.t('Sweep'), [vscode.Uri.parse(look.prompt.uri)]),
      { ...commandLink('comparePrompts', compare.title), tooltip: compare.tooltip },
      { ...commandLink('setContrast', setContrast.title), tooltip: setContrast.tooltip },
    ];
  }
}

/** Short, since VS Code cuts the line off where the editor ends; the tooltip has it in full. */
function summaryLink(look: Look, { session }: Pick<Services, 'session'>): vscode.Command {
  const { tokens } = look.analysis.strip;
  const sae = session.models.sae?.name;
  const { title, tooltip } = promptSummary(look.model.name, sae, tokens);
  return {
    ...commandLink('inspectDocument', withIcon('eye', title)),
    tooltip: `${tooltip}\n${vscode.l10n.t('Open the token panel')}`,
  };
}

/** What else shapes the numbers; behind the actions, where it takes no room from them. */
function noteLinks(look: Look, { session }: Pick<Services, 'session'>): vscode.Command[] {
  const { strip } = look.analysis;
  const parts: string[] = [];
  const changes = session.interventions.active.length;
  if (changes === 1) parts.push(vscode.l10n.t('1 intervention'));
  if (changes > 1) parts.push(vscode.l10n.t('{0} interventions', changes));
  if (look.prompt.narrowed) parts.push(vscode.l10n.t('selection only'));
  if (strip.truncated) {
    const used = strip.used.end - strip.used.start;
    parts.push(vscode.l10n.t('context full: {0} of {1} characters used', used, look.prompt.text.length));
  }
  return parts.length === 0 ? [] : [commandLink('inspectDocument', parts.map(plainTitle).join(' · '))];
}

function inspectLink(): vscode.Command {
  return commandLink('inspectDocument', withIcon('eye', vscode.l10n.t('Inspect With Fovea')));
}

function errorLinks(error: unknown): vscode.Command[] {
  if (isEngineError(error, 'prompt.empty')) return [commandLink('inspectDocument', wordError(error))];
  const { title, command } = remedyFor(error);
  return [
    commandLink('inspectDocument', withIcon('warning', plainTitle(wordError(error)))),
    commandLink(command, title),
  ];
}
