/**
 * The weights of families that name them as Llama does: separate projections without fusing, a gated MLP. They differ in
 * where norms stand, in norms of queries and keys, and in biases, all of which their config says.
 */
import type { AttentionWeights, QueryKeyNorm } from './attentionGraph.ts';
import type { BlockWeights, SublayerNorms } from './blockGraph.ts';
import type { ModelConfig } from './config.ts';
import type { ModelWeightParts } from './families/family.ts';
import { type NamedWeights, perLayer, unembeddingOf, weightsUnder } from './namedWeights.ts';
import type { Norm } from './normGraph.ts';
import type { ModelWeights } from './weights.ts';

export interface DecoderOptions {
  /** What the names of the decoder's weights may begin with. */
  readonly prefixes?: readonly [string, ...string[]];
  /** What the unembedding may be called. */
  readonly unembeddings?: readonly [string, ...string[]];
  /** 1 when gains are stored as their distance from 1. */
  readonly gainOffset?: 0 | 1;
  /** For norms without parameters. */
  readonly bareNorm?: Norm;
}

/** @throws model.missingWeight, model.wrongShape, file.malformed */
export function decoderWeights(
  config: ModelConfig,
  weights: ModelWeights,
  options: DecoderOptions = {},
): ModelWeightParts {
  const inside = weightsUnder(weights, 'embed_tokens.weight', options.prefixes ?? ['model.', '']);
  const tokenEmbedding = inside.tensor('embed_tokens.weight', [config.dVocab, config.dModel]);
  return {
    tokenEmbedding,
    blocks: perLayer(config, (layer) => decoderBlock(config, inside.at(`layers.${layer}`), layer, options)),
    finalNorm: options.bareNorm ?? inside.norm('norm', config.dModel, config.norm, options.gainOffset),
    unembedding: unembeddingOf(config, weights, tokenEmbedding, options.unembeddings),
  };
}

function decoderBlock(
  config: ModelConfig,
  weights: NamedWeights,
  layer: number,
  options: DecoderOptions,
): BlockWeights {
  const { dModel, dMlp, activation, biases } = config;
  const mlp = weights.at('mlp');
  return {
    attention: decoderAttention(config, weights.at('self_attn'), layer, options),
    mlp: {
      input: {
        kind: 'gated',
        gate: mlp.linear('gate_proj', dModel, dMlp, biases.mlp),
        up: mlp.linear('up_proj', dModel, dMlp, biases.mlp),
      },
      out: mlp.linear('down_proj', dMlp, dModel, biases.mlp),
      activation,
    },
    ...decoderNorms(config, weights, options),
    parallel: config.parallel,
  };
}

function decoderAttention(
  config: ModelConfig,
  weights: NamedWeights,
  layer: number,
  { gainOffset }: DecoderOptions,
): AttentionWeights {
  const { nHeads, nKeyValueHeads, dHead, dModel, biases } = config;
  const [queries, others] = [nHeads * dHead, nKeyValueHeads * dHead];
  return {
    ...attentionShape(config, layer),
    qkv: {
      kind: 'separate',
      q: weights.linear('q_proj', dModel, queries, biases.qkv),
      k: weights.linear('k_proj', dModel, others, biases.qkv),
      v: weights.linear('v_proj', dModel, others, biases.qkv),
    },
    queryKeyNorm: queryKeyNorm(config, weights, gainOffset),
    out: weights.linear('o_proj', queries, dModel, biases.attentionOut),
  };
}

/** What an attention takes over from the config as it stands there. */
export function attentionShape(config: ModelConfig, layer: number) {
  const { nHeads, nKeyValueHeads, dHead, clipQkv, scoreCap } = config;
  return { nHeads, nKeyValueHeads, dHead, clip: clipQkv, scoreCap, layer: config.layers[layer]! };
}

function queryKeyNorm(
  { queryKeyNorm: over, nHeads, nKeyValueHeads, dHead, norm }: ModelConfig,
  weights: NamedWeights,
  gainOffset: 0 | 1 | undefined,
): QueryKeyNorm | undefined {
  if (!over) return undefined;
  const width = (heads: number) => (over === 'head' ? dHead : heads * dHead);
  return {
    over,
    q: weights.norm('q_norm', width(nHeads), norm, gainOffset),
    k: weights.norm('k_norm', width(nKeyValueHeads), norm, gainOffset),
  };
}

function decoderNorms(
  { norm, dModel }: ModelConfig,
  weights: NamedWeights,
  { gainOffset, bareNorm }: DecoderOptions,
): { attentionNorms: SublayerNorms; mlpNorms: SublayerNorms } {
  const named = (name: string) => bareNorm ?? weights.norm(name, dModel, norm, gainOffset);
  const none = undefined;
  switch (norm.place) {
    case 'before':
      return {
        attentionNorms: { before: named('input_layernorm'), after: none },
        mlpNorms: { before: named('post_attention_layernorm'), after: none },
      };
    case 'after':
      return {
        attentionNorms: { before: none, after: named('post_attention_layernorm') },
        mlpNorms: { before: none, after: named('post_feedforward_layernorm') },
      };
    case 'both':
      return {
        attentionNorms: { before: named('input_layernorm'), after: named('post_attention_layernorm') },
        mlpNorms: { before: named('pre_feedforward_layernorm'), after: named('post_feedforward_layernorm') },
      };
  }
}
