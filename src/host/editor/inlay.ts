/** The most likely next token and its probability, as a hint after the end of the prompt. */

import * as vscode from 'vscode';
import { formatProbability, quoteToken } from '../../shared/format.ts';
import { onSettingChanged, readSetting } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import type { Services } from '../services.ts';

/** Provides the hint. */
export class NextTokenHint extends Disposable implements vscode.InlayHintsProvider {
  readonly onDidChangeInlayHints;
  private readonly changed = this.own(new Emitter<void>());

  constructor(private readonly services: Pick<Services, 'session' | 'documents'>) {
    super();
    this.onDidChangeInlayHints = this.changed.event;
    this.own(vscode.languages.registerInlayHintsProvider('*', this));
    this.own(services.session.onDidChange((change) => change === 'state' && this.refresh()));
    this.own(onSettingChanged(['inlayHintEnabled'], () => this.changed.fire()));
  }

  provideInlayHints(document: vscode.TextDocument, range: vscode.Range): vscode.InlayHint[] {
    const { session, documents } = this.services;
    const { look } = session;
    // What an earlier model or engine said is not shown as if it were said now.
    if (session.error !== undefined) return [];
    if (document !== documents.document || !look || !readSetting('inlayHintEnabled', document.uri)) return [];
    if (document.getText(documents.rangeOf(document)) !== look.prompt.text) return [];
    const { strip, predictions, effect } = look.analysis;
    const next = effect?.after[0] ?? predictions[strip.tokens.length - 1]?.[0];
    const position = document.positionAt(look.prompt.start + strip.used.end);
    if (!next || !range.contains(position)) return [];
    // A space of its own: the padding alone leaves it at the token's outline.
    const label = ` → ${quoteToken(next.text)} ${formatProbability(next.probability)}`;
    const hint = new vscode.InlayHint(position, label);
    hint.paddingLeft = true;
    hint.tooltip = effect
      ? vscode.l10n.t('The most likely next token, with the interventions')
      : vscode.l10n.t('The most likely next token');
    return [hint];
  }

  private refresh(): void {
    if (!this.services.session.computing) this.changed.fire();
  }
}
