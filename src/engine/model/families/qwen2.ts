/** Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on queries, keys and values; upper layers may slide. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { decoderEntries, epsilon, flag } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { gatedDecoder } from '../gatedDecoder.ts';
import { qwenWindowEntries, qwenWindows } from '../slidingWindows.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  ...qwenWindowEntries,
  hidden_act: v.optional(v.string(), 'silu'),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(false),
});

export const qwen2: ModelFamily = {
  modelTypes: ['qwen2'],
  architecture: 'Qwen2ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, raw, (nLayers) => qwenWindows(path, nLayers, raw)),
      family: 'qwen2',
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      biases: { qkv: true, attentionOut: false, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
