/** OLMo 1 (Groeneveld et al. 2024): LayerNorms without parameters, and queries, keys and values that may be clipped. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, flag, maybe, positive } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  tie_word_embeddings: flag(false),
  attention_bias: flag(false),
  clip_qkv: maybe(positive),
});

export const olmo: ModelFamily = {
  modelTypes: ['olmo'],
  architecture: 'OlmoForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw),
      family: 'olmo',
      norm: { kind: 'layerNorm', place: 'before', epsilon: 1e-5 },
      clipQkv: raw.clip_qkv ?? undefined,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => {
    const { kind, epsilon } = config.norm;
    const bareNorm = { kind, epsilon, scale: undefined, bias: undefined, gainOffset: 0 } as const;
    return decoderWeights(config, weights, { bareNorm });
  },
};
