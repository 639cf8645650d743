/** Phi-3, Phi-3.5 and Phi-4-mini (Abdin et al. 2024): Llama with queries, keys and values, and gate and factor, in one layer each. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, epsilon, flag, limits, maybe } from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import { perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  rms_norm_eps: epsilon(1e-5),
  tie_word_embeddings: flag(false),
  sliding_window: maybe(limits.context),
});

export const phi3: ModelFamily = {
  modelTypes: ['phi3'],
  architecture: 'Phi3ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw, (nLayers) =>
        Array.from({ length: nLayers }, () => raw.sliding_window ?? undefined),
      ),
      family: 'phi3',
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
    };
  },

  readWeights(config, weights) {
    const { nHeads, nKeyValueHeads, dHead, dModel, dMlp, dVocab, norm } = config;
    const inside = weightsUnder(weights, 'embed_tokens.weight', ['model.', '']);
    const tokenEmbedding = inside.tensor('embed_tokens.weight', [dVocab, dModel]);
    const projected = (nHeads + 2 * nKeyValueHeads) * dHead;
    return {
      tokenEmbedding,
      blocks: perLayer(config, (layer) => {
        const at = inside.at(`layers.${layer}`);
        return {
          attentionNorms: { before: at.norm('input_layernorm', dModel, norm), after: undefined },
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'sideBySide', all: at.linear('self_attn.qkv_proj', dModel, projected, false) },
            queryKeyNorm: undefined,
            out: at.linear('self_attn.o_proj', nHeads * dHead, dModel, false),
          },
          mlpNorms: { before: at.norm('post_attention_layernorm', dModel, norm), after: undefined },
          mlp: {
            input: { kind: 'gatedFused', both: at.linear('mlp.gate_up_proj', dModel, 2 * dMlp, false) },
            out: at.linear('mlp.down_proj', dMlp, dModel, false),
            activation: config.activation,
          },
          parallel: false,
        };
      }),
      finalNorm: inside.norm('norm', dModel, norm),
      unembedding: unembeddingOf(config, weights, tokenEmbedding),
    };
  },
};
