/** Activations of one or more hooks over a text, kept in memory for training and measuring SAEs. */

import type { HookName } from '../../shared/domain.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf } from '../graph/value.ts';
import type { Transformer } from '../model/transformer.ts';
import { type Random, seededRandom } from '../random.ts';

/** Sequences that run at once. */
const batchSize = 16;

/** Activations `[n, width]` of one hook, and batches drawn from them. */
export class ActivationStore {
  constructor(
    readonly width: number,
    readonly data: Float32Array,
  ) {}

  /** Number of activations. */
  get count(): number {
    return this.data.length / this.width;
  }

  /**
   * `rows` activations `[rows, width]` for step `step`: a pure function of seed and step. Each pass over
   * the store takes them in another random order, so none is drawn twice before all were drawn once; what is
   * left over at the end of a pass is skipped.
   * @throws RangeError when there are fewer than `rows` activations.
   */
  batch(rows: number, seed: number | string, step: number): Float32Array {
    if (rows > this.count)
      throw new RangeError(`A batch of ${rows} needs more than ${this.count} activations.`);
    const out = new Float32Array(rows * this.width);
    const perPass = Math.floor(this.count / rows);
    const order = this.order(`${seed}/${Math.floor(step / perPass)}`);
    const first = (step % perPass) * rows;
    for (let row = 0; row < rows; row++) {
      const from = order[first + row]! * this.width;
      out.set(this.data.subarray(from, from + this.width), row * this.width);
    }
    return out;
  }

  private lastOrder: { readonly key: string; readonly order: Int32Array } | undefined;

  private order(key: string): Int32Array {
    if (this.lastOrder?.key !== key) {
      this.lastOrder = { key, order: shuffledIndices(this.count, seededRandom(key)) };
    }
    return this.lastOrder.order;
  }
}

export interface CollectOptions extends CallOptions {
  /** Positions at the begin of every row that are not kept: activations on a beginning-of-sequence token are outliers. */
  readonly before?: number;
}

/** Runs `rows` of tokens (equal lengths) and keeps the values of `hooks` at every position but the first `before`. */
export async function collectActivations(
  model: Transformer,
  hooks: readonly HookName[],
  rows: readonly Int32Array[],
  { before = 0, ...call }: CollectOptions = {},
): Promise<Map<HookName, ActivationStore>> {
  const positions = rows.reduce((sum, row) => sum + row.length - before, 0);
  const collected = new Map<HookName, { data: Float32Array; filled: number; width: number }>();
  for (let start = 0; start < rows.length; start += batchSize) {
    throwIfCancelled(call.signal);
    const tokens = rows.slice(start, start + batchSize);
    const { hooks: values } = await model.run({
      tokens,
      capture: hooks,
      logits: 'none',
      signal: call.signal,
    });
    for (const hook of hooks) {
      const data = floatsOf(values.get(hook)!);
      const width = data.length / (tokens.length * tokens[0]!.length);
      const store = collected.get(hook) ?? { data: new Float32Array(positions * width), filled: 0, width };
      for (let row = 0; row < tokens.length; row++) {
        const length = tokens[row]!.length * width;
        const kept = data.subarray(row * length + before * width, (row + 1) * length);
        store.data.set(kept, store.filled);
        store.filled += kept.length;
      }
      collected.set(hook, store);
    }
    call.report?.({ done: start + tokens.length, total: rows.length, what: 'Collecting activations' });
  }
  return new Map([...collected].map(([hook, { data, width }]) => [hook, new ActivationStore(width, data)]));
}

function shuffledIndices(count: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
