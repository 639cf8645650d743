/**
 * Hook points: the named places of a forward pass where values can be read and changed. Names and meanings are
 * TransformerLens's, with unprocessed weights.
 */

import type { HookName } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { shorten } from '../files/fileErrors.ts';

/** What an axis of a hook's value counts. `key` is the attended position, `one` has size 1. */
export type HookAxis =
  | 'batch'
  | 'position'
  | 'key'
  | 'head'
  | 'keyValueHead'
  | 'dModel'
  | 'dHead'
  | 'dMlp'
  | 'dVocab'
  | 'one';

const stream = ['batch', 'position', 'dModel'] as const;
const perHead = ['batch', 'position', 'head', 'dHead'] as const;
const perKeyValueHead = ['batch', 'position', 'keyValueHead', 'dHead'] as const;
const headStream = ['batch', 'position', 'head', 'dModel'] as const;
const keyValueHeadStream = ['batch', 'position', 'keyValueHead', 'dModel'] as const;
const attention = ['batch', 'head', 'position', 'key'] as const;
const scale = ['batch', 'position', 'one'] as const;
const neurons = ['batch', 'position', 'dMlp'] as const;

/** Hooks of the embedding stage, in the order in which they are computed. */
export const embedHookAxes = {
  hook_embed: stream,
  hook_pos_embed: stream,
} as const satisfies Record<string, readonly HookAxis[]>;

/** Hooks of blocks, in the order in which they are computed. Not every model has all of them: see `blockHooksOf`. */
export const blockHookAxes = {
  hook_resid_pre: stream,
  hook_q_input: headStream,
  hook_k_input: keyValueHeadStream,
  hook_v_input: keyValueHeadStream,
  'ln1.hook_scale': scale,
  'ln1.hook_normalized': stream,
  'attn.hook_q': perHead,
  'attn.hook_k': perKeyValueHead,
  'attn.hook_v': perKeyValueHead,
  'attn.hook_rot_q': perHead,
  'attn.hook_rot_k': perKeyValueHead,
  'attn.hook_attn_scores': attention,
  'attn.hook_pattern': attention,
  'attn.hook_z': perHead,
  'attn.hook_result': headStream,
  'attn.hook_out': stream,
  'ln1_post.hook_scale': scale,
  'ln1_post.hook_normalized': stream,
  hook_attn_out: stream,
  hook_resid_mid: stream,
  hook_mlp_in: stream,
  'ln2.hook_scale': scale,
  'ln2.hook_normalized': stream,
  'mlp.hook_in': stream,
  'mlp.hook_pre': neurons,
  'mlp.hook_pre_linear': neurons,
  'mlp.hook_post': neurons,
  'mlp.hook_out': stream,
  'ln2_post.hook_scale': scale,
  'ln2_post.hook_normalized': stream,
  hook_mlp_out: stream,
  hook_resid_post: stream,
} as const satisfies Record<string, readonly HookAxis[]>;

/** Hooks after the last block, in the order in which they are computed. `unembed.hook_out` holds the logits. */
export const finalHookAxes = {
  'ln_final.hook_scale': scale,
  'ln_final.hook_normalized': stream,
  'unembed.hook_in': stream,
  'unembed.hook_out': ['batch', 'position', 'dVocab'],
} as const satisfies Record<string, readonly HookAxis[]>;

export type EmbedHook = keyof typeof embedHookAxes;
export type BlockHook = keyof typeof blockHookAxes;
export type FinalHook = keyof typeof finalHookAxes;

/** A hook's name inside its stage: without `blocks.N.`. */
export type StageHook = EmbedHook | BlockHook | FinalHook;

const axes: Readonly<Record<StageHook, readonly HookAxis[]>> = {
  ...embedHookAxes,
  ...blockHookAxes,
  ...finalHookAxes,
};

const order = Object.keys(axes) as StageHook[];

/**
 * Hooks that a forward pass does not make on its way: the program computes something extra, or computes the same
 * in a slower way, when one of them is asked for.
 */
