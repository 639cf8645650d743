/**
 * The live path: what is known of one prompt after a clean run, and how the next prompt reuses it. Keys, values and
 * residual streams of the common prefix stay; only the rest is computed.
 */

import type { AttentionSource } from '../../shared/analysis.ts';
import type { HookName } from '../../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import { collectStrongest, watchPatterns } from './attentionSources.ts';
import { GrowingRows } from './growingRows.ts';
import { blockHookName, hookDims, isPerPosition, locateHook } from './hooks.ts';
import type { KvCache } from './kvCache.ts';
import { locateModelHook } from './modelHooks.ts';
import type { RunResult, Transformer } from './transformer.ts';

export interface PromptRunOptions {
  /** Hooks whose values are kept for every position; they must have one row per position. */
  readonly hooks?: readonly HookName[];
  /** Look for the attention head that looks back hardest from each position. */
  readonly attention?: boolean;
  /** The run to reuse. It stays as it is. */
  readonly previous?: PromptRun;
  readonly signal?: AbortSignal;
}

interface Kept {
  readonly residuals: readonly GrowingRows[];
  readonly keys: readonly GrowingRows[];
  readonly values: readonly GrowingRows[];
  readonly hooks: ReadonlyMap<HookName, GrowingRows>;
  /** By layer and position. */
  readonly strongest: readonly (readonly (AttentionSource | undefined)[])[] | undefined;
}

/**
 * Runs `tokens` cleanly, reusing `previous` as far as its tokens are the same.
 * @throws request.invalid when a hook does not exist or has no row per position; prompt.empty; cancelled.
 */
export async function runPrompt(
  model: Transformer,
  tokens: Int32Array,
  options: PromptRunOptions = {},
): Promise<PromptRun> {
  const { signal, previous } = options;
  throwIfCancelled(signal);
  const wanted = [...new Set(options.hooks ?? [])];
  for (const hook of wanted) requirePerPosition(model, hook);
  const before = previous?.model === model ? previous.kept : emptyKept(model);
  const isAttentionMissing = options.attention === true && before.strongest === undefined;
  const prefix = isAttentionMissing
    ? 0
    : commonPrefix(tokens, previous?.model === model ? previous.tokens : undefined);
  // Hooks that were not kept before are made up for from the kept residual streams below.
  const carried = wanted.filter((hook) => prefix === 0 || before.hooks.has(hook));
  const kept =
    prefix === tokens.length && tokens.length > 0
      ? shortened(before, prefix)
      : await extend(model, tokens, { before, prefix, carried, options });
  const run = new PromptRun(model, tokens.slice(), prefix, kept);
  return run.withHooks(wanted, signal);
}

/** A clean run of one prompt: immutable, and everything in it covers all positions. */
export class PromptRun {
  constructor(
    readonly model: Transformer,
    readonly tokens: Int32Array,
    /** Positions taken over from the run before. */
    readonly reused: number,
    /** For the next run. */
    readonly kept: Kept,
  ) {}

  /** What entered block `layer`, or left the last one for `layer` = n_layers: `[1, position, d_model]`. */
  residual(layer: number): Value {
    return this.kept.residuals[layer]!.value();
  }

  /** All residual streams, as gradients want them. */
  residuals(): readonly Value[] {
    return this.kept.residuals.map((rows) => rows.value());
  }

  /** Reads `residual(layer)` of the layers below `end` later on, without holding on to anything else. */
  residualReader(end = this.model.config.nLayers + 1): (layer: number) => Value {
    const residuals = this.kept.residuals.slice(0, end);
    return (layer) => residuals[layer]!.value();
  }

  /** A kept hook's value `[1, position, …]`. Throws when it was not asked for. */
  hook(name: HookName): Value {
    const rows = this.kept.hooks.get(name);
    if (!rows) throw new Error(`${name} was not kept; ask for it when the prompt is run.`);
    return rows.value();
  }

  /** By position; undefined where there is nothing to look back at. Absent when it was not asked for. */
  get strongestAttention(): readonly (AttentionSource | undefined)[] | undefined {
    return this.strongestBelow(this.model.config.nLayers);
  }

  /** The same among the heads of the layers below `layer` only. */
  strongestBelow(layer: number): readonly (AttentionSource | undefined)[] | undefined {
    const layers = this.kept.strongest?.slice(0, layer);
    return layers && this.#strongestOf(layers);
  }

  /** Any hooks, recomputed from the kept residual streams: one block per layer that is asked for. */
  async capture(hooks: readonly HookName[], signal?: AbortSignal): Promise<ReadonlyMap<HookName, Value>> {
    const found = new Map<HookName, Value>();
    const layers = new Map<number, HookName[]>();
    for (const name of new Set(hooks)) {
      const { layer } = locateModelHook(this.model.config, name);
      layers.set(layer, [...(layers.get(layer) ?? []), name]);
    }
    for (const [layer, capture] of layers) {
      throwIfCancelled(signal);
      const results = await this.#captureLayer(layer, capture, signal);
      for (const name of capture) found.set(name, results.hooks.get(name)!);
    }
    return found;
  }

