/**
 * Gemma 3 (Gemma Team 2025), its text part: norms of queries and keys, and windowed layers that rotate by a base of their
 * own. The larger models hold the text part's config and weights inside those of an image reader, which is left out.
 */
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
  maybe,
  positive,
  refuse,
  size,
  slidingLayers,
  usual,
} from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  // Configs of the larger models leave out what is usual.
  vocab_size: v.optional(limits.vocabulary, 262_208),
  num_attention_heads: v.optional(limits.heads, 8),
  num_key_value_heads: v.optional(limits.heads, 4),
  max_position_embeddings: v.optional(limits.context, 131_072),
  hidden_activation: v.optional(v.string(), 'gelu_pytorch_tanh'),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(true),
  attention_bias: flag(false),
  query_pre_attn_scalar: v.optional(positive, 256),
  sliding_window: v.optional(v.nullable(limits.context), 4096),
  sliding_window_pattern: v.optional(size(1000), 6),
  attn_logit_softcapping: maybe(positive),
  final_logit_softcapping: maybe(positive),
  layer_types: layerTypes,
  use_bidirectional_attention: flag(false),
});

const outerSchema = v.looseObject({ text_config: maybe(v.record(v.string(), v.unknown())) });

export const gemma3: ModelFamily = {
  modelTypes: ['gemma3_text', 'gemma3'],
  architecture: 'Gemma3ForCausalLM',

  readConfig(path, content) {
    const { text_config } = checkJson(path, content, outerSchema, 'model.invalidConfig');
    const text = text_config ?? content;
    const raw = checkJson(path, text, schema, 'model.invalidConfig');
    refuse(path, 'use_bidirectional_attention', raw.use_bidirectional_attention, false);
    const sizes = decoderSizes(path, { ...raw, head_dim: raw.head_dim ?? 256 });
    const far = { ...sizes, base: 1_000_000, layerType: 'full_attention' } as const;
    const near = {
      ...sizes,
      base: 10_000,
      baseField: 'rope_local_base_freq',
      layerType: 'sliding_attention',
      scaled: false,
    } as const;
    const global = readRope(path, text, far);
    const local = readRope(path, text, near);
    const pattern = raw.sliding_window_pattern;
    const slides = slidingLayers(
      path,
      sizes.nLayers,
      raw.layer_types,
      (layer) => (layer + 1) % pattern !== 0,
    );
    const scoreScale = 1 / Math.sqrt(raw.query_pre_attn_scalar);
    const window = raw.sliding_window ?? undefined;
    return {
      ...usual,
      ...sizes,
      family: 'gemma3_text',
      nContext: Math.min(global.nContext, local.nContext),
      norm: { kind: 'rms', place: 'both', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: slides.map((isSliding) =>
        isSliding
          ? { scoreScale, window, rotary: local.rotary }
          : { scoreScale, window: undefined, rotary: global.rotary },
      ),
      activation: activationOf(path, 'hidden_activation', raw.hidden_activation),
      gated: true,
      queryKeyNorm: 'head',
      scoreCap: raw.attn_logit_softcapping ?? undefined,
      logitCap: raw.final_logit_softcapping ?? undefined,
      embeddingScale: Math.sqrt(sizes.dModel),
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) =>
    decoderWeights(config, weights, {
      gainOffset: 1,
      prefixes: ['model.', 'model.language_model.', 'language_model.model.', ''],
      unembeddings: ['lm_head.weight', 'language_model.lm_head.weight'],
    }),
};
