/** Gradients of the classifier's logit: from the mean over positions that it reads, back to the sites below. */

import { type FloatValue, floatValue, type Value } from '../../graph/value.ts';
import type { HookEdit } from '../../model/edits.ts';
import { names } from '../../model/families/family.ts';
import { blockGradient } from '../../model/gradients.ts';
import { type BlockHook, blockHookName, hookDims } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { Probe } from './probe.ts';
import type { BlockPlace } from './shiftSites.ts';

export interface ProbeGradientRequest {
  readonly probe: Probe;
  /** The hook that the probe reads. */
  readonly reads: BlockPlace;
  /** Positions before the text, which the probe leaves out. */
  readonly before: number;
  /** The residual streams that entered the blocks of a run, down to the lowest place. */
  readonly residuals: readonly (Value | undefined)[];
  /** The edits of that run. */
  readonly edits?: readonly HookEdit[];
  /** Where gradients are wanted; none of them behind `reads`. */
  readonly places: readonly BlockPlace[];
}

/** ∂logit/∂x at each place, in the hook's shape `[batch, position, …]`; of the value after the edit there. */
export async function probeGradients(model: Transformer, request: ProbeGradientRequest): Promise<Value[]> {
  const { reads, residuals, edits, places } = request;
  const found = new Map<string, Value>();
  const lowest = Math.min(...places.map(({ layer }) => layer));
  const [batch, positions] = sizesOf(residuals[reads.layer]!);
  const seed = probeSeed(request, batch, positions, model);
  found.set(keyOf(reads), seed);
  let seeds = new Map<BlockHook, Value>([[reads.hook, seed]]);
  for (let layer = reads.layer; layer >= lowest; layer--) {
    const hooks = places
      .filter((place) => place.layer === layer && keyOf(place) !== keyOf(reads))
      .map(({ hook }) => hook);
    // The stream that leaves a block is the one that was handed down.
    const inside = hooks.filter((hook) => !seeds.has(hook));
    for (const [hook, value] of seeds) found.set(keyOf({ layer, hook }), value);
    if (layer === lowest && inside.length === 0) break;
    const results = await blockGradient(model, {
      layer,
      residual: residuals[layer]!,
      edits,
      seeds,
      hooks: inside,
    });
    for (const hook of inside) found.set(keyOf({ layer, hook }), results[hook]!);
    seeds = new Map([['hook_resid_post', results[names.residualGradient]!]]);
  }
  return places.map((place) => found.get(keyOf(place))!);
}

/** w / n at every position that counts, 0 at those before. */
function probeSeed(
  { probe, reads, before }: ProbeGradientRequest,
  batch: number,
  positions: number,
  model: Transformer,
): FloatValue {
  const { weights } = probe;
  const counted = Math.max(1, positions - before);
  const share = weights.map((weight) => weight / counted);
  const data = new Float32Array(batch * positions * weights.length);
  for (let row = 0; row < batch; row++) {
    for (let position = positions - counted; position < positions; position++) {
      data.set(share, (row * positions + position) * weights.length);
    }
  }
  return floatValue(data, hookDims(reads.hook, model.config, { batch, positions, keys: positions }));
}

function sizesOf({ dims }: Value): readonly [number, number] {
  return [dims[0]!, dims[1]!];
}

function keyOf({ layer, hook }: BlockPlace): string {
  return blockHookName(layer, hook);
}