  /** The attention pattern of one layer, `[1, head, query, key]`. */
  async pattern(layer: number, signal?: AbortSignal): Promise<Value> {
    const name = blockHookName(layer, 'attn.hook_pattern');
    return (await this.capture([name], signal)).get(name)!;
  }

  /** The same run with exactly these hooks kept. */
  async withHooks(wanted: readonly HookName[], signal?: AbortSignal): Promise<PromptRun> {
    const missing = wanted.filter((name) => !this.kept.hooks.has(name));
    const values = await this.capture(missing, signal);
    const hooks = new Map<HookName, GrowingRows>();
    for (const name of wanted) {
      hooks.set(
        name,
        this.kept.hooks.get(name) ?? rowsFor(this.model, name).extended(0, floatsOf(values.get(name)!)),
      );
    }
    return new PromptRun(this.model, this.tokens, this.reused, { ...this.kept, hooks });
  }

  #strongestOf(
    layers: readonly (readonly (AttentionSource | undefined)[])[],
  ): (AttentionSource | undefined)[] {
    return Array.from(this.tokens, (_, position) => {
      let best: AttentionSource | undefined;
      for (const sources of layers) {
        const source = sources[position];
        if (source && source.weight > (best?.weight ?? 0)) best = source;
      }
      return best;
    });
  }

  #captureLayer(layer: number, capture: readonly HookName[], signal?: AbortSignal): Promise<RunResult> {
    const logits = 'none' as const;
    if (layer < 0) return this.model.run({ tokens: [this.tokens], capture, stopAtLayer: 0, signal });
    const from = { layer, residual: this.residual(layer) };
    return this.model.run({ from, capture, stopAtLayer: layer + 1, logits, signal });
  }
}

async function extend(
  model: Transformer,
  tokens: Int32Array,
  work: { before: Kept; prefix: number; carried: readonly HookName[]; options: PromptRunOptions },
): Promise<Kept> {
  const { before, prefix, carried, options } = work;
  const { nLayers } = model.config;
  const fresh = Array.from({ length: nLayers }, () =>
    Array.from<AttentionSource | undefined>({ length: tokens.length - prefix }),
  );
  const past: KvCache = {
    keys: before.keys.map((rows) => rows.value(prefix)),
    values: before.values.map((rows) => rows.value(prefix)),
  };
  const result = await model.run({
    tokens: [tokens.subarray(prefix)],
    past,
    capture: carried,
    watch: options.attention
      ? watchPatterns(nLayers, (pattern, layer) => collectStrongest(fresh[layer]!, pattern, layer))
      : undefined,
    logits: 'none',
    keepKv: true,
    signal: options.signal,
  });
  const grown = (rows: GrowingRows, value: Value | undefined) => rows.extended(prefix, floatsOf(value!));
  const hooks = new Map<HookName, GrowingRows>();
  for (const name of carried) {
    hooks.set(name, grown(before.hooks.get(name) ?? rowsFor(model, name), result.hooks.get(name)));
  }
  const strongest = options.attention
    ? fresh.map((sources, layer) => [...(before.strongest?.[layer] ?? []).slice(0, prefix), ...sources])
    : undefined;
  return {
    residuals: before.residuals.map((rows, layer) => grown(rows, result.residuals[layer])),
    keys: before.keys.map((rows, layer) => grown(rows, result.kv?.keys[layer])),
    values: before.values.map((rows, layer) => grown(rows, result.kv?.values[layer])),
    hooks,
    strongest,
  };
}

function shortened(kept: Kept, length: number): Kept {
  const cut = (rows: GrowingRows) => rows.shortened(length);
  return {
    residuals: kept.residuals.map(cut),
    keys: kept.keys.map(cut),
    values: kept.values.map(cut),
    hooks: new Map([...kept.hooks].map(([name, rows]) => [name, cut(rows)])),
    strongest: kept.strongest?.map((sources) => sources.slice(0, length)),
  };
}

function emptyKept(model: Transformer): Kept {
  const { nLayers, nKeyValueHeads, dHead, dModel } = model.config;
  const perLayer = (rowDims: readonly number[], layers = nLayers) =>
    Array.from({ length: layers }, () => GrowingRows.empty(rowDims));
  return {
    residuals: perLayer([dModel], nLayers + 1),
    keys: perLayer([nKeyValueHeads, dHead]),
    values: perLayer([nKeyValueHeads, dHead]),
    hooks: new Map(),
    strongest: undefined,
  };
}

function rowsFor(model: Transformer, name: HookName): GrowingRows {
  const { hook } = locateHook(name, model.config.nLayers);
  return GrowingRows.empty(hookDims(hook, model.config, { batch: 1, positions: 1, keys: 1 }).slice(2));
}

function requirePerPosition(model: Transformer, name: HookName): void {
  const { hook } = locateModelHook(model.config, name);
  if (isPerPosition(hook)) return;
  const reason = 'it has no row per position; capture it from a run instead';
  throw new EngineError('request.invalid', { what: `The hook "${name}"`, reason });
}

function commonPrefix(tokens: Int32Array, before: Int32Array | undefined): number {
  const most = Math.min(tokens.length, before?.length ?? 0);
  let length = 0;
  while (length < most && tokens[length] === before![length]) length++;
  return length;
}
