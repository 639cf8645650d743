/** What the classifier of SHIFT reads: the mean of one hook over the positions of a text. */

import type { HookName } from '../../../shared/domain.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { floatsOf, type Value } from '../../graph/value.ts';
import type { RunEdit } from '../../model/edits.ts';
import { locateModelHook } from '../../model/modelHooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';

/** Texts that run at once. */
export const textsPerBatch = 32;

/** Rows of numbers. */
export interface Rows {
  /** `[row, width]` */
  readonly data: Float32Array;
  readonly width: number;
}

export interface PooledRequest {
  readonly texts: readonly Int32Array[];
  readonly hook: HookName;
  /** Positions before the text, which do not count: 1 with a beginning-of-sequence token. */
  readonly before: number;
  /** Interventions that the runs are under. */
  readonly edits?: readonly RunEdit[];
  readonly signal?: AbortSignal;
  /** Called when some more texts are done. */
  readonly advance?: (texts: number) => void;
}

/** `[text, width]`: means over positions, the beginning-of-sequence token left out. @throws cancelled */
export async function pooledActivations(model: Transformer, request: PooledRequest): Promise<Rows> {
  const { texts, hook, before, edits, signal } = request;
  const { layer } = locateModelHook(model.config, hook);
  let pooled: Rows | undefined;
  for (const { tokens, places } of batchesByLength(texts, textsPerBatch)) {
    throwIfCancelled(signal);
    const run = await model.run({
      tokens,
      capture: [hook],
      edits,
      stopAtLayer: layer + 1,
      logits: 'none',
      signal,
    });
    const means = meanOverPositions(run.hooks.get(hook)!, before);
    pooled ??= { data: new Float32Array(texts.length * means.width), width: means.width };
    for (const [i, place] of places.entries()) {
      pooled.data.set(means.data.subarray(i * means.width, (i + 1) * means.width), place * means.width);
    }
    request.advance?.(places.length);
  }
  return pooled ?? { data: new Float32Array(0), width: 0 };
}

/** The mean of `[batch, position, …]` over positions from `before` on: `[batch, …]`. */
export function meanOverPositions(value: Value, before: number): Rows {
  const [batch = 1, positions = 1] = value.dims;
  const data = floatsOf(value);
  const width = data.length / (batch * positions);
  const counted = Math.max(1, positions - before);
  const first = positions - counted;
  const sums = new Float64Array(batch * width);
  for (let row = 0; row < batch; row++) {
    for (let position = first; position < positions; position++) {
      const at = (row * positions + position) * width;
      for (let i = 0; i < width; i++) sums[row * width + i]! += data[at + i]!;
    }
  }
  return { data: Float32Array.from(sums, (sum) => sum / counted), width };
}
