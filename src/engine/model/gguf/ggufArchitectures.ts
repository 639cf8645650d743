/**
 * For each kind of model that llama.cpp writes and Fovea runs: the Hugging Face config that its metadata stand for, the
 * Hugging Face names of its tensors, and what llama.cpp changed in them. One row per architecture.
 */
import type { GgufMetadata } from './ggufMetadata.ts';
import { type RopeFactors, ropeConfig } from './ggufRope.ts';

/**
 * How llama.cpp stores a tensor that Hugging Face stores otherwise: rows of each query or key head reordered for its
 * kind of rotary positions, transposed, one added to a norm's weight, or rows of all heads' q, then k, then v, where
 * Hugging Face has q, k, v by head (`groupedQkv`) or three tensors (`joinedQkv`, named with `*` for the letter).
 */
export type StoredLayout = 'queryHeads' | 'keyHeads' | 'transposed' | 'plusOne' | 'groupedQkv' | 'joinedQkv';

/** Hugging Face name without `.weight` or `.bias`, and what was changed; `weightOnly` leaves the bias alone. */
export interface TensorRule {
  readonly name: string;
  readonly layout?: StoredLayout;
  readonly weightOnly?: boolean;
}

export interface GgufArchitecture {
  /** The content of a `config.json`. @throws file.malformed */
  config(metadata: GgufMetadata, factors: RopeFactors): Record<string, unknown>;
  /** By the stem of llama.cpp's name: `output_norm` → `model.norm`. */
  readonly global: Readonly<Record<string, TensorRule>>;
  /** Of each block: `attn_q` → `self_attn.q_proj` behind `prefix`. */
  readonly block: Readonly<Record<string, TensorRule>>;
  /** `model.layers.` */
  readonly prefix: string;
}

const rules = (
  names: Readonly<Record<string, string>>,
  layouts: Readonly<Record<string, StoredLayout>> = {},
  weightOnly = false,
): Readonly<Record<string, TensorRule>> =>
  Object.fromEntries(
    Object.entries(names).map(([stem, name]) => {
      const layout = layouts[stem];
      return [stem, layout ? { name, layout, weightOnly } : { name }];
    }),
  );

