/** Mistral 7B (Jiang et al. 2023): Llama with a sliding window in every layer. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  decoderEntries,
  decoderSizes,
  epsilon,
  flag,
  limits,
  maybe,
  usual,
} from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
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
    const sizes = decoderSizes(path, raw);
    const { rotary, nContext } = readRope(path, content, sizes);
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: raw.sliding_window ?? undefined, rotary };
    return {
      ...usual,
      ...sizes,
      family: 'mistral',
      nContext,
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: true,
      tiedEmbeddings: raw.tie_word_embeddings,
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
