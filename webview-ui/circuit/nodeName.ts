/** How nodes are called: in full for lists and cards, short beside their mark. Pure. */

import type { CircuitGraph, CircuitNodeKind } from '../../src/shared/circuit.ts';
import { formatHead, formatSigned } from '../../src/shared/format.ts';
import { siteNameOf } from '../../src/shared/siteNames.ts';
import type { ViewStrings } from '../../src/shared/viewStrings.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText, spokenToken } from '../lib/tokenText.tsx';
import type { Mark } from '../marks/circuitMark.ts';
import { isTaskMetric, metricName } from './metricName.ts';

const kindKeys: Readonly<Record<CircuitNodeKind, keyof ViewStrings>> = {
  token: 'kindToken',
  head: 'kindHead',
  mlp: 'kindMlp',
  feature: 'kindFeature',
  neuron: 'kindNeuron',
  error: 'kindError',
  logit: 'kindLogit',
  bias: 'kindBias',
  other: 'kindOther',
};

/** What kind of thing a node is. */
export function kindName(kind: CircuitNodeKind): string {
  return strings[kindKeys[kind]];
}

/** What kind of thing a mark is: a group, or a kind of node. */
export function markKind(mark: Mark): string {
  return mark.members ? strings.kindGroup : kindName(mark.kind);
}

/** The mark's own name, without its kind: `2.5`, `3`, a feature's label; a token is named by its text. */
function ownName(mark: Mark): string {
  if (mark.kind === 'head' && mark.head !== undefined) return formatHead(mark.layer, mark.head);
  if (mark.kind === 'mlp' || mark.kind === 'error') return String(mark.layer);
  if (mark.kind === 'token') return '';
  if (mark.kind === 'logit') return metricName(mark.label);
  const text = labelText(mark.label.slice(0, 400)).trim();
  if (text) return text;
  if (mark.kind === 'feature') return `#${mark.feature?.index ?? ''}`;
  return mark.neuron === undefined ? '' : `${mark.layer}.${mark.neuron}`;
}

/** Kind and own name, whatever name was given: `Head 2.5`, `MLP 3`, a feature's label. */
export function ownTitle(mark: Mark): string {
  if (mark.members) return ownName(mark);
  if (mark.kind === 'feature') return featureTitle(mark);
  if (mark.kind === 'error') return errorTitle(mark);
  // These say themselves what they are: the metric of a task, and the embeddings of all tokens.
  if (mark.kind === 'logit' && isTaskMetric(mark.label)) return metricName(mark.label);
  if (mark.kind === 'token' && mark.hook !== undefined) return labelText(mark.label.slice(0, 400));
  return `${kindName(mark.kind)} ${ownName(mark)}`.trim();
}

/** A feature's label; without one, its number, and where: the same number is another feature at another site. */
function featureTitle(mark: Mark): string {
  const label = labelText(mark.label.slice(0, 400)).trim();
  const index = String(mark.feature?.index ?? '');
  const site = shortSite(mark.hook);
  const number = say('featureName', { index });
  if (!['', index, `#${index}`, number].includes(label)) return label;
  return site === undefined ? number : `${number} · ${site} ${mark.layer}`;
}

/** What of a site features do not say; where the site has none, all of it. */
function errorTitle(mark: Mark): string {
  const { layer, label } = mark;
  if (isTranscoderError(mark)) return `${strings.kindTranscoderError} ${layer}`;
  const site = longSite(mark.hook);
  if (site === undefined) return `${strings.kindError} ${layer}`;
  if (label.includes('whole site')) return say('wholeSite', { site, layer });
  return say('errorOf', { kind: strings.kindError, site, layer });
}

/** Errors of attribution graphs are those of transcoders; their labels begin so. */
export function isTranscoderError({ kind, label }: Mark): boolean {
  return kind === 'error' && label.startsWith('Error, layer ');
}

