/** A loaded language model: runs prompts with captured hooks and edits, block by block. */

import type { HookName, ModelInfo } from '../../shared/domain.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { type FloatValue, intValue, type Value, zerosValue } from '../graph/value.ts';
import { watchPatterns } from './attentionSources.ts';
import type { ModelConfig } from './config.ts';
import type { RunEdit } from './edits.ts';
import { type ModelStages, names } from './families/family.ts';
import type { HookPlace, RunSizes, StageHook } from './hooks.ts';
import { cachedPositions, type KvCache, pickPositions } from './kvCache.ts';
import { locateModelHook } from './modelHooks.ts';
import { type OpenedModel, type OpenOptions, openModelFolder } from './openModelFolder.ts';
import { modelParity } from './parity.ts';
import { type PlacedEdit, resolveEdits } from './resolveEdits.ts';
import type { Stage } from './stageProgram.ts';
import type { StageRunner } from './stageRunner.ts';

/** What one run should compute. */
export interface RunRequest {
  /** Token ids of prompts of equal length. May be left out when the run starts `from` a layer. */
  readonly tokens?: readonly Int32Array[];
  /** Starts at a block with a known residual stream `[batch, position, d_model]` instead of at the tokens. */
  readonly from?: { readonly layer: number; readonly residual: Value };
  /** Keys and values of the positions before the first one that is run. */
  readonly past?: KvCache;
  /** Hooks whose values (after edits) are wanted. */
  readonly capture?: readonly HookName[];
  /** Hooks that are only looked at: each value is handed over when its stage has run, and not kept. */
  readonly watch?: ReadonlyMap<HookName, (value: Value) => void>;
  /** Edits in the order of their stack; those at one hook act one after the other. */
  readonly edits?: readonly RunEdit[];
  /** Runs the blocks below this one only; no logits then, even when it lies behind the last block. */
  readonly stopAtLayer?: number;
  /** Positions whose logits are wanted. Default 'all'. */
  readonly logits?: 'all' | 'last' | 'none' | readonly number[];
  /** Hand out keys and values of the positions that were run. */
  readonly keepKv?: boolean;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly hooks: ReadonlyMap<HookName, Value>;
  /** `[batch, position, d_vocab]`, the positions that were asked for. */
  readonly logits?: Value;
  /**
   * `residuals[layer]` entered block `layer` (before any edit there) and `residuals[n_layers]` left the last one:
   * `[batch, position, d_model]`. Layers that were not run are absent.
   */
  readonly residuals: readonly (Value | undefined)[];
  /** Keys and values of the positions that were run, by layer. */
  readonly kv?: KvCache;
}

interface RunState {
  readonly request: RunRequest;
  readonly sizes: RunSizes;
  readonly capture: ReadonlyMap<number, readonly HookPlace[]>;
  readonly edits: ReadonlyMap<number, readonly PlacedEdit[]>;
  readonly hooks: Map<HookName, Value>;
}

export class Transformer {
  readonly info: ModelInfo;
  readonly config: ModelConfig;
  /** The model as graphs, for methods that build programs of their own over its weights. */
  readonly graph: ModelStages;
  /** Runs single stages; for gradients and methods that work on one block. */
  readonly stages: StageRunner;
  /** The files of its tokenizer; see `ModelFiles`. */
  readonly readTokenizer: OpenedModel['readTokenizer'];

  private constructor({ info, config, graph, stages, readTokenizer }: OpenedModel) {
    this.info = info;
    this.config = config;
    this.graph = graph;
    this.stages = stages;
    this.readTokenizer = readTokenizer;
  }

  /**
   * Opens a model and checks all its weights' shapes; programs are compiled when they are first needed. A recording of
   * another library beside the weights (see parity.ts) is compared with at once.
   * @throws file.missing, file.unreadable, file.malformed, model.unsupported, model.invalidConfig, model.missingWeight,
   * model.wrongShape, model.tooLarge.
   */
  static async open(folder: string, options: OpenOptions = {}): Promise<Transformer> {
    const opened = await openModelFolder(folder, options);
    const model = new Transformer(opened);
    try {
      // Compared by the very programs that look at prompts later: others would be compiled for this alone, and stay.
      const watch = watchPatterns(model.config.nLayers, () => undefined);
      const comparable = {
        config: model.config,
        run: (request: RunRequest) => model.run({ ...request, watch }),
      };
      const parity = await modelParity(comparable, opened.info, options.signal);
      return new Transformer({ ...opened, info: { ...opened.info, parity } });
    } catch (error) {
      await model.release();
      throw error;
    }
  }

