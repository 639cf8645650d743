/** Cells, lines and numbers of a sweep in words, as its marks, its list and its picture share them. */

import type { SweepOutline } from '../../src/shared/patchingApi.ts';
import {
  type CellPlace,
  cellPlace,
  componentName,
  effectOf,
  effectText,
} from '../../src/shared/sweepCell.ts';
import type { OtherSweep, SweepView } from '../../src/shared/sweepViewApi.ts';
import type { TaskMetric } from '../../src/shared/task.ts';
import { say, strings } from '../lib/strings.ts';
import { labelText, spokenToken } from '../lib/tokenText.tsx';
import type { GridFacet, GridLine } from './gridLayout.ts';

/** The sweep with the parts that cells are worded from. */
export type WordedSweep = Pick<SweepView, 'question' | 'labels' | 'values' | 'raw' | 'pairs'> & {
  readonly outline: SweepOutline;
  /** What is subtracted from the sweep's own values to give `values`, when it is compared. */
  readonly other?: OtherSweep;
  readonly own?: Float32Array;
};

/** A cell as a screen reader says it: `head 2.5 at ' Mary', position 4, +0.31`. */
export function cellLabel(sweep: WordedSweep, cell: number): string {
  const { outline, pairs, question, values } = sweep;
  const place = cellPlace(question, outline.axes, cell);
  const component = namedComponent(sweep, place);
  const where = whereOf(outline, place);
  const value = values[cell] ?? Number.NaN;
  if (Number.isNaN(value)) return say('sweepCellUnknown', { component, where });
  const known = pairs[cell] ?? 0;
  const part =
    known < outline.pairCount ? say('sweepCellPairs', { pairs: known, total: outline.pairCount }) : '';
  return `${say('sweepCell', { component, where, value: effectText(question, effectOf(question, value)) })}${part}`;
}

/** A component with its label, when it is a feature that has one. */
export function namedComponent({ labels }: Pick<SweepView, 'labels'>, place: CellPlace): string {
  const name = componentName(place);
  const label = typeof place.feature === 'number' ? labels?.[place.feature] : undefined;
  return label === undefined ? name : `${name} ${labelText(label)}`;
}

/** Where the cell acts: token and position, or role; empty for all positions. */
export function whereOf(outline: SweepOutline, { position, role, source }: CellPlace): string {
  const at = (key: 'sweepCellAt' | 'sweepCellAttends', place: number): string =>
    say(key, { token: spokenToken(tokenAt(outline, place)), position: place });
  const here = position === undefined ? '' : at('sweepCellAt', position);
  const named = role === undefined ? '' : say('sweepCellRole', { role: labelText(role) });
  return `${here}${named}${source === undefined ? '' : at('sweepCellAttends', source)}`;
}

/** The token at a position, or the role that all pairs have there. */
export function tokenAt({ tokens, common }: SweepOutline, position: number): string {
  return tokens?.clean[position] ?? (common?.tokens[position] || common?.roles[position]) ?? '';
}

/** A column or row in text: the token of a position, `layer 3`, a feature's number. */
export function lineText(outline: SweepOutline, { axis, label }: GridLine): string {
  if (/pos$/.test(axis)) return tokenAt(outline, Number(label)) || label;
  if (axis === 'layer') return say('lensLayer', { layer: label });
  return axis === '' ? strings.sweepAllPositions : label;
}

/** What a small multiple is called: `resid_pre`, `head 2.5`, `layer 3`. */
export function facetName(facet: GridFacet): string {
  const labels = new Map(facet.lines.map(({ axis, label }) => [axis, label]));
  const [kind, layer, head] = [labels.get('kind'), labels.get('layer'), labels.get('head')];
  const parts: string[] = [];
  if (kind !== undefined) parts.push(kind === 'z' ? strings.sweepKindOutput : kind);
  if (layer !== undefined && head !== undefined)
    parts.push(say('componentHead', { head: `${layer}.${head}` }));
  else if (layer !== undefined) parts.push(say('lensLayer', { layer }));
  return parts.join(' · ');
}

const metricKeys = {
  logitDifference: 'metricLogitDifference',
  answerSetLogOdds: 'metricAnswerSetLogOdds',
  probability: 'metricProbability',
  probabilityDifference: 'metricProbabilityDifference',
  crossEntropy: 'metricCrossEntropy',
  kl: 'metricKl',
  accuracy: 'metricAccuracy',
} as const;

/** A metric's name. */
export function metricName(metric: TaskMetric): string {
  return strings[metricKeys[metric]];
}

/** Whole minutes and seconds: `12 s`, `3 min 20 s`, `1 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `< 1 s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
