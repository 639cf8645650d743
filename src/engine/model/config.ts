/** What a model is, in the field's words and whatever its family; read from the `config.json` that Hugging Face writes. */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { describeFound } from '../files/fileErrors.ts';
import { checkJson, readJson } from '../files/json.ts';
import { invalidConfig } from './configSchema.ts';
import type { ModelFamily } from './families/family.ts';
import { families, familyNames } from './families/registry.ts';

/** Activation of the MLP. `gelu_new` is the tanh approximation, `gelu` the exact one. */
export type Activation = 'gelu_new' | 'gelu' | 'relu' | 'silu';

/** Rotary position embedding of one layer (Su et al. 2021). */
export interface Rotary {
  /** How many of a head's dimensions are turned, from the first one on. */
  readonly dims: number;
  /** Radians per position of each pair: `[dims / 2]`. */
  readonly inverseFrequencies: Float32Array;
  /** Factor on what is turned, 1 unless a scaling for long contexts asks for more. */
  readonly scale: number;
}

/** What may differ from layer to layer. */
export interface LayerConfig {
  /** Factor on the attention scores, usually 1/√d_head. */
  readonly scoreScale: number;
  /** A query sees this many positions, its own included; all of them when undefined. */
  readonly window: number | undefined;
  readonly rotary: Rotary | undefined;
}

export interface NormConfig {
  readonly kind: 'layerNorm' | 'rms';
  /** Which of what a sublayer reads and writes is normalized. */
  readonly place: 'before' | 'after' | 'both';
  readonly epsilon: number;
}

/** A model's shape and how it computes. */
export interface ModelConfig {
  /** The `model_type` of its config. */
  readonly family: string;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKeyValueHeads: number;
  readonly dModel: number;
  readonly dHead: number;
  readonly dMlp: number;
  readonly dVocab: number;
  /** Positions the model was trained for. */
  readonly nContext: number;
  readonly norm: NormConfig;
  /** How a token's position enters: a vector of its own added to its embedding, or a rotation of queries and keys. */
  readonly positions: 'learned' | 'rotary';
  readonly layers: readonly LayerConfig[];
  readonly activation: Activation;
  /** The MLP multiplies its activation by a second projection (`mlp.hook_pre_linear`). */
  readonly gated: boolean;
  /** Attention and MLP read the same stream, so there is no `hook_resid_mid`. */
  readonly parallel: boolean;
  /** Queries and keys are normalized head by head, or all heads together. */
  readonly queryKeyNorm: 'head' | 'all' | undefined;
  /** Queries, keys and values are held between −clipQkv and clipQkv. */
  readonly clipQkv: number | undefined;
  /** Attention scores and logits are held softly below these: cap · tanh(x / cap). */
  readonly scoreCap: number | undefined;
  readonly logitCap: number | undefined;
  /** Factor on the token embedding. */
  readonly embeddingScale: number;
  /** The unembedding is the transposed token embedding; no weight of its own is stored. */
  readonly tiedEmbeddings: boolean;
  /** Linear layers have a bias, where a family leaves that to the config. */
  readonly biases: { readonly qkv: boolean; readonly attentionOut: boolean; readonly mlp: boolean };
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

const kindSchema = v.looseObject({
  model_type: v.optional(v.nullable(v.string())),
  architectures: v.optional(v.nullable(v.array(v.string()))),
  quantization_config: v.optional(v.unknown()),
});

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
  return familyOf(path, content).readConfig(path, content as Readonly<Record<string, unknown>>);
}

/** The family of the model whose `config.json` holds `content`. @throws model.unsupported, model.invalidConfig */
export function familyOf(path: string, content: unknown): ModelFamily {
  const { model_type, architectures, quantization_config } = checkJson(
    path,
    content,
    kindSchema,
    'model.invalidConfig',
  );
  if (quantization_config !== undefined && quantization_config !== null) {
    const expected = 'absent, since of quantized weights Fovea reads only GGUF files';
    throw invalidConfig(path, 'quantization_config', expected, quantization_config);
  }
  const supported = familyNames.join(', ');
  if (typeof model_type === 'string') {
    const named = families.find(({ modelTypes }) => modelTypes.includes(model_type));
    if (named) return named;
    throw new EngineError('model.unsupported', { path, architecture: plain(model_type), supported });
  }
  const meant = families.find(({ architecture }) => architectures?.includes(architecture));
  if (meant) return meant;
  throw invalidConfig(path, 'model_type', `one of ${supported}`, model_type);
}

function plain(text: string): string {
  return describeFound(text).slice(1, -1);
}
