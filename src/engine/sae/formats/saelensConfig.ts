/** Reads and writes the `cfg.json` of SAELens: the nested form of version 6 and the flat one before it. */
import * as v from 'valibot';
import type { SaeArchitecture } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { checkJson } from '../../files/json.ts';
import type { SaeConfig, SaeTarget } from '../format.ts';

type Json = Readonly<Record<string, unknown>>;

/** What each architecture of SAELens computes, and whether it is a transcoder. */
const architectures: ReadonlyMap<
  string,
  { readonly activation: SaeArchitecture; readonly transcoder?: true }
> = new Map([
  ['standard', { activation: 'standard' }],
  ['topk', { activation: 'topk' }],
  ['jumprelu', { activation: 'jumprelu' }],
  ['gated', { activation: 'gated' }],
  ['transcoder', { activation: 'standard', transcoder: true }],
  ['skip_transcoder', { activation: 'standard', transcoder: true }],
  ['jumprelu_transcoder', { activation: 'jumprelu', transcoder: true }],
  ['jumprelu_skip_transcoder', { activation: 'jumprelu', transcoder: true }],
]);

const norms = ['none', 'expected_average_only_in', 'constant_norm_rescale', 'layer_norm'] as const;

/** Keys of the flat form that version 6 keeps under `metadata`. */
const metadataKeys = new Set([
  'model_name',
  'hook_name',
  'model_class_name',
  'hook_head_index',
  'hook_layer',
  'model_from_pretrained_kwargs',
  'prepend_bos',
  'exclude_special_tokens',
  'neuronpedia_id',
  'context_size',
  'seqpos_slice',
  'dataset_path',
  'dataset_trust_remote_code',
  'sae_lens_version',
  'sae_lens_training_version',
]);

const ownKeys = new Set([
  'architecture',
  'd_in',
  'd_sae',
  'd_out',
  'dtype',
  'k',
  'rescale_acts_by_decoder_norm',
  'apply_b_dec_to_input',
  'normalize_activations',
  'reshape_activations',
  'finetuning_scaling_factor',
  'metadata',
]);

function count(most: number) {
  const expected = `a whole number from 1 to ${most}`;
  return v.custom<number>(
    (input) => Number.isInteger(input) && (input as number) >= 1 && (input as number) <= most,
    expected,
  );
}

const optionalText = v.optional(v.nullable(v.string()));

const schema = v.looseObject({
  architecture: v.string(),
  d_in: count(1_000_000),
  d_sae: count(100_000_000),
  d_out: v.optional(v.nullable(count(1_000_000))),
  dtype: v.optional(v.nullable(v.string(), 'float32'), 'float32'),
  k: v.optional(v.nullable(count(100_000_000))),
  rescale_acts_by_decoder_norm: v.optional(v.nullable(v.boolean(), false), false),
  apply_b_dec_to_input: v.optional(v.boolean(), true),
  normalize_activations: v.optional(v.picklist(norms), 'none'),
  reshape_activations: v.optional(v.picklist(['none', 'hook_z']), 'none'),
  finetuning_scaling_factor: v.optional(v.nullable(v.boolean(), false), false),
  metadata: v.looseObject({
    hook_name: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
    hook_head_index: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0)))),
    hook_name_out: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(200)))),
    model_name: optionalText,
    neuronpedia_id: optionalText,
    model_from_pretrained_kwargs: v.optional(v.unknown()),
    prepend_bos: v.optional(v.nullable(v.boolean())),
  }),
});

/**
 * The config in the content of a `cfg.json`; `path` is for messages.
 * @throws file.malformed naming the field, sae.unsupported.
 */
