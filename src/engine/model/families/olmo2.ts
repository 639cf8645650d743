/** OLMo 2 (OLMo Team 2025): norms behind attention and MLP instead of before them, and of all queries and all keys. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { activationOf, decoderEntries, decoderSizes, epsilon, flag, usual } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
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
    const sizes = decoderSizes(path, raw);
    const { rotary, nContext } = readRope(path, content, sizes);
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: undefined, rotary };
    return {
      ...usual,
      ...sizes,
      family: 'olmo2',
      nContext,
      norm: { kind: 'rms', place: 'after', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: true,
      queryKeyNorm: 'all',
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