const decoderGlobal = { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head' };
const attention = {
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
};
const gatedMlp = { ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' };
const norms = { attn_norm: 'input_layernorm', ffn_norm: 'post_attention_layernorm' };
const headNorms = { attn_q_norm: 'self_attn.q_norm', attn_k_norm: 'self_attn.k_norm' };
const outerNorms = {
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};
const gemmaNorms = { attn_norm: 'input_layernorm', ffn_norm: 'pre_feedforward_layernorm', ...outerNorms };
const permuted = { attn_q: 'queryHeads', attn_k: 'keyHeads' } as const;
const allNormsPlusOne = {
  output_norm: 'plusOne',
  attn_norm: 'plusOne',
  ffn_norm: 'plusOne',
  post_attention_norm: 'plusOne',
  post_ffw_norm: 'plusOne',
  attn_q_norm: 'plusOne',
  attn_k_norm: 'plusOne',
} as const;

const decoder = {
  prefix: 'model.layers.',
  global: rules(decoderGlobal),
  block: rules({ ...norms, ...attention, ...gatedMlp }),
};
const gemmaDecoder = {
  prefix: 'model.layers.',
  global: rules(decoderGlobal, allNormsPlusOne),
  block: rules({ ...gemmaNorms, ...headNorms, ...attention, ...gatedMlp }, allNormsPlusOne),
};

export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: {
    ...decoder,
    block: rules({ ...norms, ...attention, ...gatedMlp }, permuted),
    config: (metadata, factors) => {
      const window = metadata.count('.attention.sliding_window');
      return {
        ...rmsDecoder(metadata, factors, window === undefined ? 'llama' : 'mistral'),
        ...(window !== undefined && { sliding_window: window }),
        attention_bias: metadata.hasTensor('blk.0.attn_q.bias'),
        mlp_bias: metadata.hasTensor('blk.0.ffn_up.bias'),
      };
    },
  },
  qwen2: { ...decoder, config: (metadata, factors) => rmsDecoder(metadata, factors, 'qwen2') },
  qwen3: {
    ...decoder,
    block: rules({ ...norms, ...headNorms, ...attention, ...gatedMlp }),
    config: (metadata, factors) => ({
      ...rmsDecoder(metadata, factors, 'qwen3'),
      attention_bias: metadata.hasTensor('blk.0.attn_q.bias'),
    }),
  },
  gemma: {
    ...gemmaDecoder,
    block: rules({ ...norms, ...attention, ...gatedMlp }, allNormsPlusOne),
    config: (metadata, factors) => ({ ...rmsDecoder(metadata, factors, 'gemma'), ...gemmaActivation }),
  },
  gemma2: {
    ...gemmaDecoder,
    config: (metadata, factors) => ({
      ...rmsDecoder(metadata, factors, 'gemma2'),
      ...gemmaActivation,
      ...slidingLayers(metadata, 2),
      attn_logit_softcapping: metadata.number('.attn_logit_softcapping') ?? 50,
      final_logit_softcapping: metadata.number('.final_logit_softcapping') ?? 30,
      query_pre_attn_scalar: queryScalar(metadata, 46),
    }),
  },
  gemma3: {
    ...gemmaDecoder,
    config: (metadata, factors) => ({
      ...rmsDecoder(metadata, factors, 'gemma3_text'),
      ...gemmaActivation,
      ...slidingLayers(metadata, 6),
      rope_theta: metadata.number('.rope.freq_base') ?? 1_000_000,
      rope_local_base_freq: metadata.number('.rope.freq_base_swa') ?? 10_000,
      attn_logit_softcapping: null,
      final_logit_softcapping: metadata.number('.final_logit_softcapping') ?? null,
      query_pre_attn_scalar: queryScalar(metadata, 62),
    }),
  },
  phi2: {
    prefix: 'model.layers.',
    global: rules({ ...decoderGlobal, output_norm: 'model.final_layernorm' }),
    block: rules(
      {
        attn_norm: 'input_layernorm',
        ...attention,
        attn_output: 'self_attn.dense',
        attn_qkv: 'self_attn.*_proj',
        ffn_up: 'mlp.fc1',
        ffn_down: 'mlp.fc2',
      },
      { attn_qkv: 'joinedQkv' },
    ),
    config: (metadata, factors) => ({
      ...decoderConfig(metadata, factors, 'phi'),
      layer_norm_eps: metadata.requireNumber('.attention.layer_norm_epsilon'),
      hidden_act: 'gelu_new',
      partial_rotary_factor: rotaryShare(metadata),
      qk_layernorm: false,
    }),
  },
  phi3: {
    ...decoder,
    block: rules({
      ...norms,
      attn_qkv: 'self_attn.qkv_proj',
      attn_output: 'self_attn.o_proj',
      ffn_up: 'mlp.gate_up_proj',
      ffn_down: 'mlp.down_proj',
    }),
    config: (metadata, factors) => ({
      ...rmsDecoder(metadata, factors, 'phi3'),
      sliding_window: metadata.id('.attention.sliding_window') || null,
      original_max_position_embeddings:
        metadata.count('.rope.scaling.original_context_length') ?? metadata.requireCount('.context_length'),
      partial_rotary_factor: rotaryShare(metadata),
    }),
  },
  gpt2: {
    prefix: 'transformer.h.',
    global: rules({
      token_embd: 'transformer.wte',
      position_embd: 'transformer.wpe',
      output_norm: 'transformer.ln_f',
      output: 'lm_head',
    }),
    block: rules(
      {
        attn_norm: 'ln_1',
        attn_qkv: 'attn.c_attn',
        attn_output: 'attn.c_proj',
        ffn_norm: 'ln_2',
        ffn_up: 'mlp.c_fc',
        ffn_down: 'mlp.c_proj',
      },
      { attn_qkv: 'transposed', attn_output: 'transposed', ffn_up: 'transposed', ffn_down: 'transposed' },
      true,
    ),
    config: (metadata) => ({
      model_type: 'gpt2',
      n_layer: metadata.requireCount('.block_count'),
      n_head: metadata.requireCount('.attention.head_count'),
      n_embd: metadata.requireCount('.embedding_length'),
      n_inner: metadata.requireCount('.feed_forward_length'),
      n_positions: metadata.requireCount('.context_length'),
      layer_norm_epsilon: metadata.requireNumber('.attention.layer_norm_epsilon'),
      activation_function: 'gelu_new',
      ...ending(metadata),
    }),
  },
  gptneox: {
    prefix: 'gpt_neox.layers.',
    global: rules({
      token_embd: 'gpt_neox.embed_in',
      output_norm: 'gpt_neox.final_layer_norm',
      output: 'embed_out',
    }),
    block: rules(
      {
        ...norms,
        attn_qkv: 'attention.query_key_value',
        attn_output: 'attention.dense',
        ffn_up: 'mlp.dense_h_to_4h',
        ffn_down: 'mlp.dense_4h_to_h',
      },
      { attn_qkv: 'groupedQkv' },
    ),
    config: (metadata, factors) => ({
      ...decoderConfig(metadata, factors, 'gpt_neox'),
      layer_norm_eps: metadata.requireNumber('.attention.layer_norm_epsilon'),
      rotary_pct: rotaryShare(metadata),
      rotary_emb_base: metadata.number('.rope.freq_base') ?? 10_000,
      use_parallel_residual: metadata.flag('.use_parallel_residual') ?? true,
      hidden_act: 'gelu',
    }),
  },
  olmo: {
    ...decoder,
    global: rules({ token_embd: 'model.embed_tokens', output: 'lm_head' }),
    block: rules({ ...attention, ...gatedMlp }, permuted),
    config: (metadata, factors) => ({
      ...decoderConfig(metadata, factors, 'olmo'),
      hidden_act: 'silu',
      clip_qkv: metadata.number('.attention.clamp_kqv') ?? null,
      attention_bias: false,
    }),
  },
  olmo2: {
    ...decoder,
    block: rules({ ...outerNorms, ...headNorms, ...attention, ...gatedMlp }),
    config: (metadata, factors) => ({ ...rmsDecoder(metadata, factors, 'olmo2'), attention_bias: false }),
  },
};

const gemmaActivation = { hidden_activation: 'gelu_pytorch_tanh', hidden_act: 'gelu_pytorch_tanh' };

function rmsDecoder(metadata: GgufMetadata, factors: RopeFactors, kind: string): Record<string, unknown> {
  return {
    ...decoderConfig(metadata, factors, kind),
    rms_norm_eps: metadata.requireNumber('.attention.layer_norm_rms_epsilon'),
    hidden_act: 'silu',
  };
}

function decoderConfig(metadata: GgufMetadata, factors: RopeFactors, kind: string): Record<string, unknown> {
  const heads = metadata.requireCount('.attention.head_count');
  const headSize = headSizeOf(metadata);
  return {
    model_type: kind,
    num_hidden_layers: metadata.requireCount('.block_count'),
    hidden_size: metadata.requireCount('.embedding_length'),
    intermediate_size: metadata.requireCount('.feed_forward_length'),
    num_attention_heads: heads,
    num_key_value_heads: metadata.count('.attention.head_count_kv') ?? heads,
    head_dim: headSize,
    max_position_embeddings: metadata.requireCount('.context_length'),
    ...ropeConfig(metadata, factors, metadata.count('.rope.dimension_count') ?? headSize),
    ...ending(metadata),
  };
}

function ending(metadata: GgufMetadata): Record<string, unknown> {
  return {
    vocab_size: metadata.vocabularySize,
    tie_word_embeddings: !metadata.hasTensor('output.weight'),
    bos_token_id: metadata.id('tokenizer.ggml.bos_token_id') ?? null,
    eos_token_id: metadata.id('tokenizer.ggml.eos_token_id') ?? null,
  };
}

function headSizeOf(metadata: GgufMetadata): number {
  const stated = metadata.count('.attention.key_length');
  return (
    stated ??
    Math.floor(metadata.requireCount('.embedding_length') / metadata.requireCount('.attention.head_count'))
  );
}

/** The part of each head that is rotated. */
function rotaryShare(metadata: GgufMetadata): number {
  const size = headSizeOf(metadata);
  return (metadata.count('.rope.dimension_count') ?? size) / size;
}

/** Every layer but each `period`-th one looks back over a window only. */
function slidingLayers(metadata: GgufMetadata, period: number): Record<string, unknown> {
  const layers = metadata.requireCount('.block_count');
  return {
    sliding_window: metadata.requireCount('.attention.sliding_window'),
    layer_types: Array.from({ length: Math.min(layers, 1000) }, (_, i) =>
      (i + 1) % period === 0 ? 'full_attention' : 'sliding_attention',
    ),
  };
}

/**
 * What queries are divided by the square root of. The metadata do not hold it; it is the head's size, except for the
 * largest model of its generation, known by its number of layers.
 */
function queryScalar(metadata: GgufMetadata, layersOfLargest: number): number {
  if (metadata.requireCount('.block_count') !== layersOfLargest) return headSizeOf(metadata);
  return metadata.requireCount('.embedding_length') / metadata.requireCount('.attention.head_count');
}