  /**
   * Runs prompts (see `RunRequest`).
   * @throws request.invalid for tokens, hooks or edits that do not fit the model; prompt.empty; cancelled.
   */
  async run(request: RunRequest): Promise<RunResult> {
    const { nLayers } = this.config;
    const state = this.#start(request);
    const first = request.from?.layer ?? 0;
    const end = Math.min(request.stopAtLayer ?? nLayers, nLayers);
    const residuals: (Value | undefined)[] = Array.from({ length: nLayers + 1 });
    const [keys, values]: [Value[], Value[]] = [[], []];
    let residual = request.from?.residual ?? (await this.#embed(state));
    residuals[first] = residual;
    for (let layer = first; layer < end; layer++) {
      throwIfCancelled(request.signal);
      const results = await this.#block(state, layer, residual);
      residual = results[names.nextResidual]!;
      residuals[layer + 1] = residual;
      if (request.keepKv) {
        keys[layer] = results[names.keys]!;
        values[layer] = results[names.values]!;
      }
    }
    throwIfCancelled(request.signal);
    const logits = end === nLayers ? await this.#final(state, residual) : undefined;
    return {
      hooks: state.hooks,
      residuals,
      ...(logits && { logits }),
      ...(request.keepKv && { kv: { keys, values } }),
    };
  }

  /** Reads any residual stream `[batch, position, d_model]` out through the final norm and unembedding: logits. */
  async readOut(residual: Value): Promise<FloatValue> {
    const [batch = 1, positions = 0] = residual.dims;
    const results = await this.stages.forward({
      stage: 'final',
      sizes: { batch, positions, keys: positions },
      feeds: { [names.residual]: residual },
      edits: new Map(),
      hooks: ['unembed.hook_out'],
      outputs: [],
    });
    return results['unembed.hook_out'] as FloatValue;
  }

  /**
   * What each head of a layer adds to the stream when `residual` `[1, position, d_model]` enters it:
   * `[1, position, head, d_model]`. A norm behind the attention is applied with what it divides by held fixed.
   */
  async headWrites(layer: number, residual: Value): Promise<FloatValue> {
    const [batch = 1, positions = 0] = residual.dims;
    const results = await this.stages.forward({
      stage: layer,
      sizes: { batch, positions, keys: positions },
      feeds: { [names.residual]: residual, ...this.#noPast(batch) },
      edits: new Map(),
      hooks: ['attn.hook_result'],
      outputs: [names.headWrites],
    });
    return results[names.headWrites] as FloatValue;
  }

  /** Frees the native memory. Runs that are under way end first. */
  release(): Promise<void> {
    return this.stages.release();
  }

  #start(request: RunRequest): RunState {
    const past = cachedPositions(request.past);
    const [batch, positions] = this.#checkInput(request, past);
    const capture = new Map<number, HookPlace[]>();
    for (const name of new Set([...(request.capture ?? []), ...(request.watch?.keys() ?? [])])) {
      const place = locateModelHook(this.config, name);
      append(capture, place.layer, place);
    }
    const edits = new Map<number, PlacedEdit[]>();
    for (const edit of request.edits ?? []) {
      const { layer, hook } = locateModelHook(this.config, edit.hook);
      append(edits, layer, { hook, edit });
    }
    return { request, capture, edits, sizes: { batch, positions, keys: past + positions }, hooks: new Map() };
  }

  /** Batch size and number of new positions. */
  #checkInput({ tokens, from }: RunRequest, past: number): readonly [number, number] {
    const { nContext, dVocab, dModel, nLayers } = this.config;
    if (from) {
      const { dims } = from.residual;
      if (dims.length !== 3 || dims[2] !== dModel || !(from.layer >= 0 && from.layer <= nLayers)) {
        throw invalid('The residual stream', `it is [${dims.join(', ')}] at layer ${from.layer}`);
      }
      return [dims[0]!, dims[1]!];
    }
    const length = tokens?.[0]?.length ?? 0;
    if (!tokens || length === 0) throw new EngineError('prompt.empty', {});
    if (tokens.some((row) => row.length !== length))
      throw invalid('The batch', 'its prompts differ in length');
    if (past + length > nContext) {
      throw invalid('The prompt', `it has ${past + length} tokens and the model reads at most ${nContext}`);
    }
    for (const row of tokens) {
      const wrong = row.find((id) => id < 0 || id >= dVocab);
      if (wrong !== undefined) throw invalid(`Token ${wrong}`, `the vocabulary has ${dVocab} tokens`);
    }
    return [tokens.length, length];
  }

