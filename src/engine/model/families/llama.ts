/** Llama 1 to 3 (Touvron et al. 2023, Dubey et al. 2024), and what is built like it: TinyLlama, SmolLM2. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, epsilon, flag } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(false),
  attention_bias: flag(false),
  mlp_bias: flag(false),
});

export const llama: ModelFamily = {
  modelTypes: ['llama'],
  architecture: 'LlamaForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw),
      family: 'llama',
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: raw.mlp_bias },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
