/** Reads a model's `config.json` as Hugging Face writes it, and checks it before anything is sized by it. */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { describeFound } from '../files/fileErrors.ts';
import { checkJson, readJson } from '../files/json.ts';

/** Activation of the MLP. `gelu_new` is the tanh approximation, `gelu` the exact one. */
export type Activation = 'gelu_new' | 'gelu' | 'relu' | 'silu';

/** The shape of a model, in the field's words. */
export interface ModelConfig {
  readonly family: 'gpt2';
  readonly nLayers: number;
  readonly nHeads: number;
  readonly dModel: number;
  readonly dHead: number;
  readonly dMlp: number;
  readonly dVocab: number;
  /** Positions the model was trained for. */
  readonly nContext: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
  /** The unembedding is the transposed token embedding; no weight of its own is stored. */
  readonly tiedEmbeddings: boolean;
  /** Attention scores are divided by √dHead. */
  readonly scaleAttention: boolean;
  /** Attention scores are also divided by the layer's number, counted from 1. */
  readonly scaleAttentionByLayer: boolean;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

const supported = 'gpt2';

const kindSchema = v.looseObject({
  model_type: v.optional(v.nullable(v.string())),
  architectures: v.optional(v.nullable(v.array(v.string()))),
});

/** A whole number from 1 to `most`: beyond it the config is damaged rather than large. */
function size(most: number) {
  const expected = `a whole number from 1 to ${most}`;
  return v.custom<number>(
    (input) => Number.isInteger(input) && (input as number) >= 1 && (input as number) <= most,
    expected,
  );
}

const optionalId = v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0))));
const flag = (otherwise: boolean) => v.optional(v.nullable(v.boolean(), otherwise), otherwise);

const gpt2Schema = v.looseObject({
  n_layer: size(1000),
  n_head: size(1000),
  n_embd: size(100_000),
  n_inner: v.optional(v.nullable(size(1_000_000))),
  n_positions: size(10_000_000),
  vocab_size: size(4_000_000),
  activation_function: v.optional(v.string(), 'gelu_new'),
  layer_norm_epsilon: v.optional(
    v.custom<number>(
      (input) => typeof input === 'number' && input > 0 && input < 1,
      'a number between 0 and 1',
    ),
    1e-5,
  ),
  tie_word_embeddings: flag(true),
  scale_attn_weights: flag(true),
  scale_attn_by_inverse_layer_idx: flag(false),
  add_cross_attention: flag(false),
  bos_token_id: optionalId,
  eos_token_id: optionalId,
});

const activations: ReadonlyMap<string, Activation> = new Map([
  ['gelu_new', 'gelu_new'],
  ['gelu_pytorch_tanh', 'gelu_new'],
  ['gelu_fast', 'gelu_new'],
  ['gelu', 'gelu'],
  ['relu', 'relu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
]);

/**
 * The config of the model in `folder`.
 * @throws file.missing, file.unreadable, file.malformed (no JSON), model.unsupported, model.invalidConfig.
 */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json');
  return parseModelConfig(path, await readJson(path, v.unknown()));
}

/** Checks the content of a `config.json`; `path` is for messages. Errors as `readModelConfig`. */
export function parseModelConfig(path: string, content: unknown): ModelConfig {
  const kind = checkJson(path, content, kindSchema, 'model.invalidConfig');
  const modelType = kind.model_type ?? (kind.architectures?.includes('GPT2LMHeadModel') ? 'gpt2' : undefined);
  if (modelType === undefined) throw invalid(path, 'model_type', `one of ${supported}`, kind.model_type);
  if (modelType !== 'gpt2') {
    throw new EngineError('model.unsupported', { path, architecture: plain(modelType), supported });
  }
  return gpt2Config(path, checkJson(path, content, gpt2Schema, 'model.invalidConfig'));
}

function gpt2Config(path: string, raw: v.InferOutput<typeof gpt2Schema>): ModelConfig {
  const { n_embd: dModel, n_head: nHeads } = raw;
  if (dModel % nHeads !== 0) throw invalid(path, 'n_embd', `a multiple of n_head (${nHeads})`, dModel);
  const activation = activations.get(raw.activation_function);
  if (!activation) {
    throw invalid(
      path,
      'activation_function',
      `one of ${[...activations.keys()].join(', ')}`,
      raw.activation_function,
    );
  }
  if (raw.add_cross_attention) throw invalid(path, 'add_cross_attention', 'false', true);
  return {
    family: 'gpt2',
    nLayers: raw.n_layer,
    nHeads,
    dModel,
    dHead: dModel / nHeads,
    dMlp: raw.n_inner ?? 4 * dModel,
    dVocab: raw.vocab_size,
    nContext: raw.n_positions,
    activation,
    layerNormEps: raw.layer_norm_epsilon,
    tiedEmbeddings: raw.tie_word_embeddings,
    scaleAttention: raw.scale_attn_weights,
    scaleAttentionByLayer: raw.scale_attn_by_inverse_layer_idx,
    bosId: raw.bos_token_id ?? undefined,
    eosId: raw.eos_token_id ?? undefined,
  };
}

function invalid(path: string, field: string, expected: string, found: unknown): EngineError {
  return new EngineError('model.invalidConfig', { path, field, expected, found: describeFound(found) });
}

function plain(text: string): string {
  return describeFound(text).slice(1, -1);
}