  async #embed(state: RunState): Promise<Value> {
    const { batch, positions, keys } = state.sizes;
    const tokens = new Int32Array(batch * positions);
    state.request.tokens?.forEach((row, i) => {
      tokens.set(row, i * positions);
    });
    const start = keys - positions;
    const feeds = {
      [names.tokens]: intValue(tokens, [batch, positions]),
      [names.positions]: intValue(Int32Array.from({ length: positions }, (_, i) => start + i)),
    };
    const results = await this.#stage(state, 'embed', -1, feeds, [names.nextResidual]);
    return results[names.nextResidual]!;
  }

  async #block(state: RunState, layer: number, residual: Value): Promise<Readonly<Record<string, Value>>> {
    const { past, keepKv } = state.request;
    const feeds: Record<string, Value> = { [names.residual]: residual, ...this.#noPast(state.sizes.batch) };
    const [keys, values] = [past?.keys[layer], past?.values[layer]];
    if (keys && values) Object.assign(feeds, { [names.pastKeys]: keys, [names.pastValues]: values });
    const outputs = keepKv ? [names.nextResidual, names.keys, names.values] : [names.nextResidual];
    return this.#stage(state, layer, layer, feeds, outputs);
  }

  #noPast(batch: number): Record<string, Value> {
    const { nKeyValueHeads, dHead } = this.config;
    const nothing = zerosValue('float32', [batch, 0, nKeyValueHeads, dHead]);
    return { [names.pastKeys]: nothing, [names.pastValues]: nothing };
  }

  async #final(state: RunState, residual: Value): Promise<Value | undefined> {
    const { nLayers } = this.config;
    const { stopAtLayer, logits: asked = 'all' } = state.request;
    const logits = stopAtLayer === undefined ? asked : 'none';
    const isObserved = state.capture.has(nLayers) || state.edits.has(nLayers);
    if (logits === 'none' && !isObserved) return undefined;
    const last = state.sizes.positions - 1;
    const chosen = logits === 'last' ? [last] : logits;
    if (!isObserved && typeof chosen !== 'string') return this.readOut(pickPositions(residual, chosen));
    const wanted = logits === 'none' ? [] : ['unembed.hook_out'];
    const results = await this.#stage(state, 'final', nLayers, { [names.residual]: residual }, wanted);
    if (logits === 'none') return undefined;
    const all = results['unembed.hook_out']!;
    return typeof chosen === 'string' ? all : pickPositions(all, chosen);
  }

  /** Runs one stage with its edits and stores its captured hooks. `at` is its place in the maps of `state`. */
  async #stage(
    state: RunState,
    stage: Stage,
    at: number,
    feeds: Readonly<Record<string, Value>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, Value>>> {
    const { sizes } = state;
    const captured = state.capture.get(at) ?? [];
    const hooks = captured.map(({ hook }) => hook);
    const edits = await resolveEdits(this.stages, { stage, sizes, feeds }, state.edits.get(at) ?? []);
    const isLogits = stage === 'final' && outputs.length > 0;
    const results = await this.stages.forward({
      stage,
      sizes,
      feeds,
      edits,
      hooks: isLogits ? [...hooks, 'unembed.hook_out'] : hooks,
      outputs: isLogits ? [] : outputs,
    });
    for (const hook of hooks) hand(state, fullName(stage, hook), results[hook]!);
    return results;
  }
}

/** Gives a hook's value to whoever asked for it. */
function hand({ request, hooks }: RunState, name: HookName, value: Value): void {
  request.watch?.get(name)?.(value);
  if (request.capture?.includes(name)) hooks.set(name, value);
}

function append<V>(groups: Map<number, V[]>, key: number, item: V): void {
  groups.set(key, [...(groups.get(key) ?? []), item]);
}

function fullName(stage: Stage, hook: StageHook): HookName {
  return typeof stage === 'number' ? `blocks.${stage}.${hook}` : hook;
}

function invalid(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason });
}
