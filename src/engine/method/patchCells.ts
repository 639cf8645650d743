/** What a sweep changes, cell by cell: the sweeps that TransformerLens names, over heads and positions of any model. */
import { EngineError } from '../../shared/errors.ts';
import { type SweepName, sweepNames } from '../../shared/patchingApi.ts';
import { shorten } from '../files/fileErrors.ts';
import type { ModelConfig } from '../model/config.ts';
import type { BlockHook } from '../model/hooks.ts';
import { locateModelHook } from '../model/modelHooks.ts';
import type { TokenPair } from '../task/task.ts';

/** One intervention: at a hook of a block, where it acts; everywhere along what is left out. */
export interface PatchCell {
  /** Where its result stands in the sweep's values. */
  readonly index: number;
  readonly layer: number;
  readonly hook: BlockHook;
  /** A head; of keys and values that heads share, the number of the shared one. */
  readonly head?: number;
  /** A position, or the role whose position each pair has for itself. */
  readonly position?: number | string;
  /** The attended position, for patterns. */
  readonly source?: number;
  /** What of the hook's value is changed when it is not the value itself. */
  readonly part?: FeaturePart;
}

/** A feature of an SAE, or what the SAE leaves out. `site` counts the SAEs that the sweep was given. */
export interface FeaturePart {
  readonly site: number;
  readonly feature: number | 'error';
}

export interface SweepAxis {
  /** `layer`, `pos`, `head`, `dest_pos`, `src_pos`, `role`, `kind`, `feature`. */
  readonly name: string;
  readonly labels: readonly string[];
}

export interface CellGrid {
  readonly axes: readonly SweepAxis[];
  readonly cells: readonly PatchCell[];
}

interface Sweep {
  readonly hook: BlockHook;
  readonly axes: readonly AxisName[];
}

type AxisName = 'layer' | 'pos' | 'head' | 'dest_pos' | 'src_pos';

const byPosition = ['layer', 'pos'] as const;
const byHead = ['layer', 'head'] as const;
const byBoth = ['layer', 'pos', 'head'] as const;

const sweeps: Readonly<Record<Exclude<SweepName, EverySweep>, Sweep>> = {
  resid_pre: { hook: 'hook_resid_pre', axes: byPosition },
  resid_mid: { hook: 'hook_resid_mid', axes: byPosition },
  resid_post: { hook: 'hook_resid_post', axes: byPosition },
  attn_out: { hook: 'hook_attn_out', axes: byPosition },
  mlp_out: { hook: 'hook_mlp_out', axes: byPosition },
  attn_out_all_pos: { hook: 'hook_attn_out', axes: ['layer'] },
  mlp_out_all_pos: { hook: 'hook_mlp_out', axes: ['layer'] },
  attn_head_out_by_pos: { hook: 'attn.hook_z', axes: byBoth },
  attn_head_q_by_pos: { hook: 'attn.hook_q', axes: byBoth },
  attn_head_k_by_pos: { hook: 'attn.hook_k', axes: byBoth },
  attn_head_v_by_pos: { hook: 'attn.hook_v', axes: byBoth },
  attn_head_pattern_by_pos: { hook: 'attn.hook_pattern', axes: ['layer', 'head', 'dest_pos'] },
  attn_head_pattern_dest_src_pos: {
    hook: 'attn.hook_pattern',
    axes: ['layer', 'head', 'dest_pos', 'src_pos'],
  },
  attn_head_out_all_pos: { hook: 'attn.hook_z', axes: byHead },
  attn_head_q_all_pos: { hook: 'attn.hook_q', axes: byHead },
  attn_head_k_all_pos: { hook: 'attn.hook_k', axes: byHead },
  attn_head_v_all_pos: { hook: 'attn.hook_v', axes: byHead },
  attn_head_pattern_all_pos: { hook: 'attn.hook_pattern', axes: byHead },
};

type EverySweep = keyof typeof everySweeps;

