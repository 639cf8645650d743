/** What a cell of a sweep stands for: its layer, head, position or feature, its hook, and its effect. */

import type { EditTarget, HookName } from './domain.ts';
import { formatHead, formatSigned } from './format.ts';
import type { SweepOutline, SweepTarget } from './patchingApi.ts';
import type { SweepQuestion } from './sweepViewApi.ts';

type Axes = SweepOutline['axes'];

/** Where a cell acts, as far as its axes say it. */
export interface CellPlace {
  readonly layer?: number;
  readonly head?: number;
  readonly position?: number;
  readonly role?: string;
  /** The position that is attended to. */
  readonly source?: number;
  readonly feature?: number | 'error';
  /** The short name of the hook: `resid_pre`, `z`, `q`, `pattern`; absent for features. */
  readonly site?: string;
}

/** Number of cells of a grid. */
export function cellCount(axes: Axes): number {
  return axes.reduce((size, { labels }) => size * labels.length, 1);
}

/** The place along each axis of a cell, row-major. */
export function cellIndices(axes: Axes, cell: number): readonly number[] {
  const indices: number[] = [];
  let rest = cell;
  for (const { labels } of [...axes].reverse()) {
    indices.unshift(rest % labels.length);
    rest = Math.floor(rest / labels.length);
  }
  return indices;
}

/** What a cell stands for. */
export function cellPlace(question: SweepQuestion, axes: Axes, cell: number): CellPlace {
  const indices = cellIndices(axes, cell);
  const parts = axes.map(({ name, labels }, i) => placeOnAxis(name, labels[indices[i]!] ?? ''));
  const place: CellPlace = Object.assign({}, ...parts);
  const site = place.site ?? siteOf(question);
  return site === undefined || place.feature !== undefined ? place : { ...place, site };
}

function placeOnAxis(axis: string, label: string): CellPlace {
  switch (axis) {
    case 'layer':
      return { layer: Number(label) };
    case 'head':
      return { head: Number(label) };
    case 'src_pos':
      return { source: Number(label) };
    case 'role':
      return { role: label };
    case 'kind':
      return { site: label };
    case 'feature':
      return { feature: label === 'error' ? 'error' : Number(label) };
    case 'sender':
      return senderOf(label);
    default:
      return { position: Number(label) };
  }
}

function senderOf(label: string): CellPlace {
  const [layer = 0, head] = label.replace('mlp ', '').split('.').map(Number);
  return head === undefined ? { layer, site: 'mlp_out' } : { layer, head, site: 'z' };
}

function siteOf(question: SweepQuestion): string | undefined {
  if (question.method === 'path' || question.target.kind !== 'sweep') return undefined;
  const name = question.target.name.replace(/_(by_pos|all_pos|dest_src_pos)$/, '');
  return name.startsWith('attn_head_') ? name.slice('attn_head_'.length).replace('out', 'z') : name;
}

/** The component in the field's words: `resid_pre 3`, `head 2.5`, `head 2.5 q`, `feature 12`, `SAE error`. */
export function componentName({ layer = 0, head, feature, site }: CellPlace): string {
  if (feature !== undefined) return feature === 'error' ? 'SAE error' : `feature ${feature}`;
  if (head === undefined) return `${site ?? 'layer'} ${layer}`;
  const name = `head ${formatHead(layer, head)}`;
  return site === undefined || site === 'z' ? name : `${name} ${site}`;
}

/** What the live interventions call the component; undefined for what they cannot change. */
export function cellTarget(
  { layer, head, feature, site }: CellPlace,
  question: SweepQuestion,
): EditTarget | undefined {
  const target = targetOf(question);
  if (target?.kind === 'features') {
    return typeof feature === 'number'
      ? { kind: 'feature', feature: { sae: target.sae, index: feature } }
      : undefined;
  }
  if (layer === undefined || site === undefined) return undefined;
  if (head === undefined) {
    return site === 'mlp_out' ? { kind: 'mlp', layer } : { kind: 'hook', hook: hookName(layer, site) };
  }
  if (site === 'z') return { kind: 'head', layer, head };
  return site === 'pattern' ? undefined : { kind: 'hook', hook: hookName(layer, site), head };
}

function hookName(layer: number, site: string): HookName {
  return `blocks.${layer}.${/^[zqkv]$|^pattern$/.test(site) ? 'attn.' : ''}hook_${site}`;
}

function targetOf(question: SweepQuestion): SweepTarget | undefined {
  return question.method === 'path' ? undefined : question.target;
}

/** The value of a cell that changes nothing: 1 when corrupted values come into the clean run, else 0. */
export function restingValue(question: SweepQuestion): 0 | 1 {
  return question.method === 'patch' && question.direction === 'noising' ? 1 : 0;
}

/** How far a cell moves the metric: share restored (above 0) or lost (below 0) of what lies between both prompts. */
export function effectOf(question: SweepQuestion, value: number): number {
  return value - restingValue(question);
}

/** Whether effects are changes of the clean metric, as of ablations and paths, and not shares of what lies between two prompts. */
export function isChange({ method }: Pick<SweepQuestion, 'method'>): boolean {
  return method !== 'patch';
}

/** An effect as it is read: changes in percent of the clean metric, `−31.0 %`, shares as numbers, `+0.31`. */
export function effectText(question: Pick<SweepQuestion, 'method'>, effect: number): string {
  if (!isChange(question)) return formatSigned(effect);
  const percent = (100 * Math.abs(effect)).toFixed(1);
  const sign = effect < 0 ? '−' : '+';
  return `${Number(percent) === 0 ? '' : sign}${percent} %`;
}
