/** The hover over a token of the prompt. It tells what is already computed and never runs the model. */

import * as vscode from 'vscode';
import type { FeatureRef } from '../../shared/domain.ts';
import { formatHead, formatNumber, formatProbability, quoteToken } from '../../shared/format.ts';
import { commandUri, readSetting } from '../contributions.ts';
import { type CommandName, commands } from '../names.ts';
import type { Look } from '../prompt.ts';
import type { Services } from '../services.ts';
import { tokenAtCharacter } from '../tokenAt.ts';
import { codeSpan, escapeMarkdown } from './escapeMarkdown.ts';

/** The links in a hover may run these commands and no others. */
const linkedCommands: readonly CommandName[] = [
  'pinFeature',
  'unpinFeature',
  'ablateFeature',
  'steerFeature',
  'inspectDocument',
];

/** How many features a hover lists. */
const rows = 5;

/** How many predictions fit on its one line. */
const mostPredictions = 4;

/** Registers the hover. */
export function registerHover(services: Pick<Services, 'session' | 'documents'>): vscode.Disposable {
  return vscode.languages.registerHoverProvider('*', {
    provideHover(document, position) {
      const look = services.session.look;
      if (!look || document !== services.documents.document) return undefined;
      if (!readSetting('hoverEnabled', document.uri)) return undefined;
      return hoverAt(services, look, document, position);
    },
  });
}

function hoverAt(
  services: Pick<Services, 'session' | 'documents'>,
  look: Look,
  document: vscode.TextDocument,
  position: vscode.Position,
): vscode.Hover | undefined {
  // Offsets of an older text would point at the wrong tokens.
  if (document.getText(services.documents.rangeOf(document)) !== look.prompt.text) return undefined;
  const index = tokenAtCharacter(look.analysis.strip, document.offsetAt(position) - look.prompt.start);
  const token = look.analysis.strip.tokens[index];
  if (!token) return undefined;
  const range = new vscode.Range(
    document.positionAt(look.prompt.start + token.start),
    document.positionAt(look.prompt.start + token.end),
  );
  return new vscode.Hover(describeToken(services, look, index), range);
}

/** Everything a hover says of the token at `position`. */
function describeToken(
  services: Pick<Services, 'session'>,
  look: Look,
  position: number,
): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString();
  markdown.isTrusted = { enabledCommands: linkedCommands.map((name) => commands[name]) };
  const sections = [
    tokenLine(look, position),
    predictionList(look, position),
    attentionLine(look, position),
    featureList(services, look, position),
  ];
  markdown.appendMarkdown(sections.filter((section) => section !== '').join('\n\n'));
  return markdown;
}

function tokenLine(look: Look, position: number): string {
  const { strip, probabilities } = look.analysis;
  const token = strip.tokens[position];
  if (!token) return '';
  const probability = probabilities[position] ?? Number.NaN;
  const about = vscode.l10n.t('token {0} · position {1}', token.id, position);
  const given = Number.isNaN(probability)
    ? ''
    : ` · ${vscode.l10n.t('given {0}', formatProbability(probability))}`;
  return `${codeSpan(token.text)} ${escapeMarkdown(`${about}${given}`)}`;
}

function predictionList(look: Look, position: number): string {
  const predictions = look.analysis.predictions[position] ?? [];
  if (predictions.length === 0) return '';
  const items = predictions
    .slice(0, mostPredictions)
    .map(({ text, probability }) => `${codeSpan(text)} ${escapeMarkdown(formatProbability(probability))}`);
  return `**${escapeMarkdown(vscode.l10n.t('Next'))}**  ${items.join(' &nbsp; ')}`;
}

function featureList(services: Pick<Services, 'session'>, look: Look, position: number): string {
  const top = look.analysis.features[0];
  if (!top) return '';
  const { session } = services;
  const lines: string[] = [];
  const sources = new Set<string>();
  for (let rank = 0; rank < Math.min(rows, top.k); rank++) {
    const index = top.indices[position * top.k + rank] ?? -1;
    const activation = top.activations[position * top.k + rank] ?? 0;
    if (index < 0) continue;
    const feature: FeatureRef = { sae: top.sae, index };
    lines.push(featureItem(services, feature, activation));
    const { labelSource } = session.catalog.get(feature);
    if (labelSource) sources.add(labelSource);
  }
  if (lines.length === 0) return '';
  const sae = session.models.saes.find((candidate) => candidate.id === top.sae);
  const title = sae ? vscode.l10n.t('Features · {0}', sae.name) : vscode.l10n.t('Features');
  const about =
    sources.size > 0 ? ` *${escapeMarkdown(vscode.l10n.t('labels: {0}', [...sources].join(', ')))}*` : '';
  return `**${escapeMarkdown(title)}**${about}\n\n${lines.join('\n')}`;
}

function featureItem(
  { session }: Pick<Services, 'session'>,
  feature: FeatureRef,
  activation: number,
): string {
  const info = session.catalog.get(feature);
  const label = info.label ? ` ${escapeMarkdown(info.label)}` : '';
  const isPinned = session.isPinned(feature);
  const links = [
    isPinned
      ? link('unpinFeature', vscode.l10n.t('Unpin'), feature)
      : link('pinFeature', vscode.l10n.t('Pin'), feature),
    link('ablateFeature', vscode.l10n.t('Ablate'), feature),
    link('steerFeature', vscode.l10n.t('Steer'), feature),
  ];
  const name = `**${escapeMarkdown(formatNumber(activation))}** &nbsp; #${feature.index}${label}`;
  return `- ${name} &nbsp; ${links.join(' · ')}`;
}

function attentionLine(look: Look, position: number): string {
  const source = look.analysis.attention[position];
  const token = source && look.analysis.strip.tokens[source.source];
  if (!token) return '';
  const head = formatHead(source.layer, source.head);
  const text = vscode.l10n.t(
    'attends to {0} ({1}) with {2}',
    quoteToken(token.text),
    source.source,
    formatProbability(source.weight),
  );
  return `**${escapeMarkdown(vscode.l10n.t('Head {0}', head))}** ${escapeMarkdown(text)}`;
}

function link(name: CommandName, title: string, feature: FeatureRef): string {
  return `[${escapeMarkdown(title)}](${commandUri(name, [feature])})`;
}
