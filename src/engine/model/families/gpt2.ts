/** GPT-2 (Radford et al. 2019): learned positions, and `Conv1D` layers whose weights are `[in, out]`. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  epsilon,
  firstId,
  flag,
  headWidth,
  limits,
  maybe,
  refuse,
  tokenIds,
  usual,
} from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { type NamedWeights, perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import type { Linear } from '../projection.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  n_layer: limits.layers,
  n_head: limits.heads,
  n_embd: limits.width,
  n_inner: maybe(limits.mlp),
  n_positions: limits.context,
  vocab_size: limits.vocabulary,
  activation_function: v.optional(v.string(), 'gelu_new'),
  layer_norm_epsilon: epsilon(1e-5),
  tie_word_embeddings: flag(true),
  scale_attn_weights: flag(true),
  scale_attn_by_inverse_layer_idx: flag(false),
  add_cross_attention: flag(false),
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
});

export const gpt2: ModelFamily = {
  modelTypes: ['gpt2'],
  architecture: 'GPT2LMHeadModel',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    const { n_embd: dModel, n_head: nHeads, n_layer: nLayers } = raw;
    const dHead = headWidth(path, 'n_embd', dModel, 'n_head', nHeads);
    refuse(path, 'add_cross_attention', raw.add_cross_attention, false);
    const scale = raw.scale_attn_weights ? 1 / Math.sqrt(dHead) : 1;
    return {
      ...usual,
      family: 'gpt2',
      nLayers,
      nHeads,
      nKeyValueHeads: nHeads,
      dModel,
      dHead,
      dMlp: raw.n_inner ?? 4 * dModel,
      dVocab: raw.vocab_size,
      nContext: raw.n_positions,
      norm: { kind: 'layerNorm', place: 'before', epsilon: raw.layer_norm_epsilon },
      positions: 'learned',
      layers: Array.from({ length: nLayers }, (_, layer) => ({
        scoreScale: scale / (raw.scale_attn_by_inverse_layer_idx ? layer + 1 : 1),
        window: undefined,
        rotary: undefined,
      })),
      activation: activationOf(path, 'activation_function', raw.activation_function),
      gated: false,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: true, attentionOut: true, mlp: true },
      bosId: firstId(raw.bos_token_id),
      eosId: firstId(raw.eos_token_id),
    };
  },

  readWeights(config, weights) {
    const { dModel, dMlp, dVocab, nContext, norm } = config;
    const inside = weightsUnder(weights, 'wte.weight', ['transformer.', '']);
    const tokenEmbedding = inside.tensor('wte.weight', [dVocab, dModel]);
    return {
      tokenEmbedding,
      positionEmbedding: { table: inside.tensor('wpe.weight', [nContext, dModel]), offset: 0 },
      blocks: perLayer(config, (layer) => {
        const at = inside.at(`h.${layer}`);
        return {
          attentionNorms: { before: at.norm('ln_1', dModel, norm), after: undefined },
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'sideBySide', all: conv1d(at, 'attn.c_attn', dModel, 3 * dModel) },
            queryKeyNorm: undefined,
            out: conv1d(at, 'attn.c_proj', dModel, dModel),
          },
          mlpNorms: { before: at.norm('ln_2', dModel, norm), after: undefined },
          mlp: {
            input: { kind: 'plain', layer: conv1d(at, 'mlp.c_fc', dModel, dMlp) },
            out: conv1d(at, 'mlp.c_proj', dMlp, dModel),
            activation: config.activation,
          },
          parallel: false,
        };
      }),
      finalNorm: inside.norm('ln_f', dModel, norm),
      unembedding: unembeddingOf(config, weights, tokenEmbedding),
    };
  },
};

function conv1d(weights: NamedWeights, name: string, from: number, to: number): Linear {
  return {
    order: 'inOut',
    weight: weights.tensor(`${name}.weight`, [from, to]),
    bias: weights.tensor(`${name}.bias`, [to]),
  };
}
