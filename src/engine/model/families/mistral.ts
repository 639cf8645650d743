/** Mistral 7B (Jiang et al. 2023): Llama with a sliding window in every layer. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, epsilon, flag, limits, maybe } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(false),
  // Absent, it is 4096; null, there is none.
  sliding_window: v.optional(v.nullable(limits.context), 4096),
  num_key_value_heads: v.optional(maybe(limits.heads), 8),
});

export const mistral: ModelFamily = {
  modelTypes: ['mistral'],
  architecture: 'MistralForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw, (nLayers) =>
        Array.from({ length: nLayers }, () => raw.sliding_window ?? undefined),
      ),
      family: 'mistral',
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
