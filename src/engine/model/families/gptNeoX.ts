/** GPT-NeoX (Black et al. 2022), the family of Pythia: parallel attention and MLP, part of each head turned by position. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { activationOf, decoderEntries, decoderSizes, epsilon, flag, usual } from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import { readRope } from '../ropeConfig.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'gelu'),
  layer_norm_eps: epsilon(1e-5),
  tie_word_embeddings: flag(false),
  use_parallel_residual: flag(true),
  attention_bias: flag(true),
});

export const gptNeoX: ModelFamily = {
  modelTypes: ['gpt_neox'],
  architecture: 'GPTNeoXForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    // Every head has keys and values of its own, and the width of a head follows from the model's.
    const sizes = decoderSizes(path, { ...raw, num_key_value_heads: null, head_dim: null });
    const named = { baseField: 'rotary_emb_base', fractionField: 'rotary_pct', fraction: 0.25 };
    const { rotary, nContext } = readRope(path, content, { ...sizes, ...named });
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: undefined, rotary };
    return {
      ...usual,
      ...sizes,
      family: 'gpt_neox',
      nContext,
      norm: { kind: 'layerNorm', place: 'before', epsilon: raw.layer_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: false,
      parallel: raw.use_parallel_residual,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: true },
    };
  },

  readWeights(config, weights) {
    const { dModel, dMlp, dVocab, norm, biases } = config;
    const inside = weightsUnder(weights, 'embed_in.weight', ['gpt_neox.', '']);
    const tokenEmbedding = inside.tensor('embed_in.weight', [dVocab, dModel]);
    return {
      tokenEmbedding,
      blocks: perLayer(config, (layer) => {
        const at = inside.at(`layers.${layer}`);
        const all = at.linear('attention.query_key_value', dModel, 3 * dModel, biases.qkv);
        return {
          attentionNorms: { before: at.norm('input_layernorm', dModel, norm), after: undefined },
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'interleaved', all },
            queryKeyNorm: undefined,
            out: at.linear('attention.dense', dModel, dModel, biases.attentionOut),
          },
          mlpNorms: { before: at.norm('post_attention_layernorm', dModel, norm), after: undefined },
          mlp: {
            input: { kind: 'plain', layer: at.linear('mlp.dense_h_to_4h', dModel, dMlp, true) },
            out: at.linear('mlp.dense_4h_to_h', dMlp, dModel, true),
            activation: config.activation,
          },
          parallel: config.parallel,
        };
      }),
      finalNorm: inside.norm('final_layer_norm', dModel, norm),
      unembedding: unembeddingOf(config, weights, tokenEmbedding, ['lm_head.weight', 'embed_out.weight']),
    };
  },
};