export function parseSaeLensConfig(path: string, content: unknown): SaeConfig {
  const given = checkJson(path, content, v.record(v.string(), v.unknown()));
  const raw = isVersion6(given) ? given : fromFlat(path, given);
  const known = typeof raw.architecture === 'string' ? architectures.get(raw.architecture) : undefined;
  if (typeof raw.architecture === 'string' && !known) {
    const architecture = shorten(raw.architecture, 40);
    const supported = [...architectures.keys()].join(', ');
    throw new EngineError('sae.unsupported', { path, architecture, supported });
  }
  if (raw.normalize_activations === 'covariance_whitening') throw unsupportedNorm(path);
  const checked = checkJson(path, raw, schema);
  const { activation: architecture, transcoder } = known!;
  const k = architecture === 'topk' ? checkedK(path, checked.k, checked.d_sae) : undefined;
  const { metadata } = checked;
  const target = transcoder ? targetOf(path, checked) : undefined;
  return {
    architecture,
    dIn: checked.d_in,
    dSae: checked.d_sae,
    k,
    rescaleByDecoderNorm: architecture === 'topk' && checked.rescale_acts_by_decoder_norm,
    applyBDecToInput: !transcoder && checked.apply_b_dec_to_input,
    ...(isCentered(metadata) && { centerInput: true }),
    normalizeActivations: checked.normalize_activations,
    reshapeActivations: checked.reshape_activations,
    finetuningScalingFactor: checked.finetuning_scaling_factor,
    dtype: checked.dtype.replace(/^torch\./, ''),
    hookName: metadata.hook_name,
    hookHeadIndex: metadata.hook_head_index ?? undefined,
    ...(target && { target }),
    modelName: metadata.model_name ?? undefined,
    prependBos: metadata.prepend_bos ?? undefined,
    ...(leavesOutFirst(metadata) && { maskFirst: true }),
    ...(metadata.neuronpedia_id != null && { neuronpediaId: metadata.neuronpedia_id }),
    metadata,
    extra: Object.fromEntries(Object.entries(raw).filter(([key]) => !ownKeys.has(key))),
  };
}

/** Transcoders of SAELens write where `hook_name_out` says. */
function targetOf(path: string, { d_in, d_out, metadata }: v.InferOutput<typeof schema>): SaeTarget {
  const hook = metadata.hook_name_out;
  if (hook == null) throw malformed(path, 'metadata.hook_name_out', 'the name of the hook it writes', hook);
  return { kind: 'transcoder', hooks: [hook], width: d_out ?? d_in };
}

/** Trained on the positions from the second on, or with the token that begins texts left out. */
function leavesOutFirst({
  prepend_bos,
  seqpos_slice: slice,
  exclude_special_tokens: special,
}: Json): boolean {
  const start = Array.isArray(slice) ? slice[0] : undefined;
  if (typeof start === 'number' && start === 1) return true;
  return prepend_bos === true && (special === true || (Array.isArray(special) && special.length > 0));
}

/** A model loaded with centred writing weights has a residual stream, and summands of it, whose mean over d_model is 0. */
function isCentered({ hook_name: hook, model_from_pretrained_kwargs: kwargs }: Json): boolean {
  const isStream = /(^|\.)hook_(embed|pos_embed|resid_pre|resid_mid|resid_post|attn_out|mlp_out)$/.test(
    String(hook),
  );
  return isStream && isRecord(kwargs) && kwargs.center_writing_weights === true;
}

/**
 * The `cfg.json` of version 6 for `config`. What was read from a file and is not ours comes back unchanged.
 * `skip` tells that the weights have a skip connection.
 */
