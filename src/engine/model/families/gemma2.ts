/** Gemma 2 (Gemma Team 2024): norms before and behind each sublayer, soft caps, every other layer through a window. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  decoderEntries,
  decoderSizes,
  epsilon,
  flag,
  layerTypes,
  limits,
  positive,
  refuse,
  slidingLayers,
  usual,
} from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_activation: v.optional(v.string(), 'gelu_pytorch_tanh'),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(true),
  attention_bias: flag(false),
  query_pre_attn_scalar: v.optional(positive, 256),
  // Absent, there is a usual value; null switches them off.
  sliding_window: v.optional(v.nullable(limits.context), 4096),
  attn_logit_softcapping: v.optional(v.nullable(positive), 50),
  final_logit_softcapping: v.optional(v.nullable(positive), 30),
  layer_types: layerTypes,
  use_bidirectional_attention: flag(false),
});

export const gemma2: ModelFamily = {
  modelTypes: ['gemma2'],
  architecture: 'Gemma2ForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    refuse(path, 'use_bidirectional_attention', raw.use_bidirectional_attention, false);
    const sizes = decoderSizes(path, { ...raw, head_dim: raw.head_dim ?? 256 });
    const { rotary, nContext } = readRope(path, content, sizes);
    const scoreScale = 1 / Math.sqrt(raw.query_pre_attn_scalar);
    const slides = slidingLayers(path, sizes.nLayers, raw.layer_types, (layer) => layer % 2 === 0);
    const window = raw.sliding_window ?? undefined;
    return {
      ...usual,
      ...sizes,
      family: 'gemma2',
      nContext,
      norm: { kind: 'rms', place: 'both', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: slides.map((isSliding) => ({ scoreScale, window: isSliding ? window : undefined, rotary })),
      activation: activationOf(path, 'hidden_activation', raw.hidden_activation),
      gated: true,
      scoreCap: raw.attn_logit_softcapping ?? undefined,
      logitCap: raw.final_logit_softcapping ?? undefined,
      embeddingScale: Math.sqrt(sizes.dModel),
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights, { gainOffset: 1 }),
};
