/** Gemma (Gemma Team 2024): gains stored as their distance from 1, embeddings scaled by √d_model, a GELU gate. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  decoderEntries,
  decoderSizes,
  epsilon,
  flag,
  maybe,
  refuse,
  usual,
} from '../configSchema.ts';
import { decoderWeights } from '../decoderWeights.ts';
import { readRope } from '../ropeConfig.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: maybe(v.string()),
  hidden_activation: maybe(v.string()),
  rms_norm_eps: epsilon(1e-6),
  tie_word_embeddings: flag(true),
  attention_bias: flag(false),
  use_bidirectional_attention: flag(false),
});

export const gemma: ModelFamily = {
  modelTypes: ['gemma'],
  architecture: 'GemmaForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    refuse(path, 'use_bidirectional_attention', raw.use_bidirectional_attention, false);
    const sizes = decoderSizes(path, { ...raw, head_dim: raw.head_dim ?? 256 });
    const { rotary, nContext } = readRope(path, content, sizes);
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: undefined, rotary };
    const activation = raw.hidden_activation ?? raw.hidden_act ?? 'gelu_pytorch_tanh';
    return {
      ...usual,
      ...sizes,
      family: 'gemma',
      nContext,
      norm: { kind: 'rms', place: 'before', epsilon: raw.rms_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      // The first configs said "gelu" and meant the tanh approximation that the model was trained with.
      activation: activation === 'gelu' ? 'gelu_new' : activationOf(path, 'hidden_activation', activation),
      gated: true,
      embeddingScale: Math.sqrt(sizes.dModel),
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: raw.attention_bias, attentionOut: raw.attention_bias, mlp: false },
    };
  },

  readWeights: (config, weights) => decoderWeights(config, weights, { gainOffset: 1 }),
};