export const costlyHooks: ReadonlySet<StageHook> = new Set<StageHook>([
  'hook_q_input',
  'hook_k_input',
  'hook_v_input',
  'attn.hook_result',
]);

/** Hooks with one row per position that needs no other position: what can be kept from run to run. */
export function isPerPosition(hook: StageHook): boolean {
  return axes[hook][1] === 'position';
}

/** Hooks whose values are the residual stream or a summand of it, so that the unembedding can read them. */
const streamHooks: ReadonlySet<StageHook> = new Set<StageHook>([
  'hook_embed',
  'hook_pos_embed',
  'hook_resid_pre',
  'hook_attn_out',
  'hook_resid_mid',
  'hook_mlp_out',
  'hook_resid_post',
]);

/** True when a direction of the hook's value is a direction of the residual stream that the hook writes. */
export function writesStream(hook: StageHook): boolean {
  return streamHooks.has(hook);
}

/** Where a hook lies. `layer` is −1 for the embedding stage and the number of layers for the final one. */
export interface HookPlace {
  readonly stage: 'embed' | 'block' | 'final';
  readonly layer: number;
  readonly hook: StageHook;
}

/** The full name of a block's hook: `blocks.3.attn.hook_z`. */
export function blockHookName(layer: number, hook: BlockHook): HookName {
  return `blocks.${layer}.${hook}`;
}

/**
 * Finds the place of a hook in a model of `nLayers`.
 * @throws request.invalid when there is no such hook.
 */
export function locateHook(name: HookName, nLayers: number): HookPlace {
  const match = /^blocks\.(0|[1-9]\d{0,5})\.(.+)$/.exec(name);
  if (match) {
    const layer = Number(match[1]);
    const hook = match[2]!;
    if (!Object.hasOwn(blockHookAxes, hook)) throw unknownHook(name, 'blocks have no hook of this name');
    if (layer >= nLayers) throw unknownHook(name, `the model has layers 0 to ${nLayers - 1}`);
    return { stage: 'block', layer, hook: hook as BlockHook };
  }
  if (Object.hasOwn(embedHookAxes, name)) return { stage: 'embed', layer: -1, hook: name as EmbedHook };
  if (Object.hasOwn(finalHookAxes, name)) return { stage: 'final', layer: nLayers, hook: name as FinalHook };
  throw unknownHook(name, 'there is no hook of this name');
}

/** What each axis of the hook's value counts. */
export function hookAxes(hook: StageHook): readonly HookAxis[] {
  return axes[hook];
}

/** Sizes that a model fixes. */
export interface WidthSizes {
  readonly nHeads: number;
  /** As many as `nHeads` when left out. */
  readonly nKeyValueHeads?: number;
  readonly dModel: number;
  readonly dHead: number;
  readonly dMlp: number;
  readonly dVocab: number;
}

/** Sizes that a run fixes. `keys` counts the attended positions: the reused ones and the new ones. */
export interface RunSizes {
  readonly batch: number;
  readonly positions: number;
  readonly keys: number;
}

/** The dimensions of the hook's value in a run. */
export function hookDims(hook: StageHook, widths: WidthSizes, run: RunSizes): number[] {
  const sizes: Readonly<Record<HookAxis, number>> = {
    batch: run.batch,
    position: run.positions,
    key: run.keys,
    head: widths.nHeads,
    keyValueHead: widths.nKeyValueHeads ?? widths.nHeads,
    dModel: widths.dModel,
    dHead: widths.dHead,
    dMlp: widths.dMlp,
    dVocab: widths.dVocab,
    one: 1,
  };
  return axes[hook].map((axis) => sizes[axis]);
}

/** Negative when `a` is computed before `b` within one stage. */
export function compareHooks(a: StageHook, b: StageHook): number {
  return order.indexOf(a) - order.indexOf(b);
}

function unknownHook(name: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what: `The hook "${shorten(name)}"`, reason });
}
