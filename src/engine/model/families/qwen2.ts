/** Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on queries, keys and values; upper layers may slide. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { activationOf, decoderEntries, decoderSizes, epsilon, flag, usual } from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
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
    const sizes = decoderSizes(path, raw);
    const { rotary, nContext } = readRope(path, content, sizes);
    const scoreScale = 1 / Math.sqrt(sizes.dHead);
    return {
      ...usual,
      ...sizes,
      family: 'qwen2',
      nContext,
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: qwenWindows(path, sizes.nLayers, raw).map((window) => ({ scoreScale, window, rotary })),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: true,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: true, attentionOut: false, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
