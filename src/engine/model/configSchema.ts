/** The pieces that config schemas of all families are made of; values are checked before anything is sized by them. */
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { describeFound } from '../files/fileErrors.ts';
import type { Activation, ModelConfig } from './config.ts';

/** A whole number from 1 to `most`: beyond it the config is damaged rather than large. */
export function size(most: number) {
  const expected = `a whole number from 1 to ${most}`;
  return v.custom<number>(
    (input) => Number.isInteger(input) && (input as number) >= 1 && (input as number) <= most,
    expected,
  );
}

const between = (low: number, high: number, expected: string) =>
  v.custom<number>((input) => typeof input === 'number' && input > low && input < high, expected);

/** A finite number above 0. */
export const positive = between(0, Number.POSITIVE_INFINITY, 'a number above 0');

/** What keeps a norm from dividing by 0. */
export const epsilon = (otherwise: number) =>
  v.optional(between(0, 1, 'a number between 0 and 1'), otherwise);

export const flag = (otherwise: boolean) => v.optional(v.nullable(v.boolean(), otherwise), otherwise);

/** A value that may be absent or null. */
export const maybe = <const S extends v.GenericSchema>(schema: S) => v.optional(v.nullable(schema));

const id = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A special token, or several of them. */
export const tokenIds = maybe(v.union([id, v.array(id)], 'a whole number from 0 or a list of them'));

export const limits = {
  layers: size(1000),
  heads: size(1000),
  width: size(100_000),
  mlp: size(1_000_000),
  vocabulary: size(4_000_000),
  context: size(100_000_000),
} as const;

/** What configs of the families since Llama have in common. */
export const decoderEntries = {
  num_hidden_layers: limits.layers,
  num_attention_heads: limits.heads,
  num_key_value_heads: maybe(limits.heads),
  hidden_size: limits.width,
  head_dim: maybe(limits.width),
  intermediate_size: limits.mlp,
  vocab_size: limits.vocabulary,
  max_position_embeddings: limits.context,
  bos_token_id: tokenIds,
  eos_token_id: tokenIds,
} as const;

/** A config of these families, as far as they have it in common. */
export const decoderSchema = v.looseObject(decoderEntries);

/** The sizes of such a config. @throws model.invalidConfig for heads that do not divide. */
export function decoderSizes(path: string, raw: v.InferOutput<typeof decoderSchema>) {
  const { num_attention_heads: nHeads, hidden_size: dModel } = raw;
  const nKeyValueHeads = raw.num_key_value_heads ?? nHeads;
  if (nHeads % nKeyValueHeads !== 0) {
    throw invalidConfig(
      path,
      'num_key_value_heads',
      `a divisor of num_attention_heads (${nHeads})`,
      nKeyValueHeads,
    );
  }
  return {
    nLayers: raw.num_hidden_layers,
    nHeads,
    nKeyValueHeads,
    dModel,
    dHead: raw.head_dim ?? headWidth(path, 'hidden_size', dModel, 'num_attention_heads', nHeads),
    dMlp: raw.intermediate_size,
    dVocab: raw.vocab_size,
    nContext: raw.max_position_embeddings,
    bosId: firstId(raw.bos_token_id),
    eosId: firstId(raw.eos_token_id),
  };
}

/** The width of one of `heads` heads that divide `width` among them. @throws model.invalidConfig */
export function headWidth(
  path: string,
  field: string,
  width: number,
  headsField: string,
  heads: number,
): number {
  if (width % heads === 0) return width / heads;
  throw invalidConfig(path, field, `a multiple of ${headsField} (${heads})`, width);
}

/** The first of a config's special tokens. */
export function firstId(ids: number | number[] | null | undefined): number | undefined {
  return (Array.isArray(ids) ? ids[0] : ids) ?? undefined;
}

const activations: ReadonlyMap<string, Activation> = new Map([
  ['gelu_new', 'gelu_new'],
  ['gelu_pytorch_tanh', 'gelu_new'],
  ['gelu_fast', 'gelu_new'],
  ['gelu', 'gelu'],
  ['relu', 'relu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
]);

/** The activation that a config calls `name`. @throws model.invalidConfig */
export function activationOf(path: string, field: string, name: string): Activation {
  const activation = activations.get(name);
  if (activation) return activation;
  throw invalidConfig(path, field, `one of ${[...activations.keys()].join(', ')}`, name);
}

/** Refuses a switch that changes what a family computes in a way that Fovea does not run. @throws model.invalidConfig */
export function refuse(path: string, field: string, found: unknown, allowed: unknown): void {
  if (found !== undefined && found !== null && found !== allowed) {
    throw invalidConfig(path, field, `${allowed} (Fovea runs no other)`, found);
  }
}

const attentionKinds = v.picklist(['full_attention', 'sliding_attention']);

/** Which attention each layer has, when a config lists it. */
export const layerTypes = maybe(v.array(attentionKinds));

/**
 * Whether each layer looks through a sliding window: as listed, or as `otherwise` says.
 * @throws model.invalidConfig when the list has another length than the model.
 */
export function slidingLayers(
  path: string,
  nLayers: number,
  listed: readonly v.InferOutput<typeof attentionKinds>[] | null | undefined,
  otherwise: (layer: number) => boolean,
): boolean[] {
  if (!listed) return Array.from({ length: nLayers }, (_, layer) => otherwise(layer));
  if (listed.length === nLayers) return listed.map((kind) => kind === 'sliding_attention');
  throw invalidConfig(path, 'layer_types', `a list of ${nLayers}`, listed);
}

/** What most families do; each says only where it differs. */
export const usual = {
  queryKeyNorm: undefined,
  clipQkv: undefined,
  scoreCap: undefined,
  logitCap: undefined,
  embeddingScale: 1,
  parallel: false,
  biases: { qkv: false, attentionOut: false, mlp: false },
} as const satisfies Partial<ModelConfig>;

/** `model.invalidConfig` for `field` of the config at `path`. */
export function invalidConfig(path: string, field: string, expected: string, found: unknown): EngineError {
  return new EngineError('model.invalidConfig', { path, field, expected, found: describeFound(found) });
}
