/** GPT-Neo (Black et al. 2021), the family of TinyStories: unscaled scores, and layers that see only a window in turn. */
import * as v from 'valibot';
import { checkJson } from '../../files/json.ts';
import {
  activationOf,
  epsilon,
  firstId,
  flag,
  headWidth,
  invalidConfig,
  limits,
  maybe,
  tokenIds,
  usual,
} from '../configSchema.ts';
import { attentionShape } from '../decoderWeights.ts';
import { perLayer, unembeddingOf, weightsUnder } from '../namedWeights.ts';
import type { ModelFamily } from './family.ts';

const kinds = v.array(v.picklist(['global', 'local']));

const schema = v.looseObject({
  num_layers: limits.layers,
  num_heads: limits.heads,
  hidden_size: limits.width,
  intermediate_size: maybe(limits.mlp),
  max_position_embeddings: limits.context,
  vocab_size: limits.vocabulary,
  activation_function: v.optional(v.string(), 'gelu_new'),
  layer_norm_epsilon: epsilon(1e-5),
  tie_word_embeddings: flag(true),
  window_size: v.optional(limits.context, 256),
  attention_layers: maybe(kinds),
  // Pairs of a pattern and how often it is repeated.
  attention_types: maybe(v.array(v.tuple([kinds, limits.layers]))),
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
});

type Kind = 'global' | 'local';

/** The kind of every layer. Patterns are only unrolled once it is known that they come to the right number. */
function attentionKinds(path: string, nLayers: number, raw: v.InferOutput<typeof schema>): readonly Kind[] {
  const { attention_types: patterns, attention_layers: listed } = raw;
  const count = patterns
    ? patterns.reduce((sum, [pattern, times]) => sum + pattern.length * times, 0)
    : (listed?.length ?? 0);
  if (count !== nLayers) {
    throw invalidConfig(path, 'attention_types', `kinds of ${nLayers} layers`, patterns ?? listed);
  }
  if (!patterns) return listed ?? [];
  return patterns.flatMap(([pattern, times]) => Array.from({ length: times }, () => pattern).flat());
}

export const gptNeo: ModelFamily = {
  modelTypes: ['gpt_neo'],
  architecture: 'GPTNeoForCausalLM',

  readConfig(path, content) {
    const raw = checkJson(path, content, schema, 'model.invalidConfig');
    const { hidden_size: dModel, num_heads: nHeads, num_layers: nLayers } = raw;
    const attention = attentionKinds(path, nLayers, raw);
    return {
      ...usual,
      family: 'gpt_neo',
      nLayers,
      nHeads,
      nKeyValueHeads: nHeads,
      dModel,
      dHead: headWidth(path, 'hidden_size', dModel, 'num_heads', nHeads),
      dMlp: raw.intermediate_size ?? 4 * dModel,
      dVocab: raw.vocab_size,
      nContext: raw.max_position_embeddings,
      norm: { kind: 'layerNorm', place: 'before', epsilon: raw.layer_norm_epsilon },
      positions: 'learned',
      layers: attention.map((kind) => ({
        scoreScale: 1,
        window: kind === 'local' ? raw.window_size : undefined,
        rotary: undefined,
      })),
      activation: activationOf(path, 'activation_function', raw.activation_function),
      gated: false,
      tiedEmbeddings: raw.tie_word_embeddings,
      biases: { qkv: false, attentionOut: true, mlp: true },
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
        const attention = at.at('attn.attention');
        const project = (name: string) => attention.linear(name, dModel, dModel, false);
        return {
          attentionNorms: { before: at.norm('ln_1', dModel, norm), after: undefined },
          attention: {
            ...attentionShape(config, layer),
            qkv: { kind: 'separate', q: project('q_proj'), k: project('k_proj'), v: project('v_proj') },
            queryKeyNorm: undefined,
            out: attention.linear('out_proj', dModel, dModel, true),
          },
          mlpNorms: { before: at.norm('ln_2', dModel, norm), after: undefined },
          mlp: {
            input: { kind: 'plain', layer: at.linear('mlp.c_fc', dModel, dMlp, true) },
            out: at.linear('mlp.c_proj', dMlp, dModel, true),
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
