/** GPT-2 (Radford et al. 2019) as Hugging Face stores it: `Conv1D` weights are `[in, out]`, names may begin with `transformer.`. */
import { add } from '../../graph/ops/elementwise.ts';
import { matMul } from '../../graph/ops/layer.ts';
import { expandLike, transposeLast, unsqueeze } from '../../graph/ops/layout.ts';
import { gather } from '../../graph/ops/picking.ts';
import { input } from '../../graph/sources.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { type BlockWeights, block, layerNorm, type Norm } from '../blockGraph.ts';
import type { ModelConfig } from '../config.ts';
import type { HookSites } from '../hookSites.ts';
import type { ModelWeights } from '../weights.ts';
import { type ModelFamily, type ModelStages, names } from './family.ts';

export const gpt2: ModelFamily = (config, weights) => {
  const { nLayers, dModel, dVocab, nContext } = config;
  const prefix = weights.has('wte.weight') ? '' : 'transformer.';
  const tokenEmbedding = weights.tensor(`${prefix}wte.weight`, [dVocab, dModel]);
  const positionEmbedding = weights.tensor(`${prefix}wpe.weight`, [nContext, dModel]);
  const blocks = Array.from({ length: nLayers }, (_, layer) => blockWeights(config, weights, prefix, layer));
  const finalNorm = norm(config, weights, `${prefix}ln_f`);
  const unembedding = config.tiedEmbeddings
    ? tokenEmbedding
    : weights.tensor('lm_head.weight', [dVocab, dModel]);
  return stages(tokenEmbedding, positionEmbedding, blocks, finalNorm, unembedding);
};

function stages(
  tokenEmbedding: Tensor,
  positionEmbedding: Tensor,
  blocks: readonly BlockWeights[],
  norm: Norm,
  unembedding: Tensor,
): ModelStages {
  return {
    embed: (sites) => embed(sites, tokenEmbedding, positionEmbedding),
    block: (layer, sites, residual, past) => block(blocks[layer]!, sites, residual, past),
    finalNorm: (sites, residual) => sites.at('unembed.hook_in', layerNorm(sites, 'ln_final', residual, norm)),
    unembed: (normalized) => timesTransposed(normalized, unembedding),
    unembedTransposed: (gradient) => matMul(gradient, unembedding),
  };
}

function embed(sites: HookSites, tokenEmbedding: Tensor, positionEmbedding: Tensor): Tensor {
  const tokens = input(names.tokens, 'int32', ['batch', 'position']);
  const positions = input(names.positions, 'int32', ['position']);
  const ofTokens = sites.at('hook_embed', gather(tokenEmbedding, tokens));
  const ofPositions = unsqueeze(gather(positionEmbedding, positions), [0]);
  // TransformerLens repeats the position embedding for every prompt of the batch.
  return add(ofTokens, sites.at('hook_pos_embed', expandLike(ofPositions, ofTokens)));
}

/**
 * `x · Wᵀ` for the stored `W` `[n, d]`, computed as `(W · xᵀ)ᵀ`: a transposed weight would be a second copy in memory.
 */
function timesTransposed(x: Tensor, weight: Tensor): Tensor {
  return transposeLast(matMul(weight, transposeLast(x)));
}

function blockWeights(
  config: ModelConfig,
  weights: ModelWeights,
  prefix: string,
  layer: number,
): BlockWeights {
  const { dModel, dMlp, nHeads, dHead } = config;
  const at = `${prefix}h.${layer}`;
  const linear = (name: string, from: number, to: number) => ({
    weight: weights.tensor(`${at}.${name}.weight`, [from, to]),
    bias: weights.tensor(`${at}.${name}.bias`, [to]),
  });
  return {
    nHeads,
    dHead,
    ln1: norm(config, weights, `${at}.ln_1`),
    qkv: linear('attn.c_attn', dModel, 3 * dModel),
    attentionOut: linear('attn.c_proj', dModel, dModel),
    ln2: norm(config, weights, `${at}.ln_2`),
    mlpIn: linear('mlp.c_fc', dModel, dMlp),
    mlpOut: linear('mlp.c_proj', dMlp, dModel),
    activation: config.activation,
    scoreScale:
      (config.scaleAttention ? 1 / Math.sqrt(dHead) : 1) / (config.scaleAttentionByLayer ? layer + 1 : 1),
  };
}

function norm(config: ModelConfig, weights: ModelWeights, name: string): Norm {
  return {
    scale: weights.tensor(`${name}.weight`, [config.dModel]),
    bias: weights.tensor(`${name}.bias`, [config.dModel]),
    epsilon: config.layerNormEps,
  };
}
