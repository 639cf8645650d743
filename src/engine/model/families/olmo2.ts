/** OLMo 2 (OLMo Team 2025): norms behind attention and MLP instead of before them, and of all queries and all keys. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, epsilon, flag } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  rms_norm_eps: epsilon(1e-5),
  tie_word_embeddings: flag(false),
  attention_bias: flag(false),
});

export const olmo2: ModelFamily = {
  modelTypes: ['olmo2'],
  architecture: 'Olmo2ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw),
      family: 'olmo2',
      norm: { kind: 'rms', place: 'after', epsilon: raw.rms_norm_eps },
      queryKeyNorm: 'all',
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
