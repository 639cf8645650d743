/** Llama 1 to 3 (Touvron et al. 2023, Dubey et al. 2024), and what is built like it: TinyLlama, SmolLM2. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { activationOf, decoderEntries, decoderSizes, epsilon, flag, usual } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
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
    const sizes = decoderSizes(path, raw);
    const { rotary, nContext } = readRope(path, content, sizes);
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: undefined, rotary };
    return {
      ...usual,
      ...sizes,
      family: 'llama',
      nContext,
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: true,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: raw.mlp_bias },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
