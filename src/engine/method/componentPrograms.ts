/**
 * Programs that compute what a layer's heads, or its MLP, write when each of their inputs is put together from chosen
 * sources. Nothing else of the layer is computed.
 */
import { add } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { reshape, transpose } from '../graph/ops/layout.ts';
import { type Program, program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import type { Dim, Tensor } from '../graph/tensor.ts';
import { HookSites } from '../model/hookSites.ts';
import type { StageHook } from '../model/hooks.ts';
import type { Transformer } from '../model/transformer.ts';

/** The inputs of a layer that read the stream, each by a hook of its own. */
export type ReadingPart = 'q' | 'k' | 'v' | 'mlp';

/** The two parts of a layer that write. */
export type Sublayer = 'attention' | 'mlp';

const hookOf: Readonly<Record<ReadingPart, StageHook>> = {
  q: 'hook_q_input',
  k: 'hook_k_input',
  v: 'hook_v_input',
  mlp: 'hook_mlp_in',
};

/** How many destinations a part has. */
export function partWidth(model: Transformer, part: ReadingPart): number {
  if (part === 'mlp') return 1;
  return part === 'q' ? model.config.nHeads : model.config.nKeyValueHeads;
}

/** The outcome under `written`; the inputs that were put together under `inputName`. */
export const outputNames = { written: 'written' } as const;
export const inputName = (part: ReadingPart): string => `${part}:mixed`;

/** The programs of one model, each compiled when it is first asked for. They run any number of pairs of any length. */
export class ComponentPrograms {
  readonly #model: Transformer;
  readonly #compiled = new Map<string, Promise<CompiledProgram>>();

  constructor(model: Transformer) {
    this.#model = model;
  }

  /** See `layerProgram`. */
  get(layer: number, kind: Sublayer, shared: boolean): Promise<CompiledProgram> {
    const key = `${layer} ${kind} ${shared}`;
    const known = this.#compiled.get(key);
    if (known) return known;
    const compiled = compile(layerProgram(this.#model, layer, kind, shared), { prepacking: false });
    this.#compiled.set(key, compiled);
    return compiled;
  }

  /** Frees the native memory. */
  async release(): Promise<void> {
    const programs = [...this.#compiled.values()];
    this.#compiled.clear();
    for (const compiled of programs) await (await compiled).release();
  }
}

/**
 * For a part with d destinations, its input is `base + mask · changes`, with feeds
 * `{part}:base` `[1, pair, position, d, d_model]`, `{part}:mask` `[rows, 1, 1, d, source]`, and for all parts
 * `changes` `[source, rows, pair, position, d_model]`; `rows` is 1 there when they are `shared` by all rows.
 * Writes come out as `[head, rows · pair, position, d_model]` (`[rows · pair, position, d_model]` for an MLP), and the
 * inputs as `[rows, pair, position, d, d_model]`.
 */
export function layerProgram(model: Transformer, layer: number, kind: Sublayer, shared: boolean): Program {
  const { dModel } = model.config;
  const parts: readonly ReadingPart[] = kind === 'mlp' ? ['mlp'] : ['q', 'k', 'v'];
  const rows: Dim = shared ? 1 : 'rows';
  const changes = input('changes', 'float32', ['source', rows, 'pair', 'position', dModel]);
  const bySource = transpose(changes, [1, 2, 3, 0, 4]);
  const outputs: Record<string, Tensor> = {};
  const replaced = new Map<StageHook, Tensor>();
  for (const part of parts) {
    const width = partWidth(model, part);
    const base = input(`${part}:base`, 'float32', [1, 'pair', 'position', width, dModel]);
    const mask = input(`${part}:mask`, 'float32', ['rows', 1, 1, width, 'source']);
    const mixed = add(base, matMul(mask, bySource));
    outputs[inputName(part)] = mixed;
    const perHead = reshape(mixed, ['batch', 'position', width, dModel]);
    replaced.set(hookOf[part], part === 'mlp' ? reshape(perHead, ['batch', 'position', dModel]) : perHead);
  }
  outputs[outputNames.written] = writes(model, layer, kind, replaced);
  return program(outputs);
}

function writes(
  model: Transformer,
  layer: number,
  kind: Sublayer,
  replaced: ReadonlyMap<StageHook, Tensor>,
): Tensor {
  const sites = new ReplacingSites(model, replaced, kind === 'mlp' ? [] : ['attn.hook_result']);
  // Stands where the stream would be; nothing that is asked for reads it.
  const unread = input('unread', 'float32', ['batch', 'position', model.config.dModel]);
  const { headWrites } = model.graph.block(layer, sites, unread);
  if (kind === 'mlp') return sites.tensors.get('hook_mlp_out')!;
  return transpose(headWrites!, [2, 0, 1, 3]);
}

/** Hooks of a block some of which take another value than the block's own. */
class ReplacingSites extends HookSites {
  readonly #replaced: ReadonlyMap<StageHook, Tensor>;

  constructor(model: Transformer, replaced: ReadonlyMap<StageHook, Tensor>, reads: readonly StageHook[]) {
    const demands = {
      reads: new Set([...replaced.keys(), ...reads]),
      edits: [],
      gradients: new Set<StageHook>(),
    };
    super(demands, model.config, 'position');
    this.#replaced = replaced;
  }

  override at(hook: StageHook, x: Tensor): Tensor {
    return super.at(hook, this.#replaced.get(hook) ?? x);
  }
}