export function saeLensJson(config: SaeConfig, { skip = false } = {}): Json {
  const topk = { k: config.k, rescale_acts_by_decoder_norm: config.rescaleByDecoderNorm };
  const version = isVersion6({ metadata: config.metadata }) ? config.metadata.sae_lens_version : '6.0.0';
  const { target } = config;
  return {
    architecture: target ? transcoderName(config, skip) : config.architecture,
    d_in: config.dIn,
    d_sae: config.dSae,
    ...(target && { d_out: target.width }),
    dtype: config.dtype,
    device: 'cpu',
    apply_b_dec_to_input: config.applyBDecToInput,
    normalize_activations: config.normalizeActivations,
    reshape_activations: config.reshapeActivations,
    ...(config.architecture === 'topk' ? topk : {}),
    ...(config.finetuningScalingFactor ? { finetuning_scaling_factor: true } : {}),
    ...config.extra,
    metadata: {
      ...config.metadata,
      ...centeringOf(config),
      sae_lens_version: version,
      hook_name: config.hookName,
      hook_head_index: config.hookHeadIndex ?? null,
      ...(target && { hook_name_out: target.hooks[0], hook_head_index_out: null }),
      ...(config.modelName === undefined ? {} : { model_name: config.modelName }),
      ...(config.prependBos === undefined ? {} : { prepend_bos: config.prependBos }),
      ...(config.neuronpediaId === undefined ? {} : { neuronpedia_id: config.neuronpediaId }),
    },
  };
}

/** The model's writing weights are centred exactly when the input is read so, whatever the file said that was read. */
function centeringOf({ centerInput = false, hookName, metadata }: SaeConfig): Json {
  const said = metadata.model_from_pretrained_kwargs;
  if (centerInput === isCentered({ hook_name: hookName, model_from_pretrained_kwargs: said })) return {};
  return {
    model_from_pretrained_kwargs: { ...(isRecord(said) && said), center_writing_weights: centerInput },
  };
}

function transcoderName({ architecture }: SaeConfig, skip: boolean): string {
  const base = skip ? 'skip_transcoder' : 'transcoder';
  return architecture === 'jumprelu' ? `jumprelu_${base}` : base;
}

/** SAELens 6 can whiten its inputs as well; read without that, such an SAE would give wrong features. */
function unsupportedNorm(path: string): EngineError {
  const architecture = 'normalize_activations: covariance_whitening';
  return new EngineError('sae.unsupported', { path, architecture, supported: norms.join(', ') });
}

function isVersion6({ metadata }: Json): boolean {
  if (!isRecord(metadata) || typeof metadata.sae_lens_version !== 'string') return false;
  return Number.parseInt(metadata.sae_lens_version, 10) >= 6;
}

/** The flat form before version 6, renamed and defaulted as SAELens does when it loads one. */
function fromFlat(path: string, flat: Json): Json {
  const named: Record<string, unknown> = {
    prepend_bos: true,
    apply_b_dec_to_input: true,
    finetuning_scaling_factor: false,
    activation_fn: 'relu',
    architecture: 'standard',
    neuronpedia_id: null,
    device: 'cpu',
    ...Object.fromEntries(Object.entries(flat).map(([key, value]) => [renamed.get(key) ?? key, value])),
  };
  const metadata = isRecord(flat.metadata) ? { ...flat.metadata } : {};
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(named)) {
    if (key === 'metadata') continue;
    if (metadataKeys.has(key)) metadata[key] = value;
    else out[key] = value;
  }
  const hook = metadata.hook_name;
  if (typeof hook !== 'string') throw malformed(path, 'hook_name', 'the name of a hook', hook);
  const k = isRecord(named.activation_fn_kwargs) ? named.activation_fn_kwargs.k : undefined;
  if (named.activation_fn === 'topk' && k != null) {
    out.architecture = 'topk';
    out.k = k;
  }
  out.reshape_activations = hook.includes('hook_z') ? 'hook_z' : 'none';
  out.normalize_activations = flatNorm(named.normalize_activations);
  return { ...out, metadata };
}

const renamed = new Map([
  ['hook_point', 'hook_name'],
  ['hook_point_head_index', 'hook_head_index'],
  ['activation_fn_str', 'activation_fn'],
]);

function flatNorm(value: unknown): unknown {
  if (value === true) return 'expected_average_only_in';
  return value === false || value == null ? 'none' : value;
}

function checkedK(path: string, k: number | null | undefined, dSae: number): number {
  if (k == null || k > dSae)
    throw malformed(path, 'k', `a whole number from 1 to d_sae (${dSae})`, k ?? undefined);
  return k;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