function longSite(hook: string | undefined): string | undefined {
  if (hook === undefined) return undefined;
  if (hook.includes('attn')) return strings.siteAttention;
  return hook.includes('mlp') ? strings.siteMlp : strings.siteStream;
}

function shortSite(hook: string | undefined): string | undefined {
  if (hook === undefined) return undefined;
  if (hook.includes('attn')) return strings.siteShortAttention;
  return hook.includes('mlp') ? strings.siteMlp : strings.siteShortStream;
}

/** What a mark is called in lists and cards: its given name, or else kind and own name. */
export function nodeTitle(mark: Mark): string {
  return mark.given === undefined ? ownTitle(mark) : labelText(mark.given);
}

/** At most `length` characters, for beside the mark. */
export function shortName(mark: Mark, length: number): string {
  const site = shortSite(mark.hook);
  if (mark.kind === 'error' && mark.given === undefined && site !== undefined && !isTranscoderError(mark)) {
    return clipText(say('errorShort', { site, layer: mark.layer }), length);
  }
  const whole = mark.given !== undefined || mark.kind === 'mlp' || mark.kind === 'error';
  return clipText(whole ? nodeTitle(mark) : ownName(mark), length);
}

/** At most `length` characters of a text, the last an ellipsis when there are more. */
export function clipText(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text;
}

/** The site of a mark in words, such as `attention output`; its layer where its hook is not told. */
export function placeName(mark: Mark): string {
  const site = mark.hook === undefined ? undefined : siteNameOf(mark.hook);
  const layer = say('lensLayer', { layer: mark.layer });
  return site === undefined ? layer : `${layer} · ${site}`;
}

/** What stands out about a mark just now. */
export interface MarkState {
  readonly underToken: boolean;
  readonly pinned: boolean;
  readonly chosen?: boolean;
  readonly found?: boolean;
}

/** Everything about a mark in one sentence, for screen readers. */
export function nodeLabel(
  mark: Mark,
  graph: Pick<CircuitGraph, 'tokens' | 'isAggregated'>,
  state: MarkState,
): string {
  let label = labelParts(mark, graph);
  if (mark.groupLabel !== undefined) label += say('nodeInGroup', { group: labelText(mark.groupLabel) });
  if (mark.change === 'added') label += strings.changeAdded;
  if (mark.change === 'removed') label += strings.changeRemoved;
  if (mark.change === 'changed')
    label += say('changeChanged', { before: formatSigned(mark.otherEffect ?? 0) });
  if (state.underToken) label += strings.nodeUnderToken;
  if (state.pinned) label += strings.nodePinned;
  if (state.chosen) label += strings.nodeChosen;
  if (state.found) label += strings.nodeFound;
  return label;
}

/** Kind and name, since a screen reader shows no glyph. */
function spokenName(mark: Mark): string {
  const says =
    mark.kind === 'error' || mark.kind === 'logit' || (mark.kind === 'token' && mark.hook !== undefined);
  if (mark.given === undefined && says) return ownTitle(mark);
  const name = mark.given === undefined ? ownName(mark) : labelText(mark.given);
  const kind = markKind(mark);
  return name.startsWith(kind) ? name : `${kind} ${name}`.trim();
}

function labelParts(mark: Mark, graph: Pick<CircuitGraph, 'tokens' | 'isAggregated'>): string {
  const values = { name: spokenName(mark), effect: formatSigned(mark.effect) };
  if (mark.members) return say('groupLabel', { ...values, count: mark.members.length });
  const isEnd = mark.kind === 'token' || mark.kind === 'logit';
  if (graph.isAggregated && isEnd) return say('nodeLabelEnd', values);
  if (graph.isAggregated) return say('nodeLabelAggregated', { ...values, place: placeName(mark) });
  const token = spokenToken(graph.tokens[mark.position]?.text ?? '');
  return say('nodeLabel', { ...values, token, position: mark.position });
}
