/** Qwen3 (Yang et al. 2025), dense: queries and keys are normalized head by head. */
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
  attention_bias: flag(false),
});

export const qwen3: ModelFamily = {
  modelTypes: ['qwen3'],
  architecture: 'Qwen3ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    return {
      ...gatedDecoder(path, content, { ...raw, head_dim: raw.head_dim ?? 128 }, (nLayers) =>
        qwenWindows(path, nLayers, raw),
      ),
      family: 'qwen3',
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      queryKeyNorm: 'head',
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
