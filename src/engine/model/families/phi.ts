/** Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023): one norm feeds attention and MLP side by side; the unembedding has a bias. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import { activationOf, decoderEntries, decoderSizes, epsilon, flag, refuse, usual } from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import { readRope } from '../ropeConfig.ts';
import type { ModelFamily } from './family.ts';

const schema = v.looseObject({
  ...decoderEntries,
  hidden_act: v.optional(v.string(), 'gelu_new'),
  layer_norm_eps: epsilon(1e-5),
  tie_word_embeddings: flag(false),
  qk_layernorm: flag(false),
});

export const phi: ModelFamily = {
  modelTypes: ['phi'],
  architecture: 'PhiForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    refuse(path, 'qk_layernorm', raw.qk_layernorm, false);
    const sizes = decoderSizes(path, raw);
    const { rotary, nContext } = readRope(path, content, { ...sizes, fraction: 0.5 });
    const layer = { scoreScale: 1 / Math.sqrt(sizes.dHead), window: undefined, rotary };
    return {
      ...usual,
      ...sizes,
      family: 'phi',
      nContext,
      norm: { kind: 'layerNorm', place: 'before', epsilon: raw.layer_norm_eps },
      positions: 'rotary',
      layers: Array.from({ length: sizes.nLayers }, () => layer),
      activation: activationOf(path, 'hidden_act', raw.hidden_act),
      gated: false,
      parallel: true,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: true, attentionOut: true, mlp: true },
    };
  },

  readWeights(config, weights) {
    const { nHeads, nKeyValueHeads, dHead, dModel, dMlp, dVocab, norm } = config;
    const inside = weightsUnder(weights, 'embed_tokens.weight', ['model.', '']);
    const tokenEmbedding = inside.tensor('embed_tokens.weight', [dVocab, dModel]);
    return {
      tokenEmbedding,
      blocks: perLayer(config, (layer) => {
        const at = inside.at(`layers.${layer}`);
        const project = (name: string, heads: number) =>
          at.linear(`self_attn.${name}`, dModel, heads * dHead, true);
        const [q, k, values] = [
          project('q_proj', nHeads),
          project('k_proj', nKeyValueHeads),
          project('v_proj', nKeyValueHeads),
        ];
        const shared = { before: at.norm('input_layernorm', dModel, norm), after: undefined };
        return {
          attentionNorms: shared,
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'separate', q, k, v: values },
            queryKeyNorm: undefined,
            out: at.linear('self_attn.dense', nHeads * dHead, dModel, true),
          },
          mlpNorms: shared,
          mlp: {
            input: { kind: 'plain', layer: at.linear('mlp.fc1', dModel, dMlp, true) },
            out: at.linear('mlp.fc2', dMlp, dModel, true),
            activation: config.activation,
          },
          parallel: true,
        };
      }),
      finalNorm: inside.norm('final_layernorm', dModel, norm),
      unembedding: unembeddingOf(config, weights, tokenEmbedding),
      unembeddingBias: weights.tensor('lm_head.bias', [dVocab]),
    };
  },
};