/** Several sweeps stacked, as TransformerLens stacks them; a pattern's position is the one it attends from. */
const everySweeps = {
  attn_head_all_pos_every: {
    axes: byHead,
    hooks: ['attn.hook_z', 'attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'attn.hook_pattern'],
  },
  attn_head_by_pos_every: {
    axes: byBoth,
    hooks: ['attn.hook_z', 'attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'attn.hook_pattern'],
  },
  block_every: { axes: byPosition, hooks: ['hook_resid_pre', 'hook_attn_out', 'hook_mlp_out'] },
} as const satisfies Record<string, { axes: readonly AxisName[]; hooks: readonly BlockHook[] }>;

export interface GridOptions {
  /** Layers that are swept; all when left out. */
  readonly layers?: readonly number[];
  /** Roles take the place of positions: for tasks whose pairs differ in length. */
  readonly roles?: readonly string[];
}

/**
 * The cells of a sweep over `pairs`.
 * In a stacked sweep of a model whose heads share keys and values, the cells of those are numbered by the shared head, and
 * there are none for the heads beyond.
 * @throws request.invalid when the model lacks the hook, or when the pairs differ in length and positions would have no
 * common meaning.
 */
export function sweepCells(
  name: SweepName,
  config: ModelConfig,
  pairs: readonly TokenPair[],
  options: GridOptions = {},
): CellGrid {
  checkNames(name, config, options);
  if (!isEvery(name)) return plainGrid(sweeps[name], config, pairs, options);
  const { axes, hooks } = everySweeps[name];
  const grids = hooks.map((hook) => plainGrid({ hook, axes }, config, pairs, options));
  // Keys and values that heads share have fewer heads: in their rows, the places of the others stay without a cell.
  const [first] = grids;
  const size = first!.cells.length;
  return {
    axes: [{ name: 'kind', labels: hooks.map(shortName) }, ...first!.axes],
    cells: grids.flatMap((grid, kind) =>
      grid.cells.map((cell) => ({
        ...cell,
        index: kind * size + indexIn(first!.axes, grid.axes, cell.index),
      })),
    ),
  };
}

/** The number of a cell of a smaller grid in one with the same axes, some of them longer. */
function indexIn(axes: readonly SweepAxis[], own: readonly SweepAxis[], index: number): number {
  let [rest, stride, found] = [index, 1, 0];
  for (let axis = own.length - 1; axis >= 0; axis--) {
    const size = own[axis]!.labels.length;
    found += (rest % size) * stride;
    rest = Math.floor(rest / size);
    stride *= axes[axis]!.labels.length;
  }
  return found;
}

/** Refuses what came from outside and is not there. */
function checkNames(name: SweepName, { nLayers }: ModelConfig, { layers = [] }: GridOptions): void {
  if (!(sweepNames as readonly string[]).includes(name)) {
    throw new EngineError('request.invalid', {
      what: `The sweep "${shorten(name)}"`,
      reason: `there is none of this name; there are ${sweepNames.join(', ')}`,
    });
  }
  const wrong = layers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < nLayers));
  if (wrong === undefined) return;
  throw new EngineError('request.invalid', {
    what: `Layer ${wrong}`,
    reason: `the model has layers 0 to ${nLayers - 1}`,
  });
}

function isEvery(name: SweepName): name is EverySweep {
  return Object.hasOwn(everySweeps, name);
}

function plainGrid(
  { hook, axes }: Sweep,
  config: ModelConfig,
  pairs: readonly TokenPair[],
  options: GridOptions,
): CellGrid {
  locateModelHook(config, `blocks.0.${hook}`);
  const named = axes.map((axis) => axisOf(axis, hook, config, pairs, options));
  const cells: PatchCell[] = [];
  const fill = (cell: Omit<PatchCell, 'index'>, axis: number): void => {
    if (axis === axes.length) {
      cells.push({ ...cell, index: cells.length });
      return;
    }
    named[axis]!.labels.forEach((label, i) => {
      fill({ ...cell, ...choice(axes[axis]!, label, i, options) }, axis + 1);
    });
  };
  fill({ layer: 0, hook }, 0);
  return { axes: named, cells };
}

function axisOf(
  axis: AxisName,
  hook: BlockHook,
  { nLayers, nHeads, nKeyValueHeads }: ModelConfig,
  pairs: readonly TokenPair[],
  { layers, roles }: GridOptions,
): SweepAxis {
  const counted = (name: string, size: number) => ({
    name,
    labels: Array.from({ length: size }, (_, i) => `${i}`),
  });
  if (axis === 'layer') return layers ? { name: axis, labels: layers.map(String) } : counted(axis, nLayers);
  if (axis === 'head') {
    return counted(axis, hook === 'attn.hook_k' || hook === 'attn.hook_v' ? nKeyValueHeads : nHeads);
  }
  if (roles && axis !== 'src_pos') return { name: 'role', labels: roles };
  return counted(axis, commonLength(pairs));
}

function choice(axis: AxisName, label: string, index: number, { roles }: GridOptions): Partial<PatchCell> {
  switch (axis) {
    case 'layer':
      return { layer: Number(label) };
    case 'head':
      return { head: index };
    case 'src_pos':
      return { source: index };
    default:
      return { position: roles ? label : index };
  }
}

/** The tokens that every pair has. @throws request.invalid when they differ. */
export function commonLength(pairs: readonly TokenPair[]): number {
  const [first] = pairs;
  const length = first?.clean.length ?? 0;
  if (pairs.every(({ clean }) => clean.length === length)) return length;
  throw new EngineError('request.invalid', {
    what: 'A sweep by position',
    reason: 'the pairs differ in length; sweep by role, or over all positions',
  });
}

/** `attn.hook_z` → `z`, `hook_resid_pre` → `resid_pre`. */
function shortName(hook: BlockHook): string {
  return hook.replace(/^(attn\.|mlp\.)?hook_/, '');
}

/** Where the cell acts in one pair; undefined for all positions. @throws request.invalid when the pair lacks the role. */
export function positionIn({ position }: PatchCell, pair: TokenPair): number | undefined {
  if (typeof position !== 'string') return position;
  const place = Object.hasOwn(pair.roles, position) ? pair.roles[position] : undefined;
  if (place !== undefined) return place;
  throw new EngineError('request.invalid', {
    what: `The role ${position}`,
    reason: lacksRole(pair.roles),
  });
}

/** Why a role cannot be a place in a pair. */
export function lacksRole(roles: TokenPair['roles']): string {
  if (Object.keys(roles).length > 0) return 'not every pair of the task has it';
  return 'the pair names no roles; name them in a task file, or use positions';
}
