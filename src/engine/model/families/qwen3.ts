/** Qwen3 (Yang et al. 2025), dense: queries and keys are normalized head by head. */
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
  attention_bias: flag(false),
});

export const qwen3: ModelFamily = {
  modelTypes: ['qwen3'],
  architecture: 'Qwen3ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    const sizes = decoderSizes(path, { ...raw, head_dim: raw.head_dim ?? 128 });
    const { rotary, nContext } = readRope(path, content, sizes);
    const scoreScale = 1 / Math.sqrt(sizes.dHead);
    return {
      ...usual,
      ...sizes,
      family: 'qwen3',
      nContext,
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: qwenWindows(path, sizes.nLayers, raw).map((window) => ({ scoreScale, window, rotary })),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: true,
      queryKeyNorm: 'head',
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights),
};
