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
  if (mark.kind === 'feature')
    return (
      labelText(mark.label.slice(0, 400)).trim() || say('featureName', { index: mark.feature?.index ?? '' })
    );
  // These say themselves what they are: the metric of a task, and the embeddings of all tokens.
  if (mark.kind === 'logit' && isTaskMetric(mark.label)) return metricName(mark.label);
  if (mark.kind === 'token' && mark.hook !== undefined) return labelText(mark.label.slice(0, 400));
  return `${kindName(mark.kind)} ${ownName(mark)}`.trim();
}

/** What a mark is called in lists and cards: its given name, or else kind and own name. */
export function nodeTitle(mark: Mark): string {
  return mark.given === undefined ? ownTitle(mark) : labelText(mark.given);
}

/** At most `length` characters, for beside the mark. */
export function shortName(mark: Mark, length: number): string {
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

function labelParts(mark: Mark, graph: Pick<CircuitGraph, 'tokens' | 'isAggregated'>): string {
  const values = {
    kind: markKind(mark),
    name: mark.given === undefined ? ownName(mark) : labelText(mark.given),
    effect: formatSigned(mark.effect),
  };
  if (mark.members) return say('groupLabel', { ...values, count: mark.members.length });
  if (graph.isAggregated) return say('nodeLabelAggregated', { ...values, place: placeName(mark) });
  const token = spokenToken(graph.tokens[mark.position]?.text ?? '');
  return say('nodeLabel', { ...values, token, position: mark.position });
}
