/** OPT (Zhang et al. 2022). Position i has row i + 2 of its embedding. The 350M model, with norms behind each sum, is refused. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  firstId,
  flag,
  headWidth,
  limits,
  maybe,
  refuse,
  tokenIds,
  usual,
} from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  num_hidden_layers: limits.layers,
  num_attention_heads: limits.heads,
  hidden_size: limits.width,
  ffn_dim: limits.mlp,
  max_position_embeddings: limits.context,
  vocab_size: limits.vocabulary,
  activation_function: v.optional(v.string(), 'relu'),
  word_embed_proj_dim: maybe(limits.width),
  do_layer_norm_before: flag(true),
  _remove_final_layer_norm: flag(false),
  layer_norm_elementwise_affine: flag(true),
  enable_bias: flag(true),
  tie_word_embeddings: flag(true),
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
});

export const opt: ModelFamily = {
  modelTypes: ['opt'],
  architecture: 'OPTForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    const { hidden_size: dModel, num_attention_heads: nHeads, num_hidden_layers: nLayers } = raw;
    refuse(path, 'do_layer_norm_before', raw.do_layer_norm_before, true);
    refuse(path, 'word_embed_proj_dim', raw.word_embed_proj_dim, dModel);
    refuse(path, '_remove_final_layer_norm', raw._remove_final_layer_norm, false);
    refuse(path, 'layer_norm_elementwise_affine', raw.layer_norm_elementwise_affine, true);
    const dHead = headWidth(path, 'hidden_size', dModel, 'num_attention_heads', nHeads);
    const layer = { scoreScale: 1 / Math.sqrt(dHead), window: undefined, rotary: undefined };
    return {
      ...usual,
      family: 'opt',
      nLayers,
      nHeads,
      nKeyValueHeads: nHeads,
      dModel,
      dHead,
      dMlp: raw.ffn_dim,
      dVocab: raw.vocab_size,
      nContext: raw.max_position_embeddings,
      norm: { kind: 'layerNorm', place: 'before', epsilon: 1e-5 },
      positions: 'learned',
      layers: Array.from({ length: nLayers }, () => layer),
      activation: activationOf(path, 'activation_function', raw.activation_function),
      gated: false,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.enable_bias, attentionOut: raw.enable_bias, mlp: raw.enable_bias },
      bosId: firstId(raw.bos_token_id),
      eosId: firstId(raw.eos_token_id),
    };
  },

  readWeights(config, weights) {
    const { dModel, dMlp, dVocab, nContext, norm, biases } = config;
    const inside = weightsUnder(weights, 'embed_tokens.weight', ['model.decoder.', 'decoder.', '']);
    const tokenEmbedding = inside.tensor('embed_tokens.weight', [dVocab, dModel]);
    const table = inside.tensor('embed_positions.weight', [nContext + 2, dModel]);
    return {
      tokenEmbedding,
      positionEmbedding: { table, offset: 2 },
      blocks: perLayer(config, (layer) => {
        const at = inside.at(`layers.${layer}`);
        const project = (name: string) => at.linear(`self_attn.${name}`, dModel, dModel, biases.qkv);
        return {
          attentionNorms: { before: at.norm('self_attn_layer_norm', dModel, norm), after: undefined },
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'separate', q: project('q_proj'), k: project('k_proj'), v: project('v_proj') },
            queryKeyNorm: undefined,
            out: project('out_proj'),
          },
          mlpNorms: { before: at.norm('final_layer_norm', dModel, norm), after: undefined },
          mlp: {
            input: { kind: 'plain', layer: at.linear('fc1', dModel, dMlp, biases.mlp) },
            out: at.linear('fc2', dMlp, dModel, biases.mlp),
            activation: config.activation,
          },
          parallel: false,
        };
      }),
      finalNorm: inside.norm('final_layer_norm', dModel, norm),
      unembedding: unembeddingOf(config, weights, tokenEmbedding),
    };
  },
};
