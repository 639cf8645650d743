/** A plain run of some prompts of equal length, kept so that patched runs can start in the middle of it. */
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { names } from '../model/families/family.ts';
import type { StageHook } from '../model/hooks.ts';
import type { KvCache } from '../model/kvCache.ts';
import type { Transformer } from '../model/transformer.ts';
import { cutAxis, repeatRows } from './rowValues.ts';

/** Streams, keys, values and last logits of a batch; other hooks are computed from the streams when asked for. */
export class BaseRun {
  readonly #hooks = new Map<string, Promise<FloatValue>>();

  private constructor(
    readonly model: Transformer,
    readonly tokens: readonly Int32Array[],
    private readonly residuals: readonly (Value | undefined)[],
    private readonly kv: KvCache,
    /** Logits after the last position: `[row, 1, d_vocab]`. */
    readonly logits: Value,
  ) {}

  /** Runs `tokens` once. @throws as `Transformer.run` */
  static async of(model: Transformer, tokens: readonly Int32Array[], signal?: AbortSignal): Promise<BaseRun> {
    const { residuals, kv, logits } = await model.run({ tokens, keepKv: true, logits: 'last', signal });
    return new BaseRun(model, tokens, residuals, kv!, logits!);
  }

  get rows(): number {
    return this.tokens.length;
  }

  get positions(): number {
    return this.tokens[0]!.length;
  }

  /** What enters block `layer`, or leaves the last one: `[row, position, d_model]`. */
  residual(layer: number): Value {
    return this.residuals[layer]!;
  }

  /** What a part of block `layer` is fed when it starts at position `first`, for `copies` of the rows. */
  feeds(layer: number, first: number, copies: number): Record<string, Value> {
    const earlier = (value: Value) => repeatRows(cutAxis(value, 1, 0, first), copies);
    return {
      [names.pastKeys]: earlier(this.kv.keys[layer]!),
      [names.pastValues]: earlier(this.kv.values[layer]!),
    };
  }

  /** The value of a block's hook at all positions. Kept. */
  hook(layer: number, hook: StageHook): Promise<FloatValue> {
    const key = `${layer}.${hook}`;
    let value = this.#hooks.get(key);
    if (!value) {
      value = this.#compute(layer, hook);
      this.#hooks.set(key, value);
      value.catch(() => this.#hooks.delete(key));
    }
    return value;
  }

  async #compute(layer: number, hook: StageHook): Promise<FloatValue> {
    if (hook === 'hook_resid_pre') return asFloats(this.residual(layer));
    if (hook === 'hook_resid_post') return asFloats(this.residual(layer + 1));
    const feeds = { [names.residual]: this.residual(layer), ...this.feeds(layer, 0, 1) };
    const results = await this.model.stages.part({ layer, feeds, outputs: [hook] });
    return asFloats(results[hook]!);
  }
}

function asFloats(value: Value): FloatValue {
  return floatValue(floatsOf(value), value.dims);
}

/** The first position at which two batches of equally long prompts have different tokens; their length if nowhere. */
export function firstDifference(a: readonly Int32Array[], b: readonly Int32Array[]): number {
  const length = a[0]?.length ?? 0;
  for (let position = 0; position < length; position++) {
    if (a.some((row, i) => row[position] !== b[i]![position])) return position;
  }
  return length;
}
