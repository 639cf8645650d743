/**
 * Gradients of a scalar of the logits back to any hook. The backward pass goes block by block: each block is
 * recomputed from the residual stream that entered it, so nothing but those streams has to be kept.
 */

import type { HookName, Progress } from '../../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { ModelConfig } from './config.ts';
import { composeEdits, type HookEdit } from './edits.ts';
import { names } from './families/family.ts';
import { type BlockHook, blockHookName, type HookPlace, locateHook, type StageHook } from './hooks.ts';
import { pickPositions, spreadPositions } from './kvCache.ts';
import { denseGradient, type LogitGradient } from './logitGradients.ts';
import { locateModelHook, stageHooks } from './modelHooks.ts';
import type { StageEdits } from './stageRunner.ts';
import type { Transformer } from './transformer.ts';

export interface GradientRequest {
  /** The residual streams of a run, as `RunResult.residuals`; those down to the lowest asked layer are read. */
  readonly residuals: readonly (Value | undefined)[];
  /** The edits of that run. */
  readonly edits?: readonly HookEdit[];
  readonly seed: LogitGradient;
  /** Hooks at which the gradient is wanted; it belongs to the value after the edit there. */
  readonly hooks: readonly HookName[];
  /**
   * Values of that run at `savedHooks`, when they were kept: the blocks' inside is then taken from them instead of being
   * computed again. Worth it for few tokens, where reading the weights takes longest. Not for runs with edits.
   */
  readonly saved?: ReadonlyMap<HookName, Value>;
  readonly signal?: AbortSignal;
  readonly report?: (progress: Progress) => void;
}

/** What stands behind the large products of a block's forward pass, as far as the model has it. */
export function savedHooks(config: ModelConfig): HookName[] {
  const layers = Array.from({ length: config.nLayers }, (_, layer) => layer);
  return layers.flatMap((layer) => {
    const own = new Set<StageHook>(stageHooks(config, layer));
    return savedBlockHooks.filter((hook) => own.has(hook)).map((hook) => blockHookName(layer, hook));
  });
}

const savedBlockHooks: readonly BlockHook[] = [
  'attn.hook_q',
  'attn.hook_k',
  'attn.hook_v',
  'hook_resid_mid',
  'mlp.hook_pre',
  'mlp.hook_pre_linear',
];

/** Gradients at the asked hooks, each in its hook's shape. @throws request.invalid for hooks the model lacks; cancelled. */
export async function gradientsAt(
  model: Transformer,
  request: GradientRequest,
): Promise<ReadonlyMap<HookName, Value>> {
  const { nLayers } = model.config;
  const places = new Map(request.hooks.map((name) => [name, locateModelHook(model.config, name)]));
  const lowest = Math.max(0, Math.min(nLayers, ...[...places.values()].map(({ layer }) => layer)));
  const found = new Map<HookName, Value>();
  const take = (layer: number, results: Readonly<Record<string, Value>>) => {
    for (const [name, place] of places) if (place.layer === layer) found.set(name, results[place.hook]!);
  };
  const total = nLayers - lowest + 1;
  let gradient = await finalGradient(model, request, hooksOf(places, nLayers), take);
  for (let layer = nLayers - 1; layer >= lowest; layer--) {
    throwIfCancelled(request.signal);
    request.report?.({ done: nLayers - layer, total, what: 'gradients' });
    const results = await blockGradient(model, {
      layer,
      residual: residualOf(request, layer),
      edits: request.edits,
      seeds: new Map([['hook_resid_post', gradient]]),
      hooks: hooksOf(places, layer) as BlockHook[],
      saved: savedOf(request, layer),
    });
    take(layer, results);
    gradient = results[names.residualGradient]!;
  }
  // Embeddings enter the stream by addition: the stream's gradient is theirs.
  take(-1, { hook_embed: gradient, hook_pos_embed: gradient });
  return found;
}

export interface BlockGradientRequest {
  readonly layer: number;
  /** What entered the block: `[batch, position, d_model]`, or `[1, …]` when it is the same for every row of the seeds. */
  readonly residual: Value;
  readonly edits?: readonly HookEdit[];
  /** Gradients at hooks of this block, in the hooks' shapes. Rows of their batch are independent. */
  readonly seeds: ReadonlyMap<BlockHook, Value>;
  /** Hooks of this block at which gradients are wanted beside the block's input. */
  readonly hooks: readonly BlockHook[];
  /** See `GradientRequest.saved`; in the batch of the seeds. */
  readonly saved?: ReadonlyMap<BlockHook, Value>;
}

