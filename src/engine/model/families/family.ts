/** What a family of models has to say: which weights it needs, and how its stages are computed from them. */
import type { Tensor } from '../../graph/tensor.ts';
import type { ModelConfig } from '../config.ts';
import type { HookSites } from '../hookSites.ts';
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
  /** Of positions before the ones that are run: float32 `[batch, past, head, d_head]`. */
  pastKeys: 'pastKeys',
  pastValues: 'pastValues',
  /** Of the positions that are run: float32 `[batch, position, head, d_head]`. */
  keys: 'keys',
  values: 'values',
} as const;

/** The last value of each stage, which the next one starts from. The final stage ends in the logits. */
export interface BlockResult {
  readonly residual: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
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
  /** The transposed unembedding: from a gradient of the logits to one of `unembed.hook_in`. */
  unembedTransposed(gradient: Tensor): Tensor;
}

/**
 * Finds and checks all weights at once, so that a damaged model fails when it is opened.
 * @throws model.missingWeight, model.wrongShape, file.malformed.
 */
export type ModelFamily = (config: ModelConfig, weights: ModelWeights) => ModelStages;
