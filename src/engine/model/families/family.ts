/** What a family of models has to say: how its config reads, and which weights make its stages. */
import type { Tensor } from '../../graph/tensor.ts';
import type { BlockWeights } from '../blockGraph.ts';
import type { ModelConfig } from '../config.ts';
import type { HookSites } from '../hookSites.ts';
import type { Norm } from '../normGraph.ts';
import type { ModelWeights } from '../weights.ts';

/** Names of inputs and outputs that every family's programs share; hooks' values are called by the hook's name. */
export const names = {
  /** int32 `[batch, position]`. */
  tokens: 'tokens',
  /** int32 `[position]`, counted from the start of the prompt. */
  positions: 'positions',
  /** What a stage starts from: float32 `[batch, position, d_model]`. */
  residual: 'residual',
  /** What it hands on, of the same shape. */
  nextResidual: 'nextResidual',
  /** The gradient at `residual`, in a backward program. */
  residualGradient: 'residualGradient',
  /** Of positions before the ones that are run: float32 `[batch, past, key-value head, d_head]`. */
  pastKeys: 'pastKeys',
  pastValues: 'pastValues',
  /** Of the positions that are run, ready to be attended to: float32 `[batch, position, key-value head, d_head]`. */
  keys: 'keys',
  values: 'values',
  /** What each head adds to the stream: float32 `[batch, position, head, d_model]`, beside the hook `attn.hook_result`. */
  headWrites: 'headWrites',
} as const;

/** The last value of each stage, which the next one starts from. The final stage ends in the logits. */
export interface BlockResult {
  readonly residual: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
  /**
   * `attn.hook_result` through the norm behind the attention, if there is one, with what that divides by held fixed: so the
   * heads and the bias add up to `hook_attn_out`. Given when that hook is wanted.
   */
  readonly headWrites?: Tensor;
}

/** The three kinds of stages, as graphs. Every hook is declared at `sites` on the way. */
export interface ModelStages {
  /** From inputs `tokens` and `positions` to the residual stream `[batch, position, d_model]`. */
  embed(sites: HookSites): Tensor;
  /** One block. `past` is given when keys and values of earlier positions are attended to as well. */
  block(
    layer: number,
    sites: HookSites,
    residual: Tensor,
    past?: { readonly keys: Tensor; readonly values: Tensor },
  ): BlockResult;
  /** From the last block's residual stream to what the unembedding reads, `[batch, position, d_model]`. */
  finalNorm(sites: HookSites, residual: Tensor): Tensor;
  /** From `unembed.hook_in` to logits `[batch, position, d_vocab]`. */
  unembed(normalized: Tensor): Tensor;
  /**
   * From a gradient of the logits of `normalized` to one of `normalized`, which is `unembed.hook_in`. With `tokens`
   * `[token]` the gradient holds those logits only, `[batch, position, token]`, and nothing is read for the others.
   */
  unembedGradient(gradient: Tensor, normalized: Tensor, tokens?: Tensor): Tensor;
  /** The unembedding's matrix alone, without bias and cap: what a direction adds to the logits. */
  project(direction: Tensor): Tensor;
  /** Its transpose: from weights of uncapped logits, of all or of `tokens`, to a direction of `unembed.hook_in`. */
  projectTransposed(weights: Tensor, tokens?: Tensor): Tensor;
}

/** All weights of a model, each in its place. */
export interface ModelWeightParts {
  /** `[d_vocab, d_model]`. */
  readonly tokenEmbedding: Tensor;
  /** `[offset + n_ctx, d_model]`: position i has row `offset + i`. */
  readonly positionEmbedding?: { readonly table: Tensor; readonly offset: number };
  readonly blocks: readonly BlockWeights[];
  readonly finalNorm: Norm;
  /** `[d_vocab, d_model]`. */
  readonly unembedding: Tensor;
  /** `[d_vocab]`. */
  readonly unembeddingBias?: Tensor;
}

export interface ModelFamily {
  /** The `model_type`s that configs call it by, the usual one first. */
  readonly modelTypes: readonly [string, ...string[]];
  /** Its class in Hugging Face transformers, for old configs without a `model_type`. */
  readonly architecture: string;
  /** @throws model.invalidConfig for what is wrong, and for what this family can have but Fovea does not run. */
  readConfig(path: string, content: Readonly<Record<string, unknown>>): ModelConfig;
  /**
   * Finds and checks all weights at once, so that a damaged model fails when it is opened.
   * @throws model.missingWeight, model.wrongShape, file.malformed.
   */
  readWeights(config: ModelConfig, weights: ModelWeights): ModelWeightParts;
}