/**
 * Vector–Jacobian products of one block: from gradients at some of its hooks to gradients at others, and at the
 * block's input under `residualGradient`. Rows of the batch are computed side by side.
 */
export async function blockGradient(
  model: Transformer,
  { layer, residual, edits, seeds, hooks, saved }: BlockGradientRequest,
): Promise<Readonly<Record<string, Value>>> {
  const batch = Math.max(...[...seeds.values()].map(({ dims }) => dims[0]!));
  const repeated = repeatRows(residual, batch);
  const positions = residual.dims[1]!;
  return model.stages.backward({
    stage: layer,
    sizes: { batch, positions, keys: positions },
    residual: repeated,
    edits: stageEdits(edits, layer, model.config.nLayers),
    seeds,
    targets: hooks,
    ...(saved && { saved }),
  });
}

function savedOf(
  { saved, edits }: GradientRequest,
  layer: number,
): ReadonlyMap<BlockHook, Value> | undefined {
  if (!saved || (edits && edits.length > 0)) return undefined;
  const own = savedBlockHooks.flatMap((hook) => {
    const value = saved.get(blockHookName(layer, hook));
    return value ? [[hook, value] as const] : [];
  });
  return own.length > 0 ? new Map(own) : undefined;
}

async function finalGradient(
  model: Transformer,
  request: GradientRequest,
  hooks: readonly StageHook[],
  take: (layer: number, results: Readonly<Record<string, Value>>) => void,
): Promise<Value> {
  const { nLayers } = model.config;
  const { seed } = request;
  const residual = residualOf(request, nLayers);
  const edits = stageEdits(request.edits, nLayers, nLayers);
  const positions = residual.dims[1]!;
  // Only positions that the scalar reads have a gradient here; with edits the others' sizes must match the edits'.
  const chosen = edits.size > 0 ? Array.from({ length: positions }, (_, i) => i) : seed.positions;
  const logitGradient =
    edits.size > 0 ? spreadPositions(seed.gradient, seed.positions, positions) : seed.gradient;
  const { tokens } = seed;
  const batch = residual.dims[0]!;
  const results = await model.stages.backward({
    stage: 'final',
    sizes: { batch, positions: chosen.length, keys: chosen.length },
    residual: pickPositions(residual, chosen),
    edits,
    seeds: new Map<StageHook, Value>([['unembed.hook_out', logitGradient]]),
    targets: hooks.filter((hook) => hook !== 'unembed.hook_out'),
    ...(tokens && { tokens }),
  });
  const ofLogits = hooks.includes('unembed.hook_out') && {
    'unembed.hook_out': denseGradient({ ...seed, gradient: logitGradient }, model.config.dVocab),
  };
  const spread: Record<string, Value> = {};
  for (const [name, value] of Object.entries({ ...results, ...ofLogits })) {
    spread[name] = spreadPositions(value, chosen, positions);
  }
  take(nLayers, spread);
  return spread[names.residualGradient]!;
}

/** Static edits of one stage, composed per hook. */
function stageEdits(edits: readonly HookEdit[] | undefined, layer: number, nLayers: number): StageEdits {
  const composed = new Map<StageHook, HookEdit>();
  for (const edit of edits ?? []) {
    const place = locateHook(edit.hook, nLayers);
    if (place.layer !== layer) continue;
    const before = composed.get(place.hook);
    composed.set(place.hook, before ? composeEdits(before, edit) : edit);
  }
  return composed;
}

function hooksOf(places: ReadonlyMap<HookName, HookPlace>, layer: number): StageHook[] {
  return [...places.values()].filter((place) => place.layer === layer).map(({ hook }) => hook);
}

function residualOf({ residuals }: GradientRequest, layer: number): Value {
  const residual = residuals[layer];
  if (residual) return residual;
  const reason = `the run did not keep the residual stream of layer ${layer}`;
  throw new EngineError('request.invalid', { what: 'The gradient', reason });
}

function repeatRows(value: Value, batch: number): Value {
  const [rows = 1, ...rest] = value.dims;
  if (rows === batch) return value;
  const data = floatsOf(value);
  const result = new Float32Array(batch * data.length);
  for (let row = 0; row < batch; row++) result.set(data, row * data.length);
  return floatValue(result, [batch, ...rest]);
}
