/**
 * Reads how a config asks for rotary position embedding, in both spellings (`rope_theta` with `rope_scaling`, and
 * `rope_parameters`), and works out the frequencies as Hugging Face does: plain, linear (Chen et al. 2023), llama3, YaRN
 * (Peng et al. 2023). Dynamic NTK and LongRoPE change with the length of the prompt; they are right up to the length
 * that the model was trained on first, and the context is cut there.
 */
import * as v from 'valibot';
import { checkJson } from '../files/json.ts';
import type { Rotary } from './config.ts';
import { invalidConfig, maybe, positive, size } from './configSchema.ts';

const factors = v.array(positive);

const ropeSchema = v.looseObject({
  rope_theta: maybe(positive),
  rope_type: maybe(v.string()),
  type: maybe(v.string()),
  partial_rotary_factor: maybe(positive),
  factor: maybe(positive),
  original_max_position_embeddings: maybe(size(100_000_000)),
  low_freq_factor: maybe(positive),
  high_freq_factor: maybe(positive),
  attention_factor: maybe(positive),
  beta_fast: maybe(positive),
  beta_slow: maybe(positive),
  mscale: maybe(v.number()),
  mscale_all_dim: maybe(v.number()),
  truncate: maybe(v.boolean()),
  short_factor: maybe(factors),
  long_factor: maybe(factors),
});
type RopeParameters = v.InferOutput<typeof ropeSchema>;

/** What a family says about its rotation. */
export interface RopeOptions {
  readonly dHead: number;
  readonly nContext: number;
  /** Base and turned fraction of a head when the config names none. */
  readonly base?: number;
  readonly fraction?: number;
  /** The config's own names for them. */
  readonly baseField?: string;
  readonly fractionField?: string;
  /** For configs that keep the parameters of each kind of layer apart. */
  readonly layerType?: 'full_attention' | 'sliding_attention';
  /** Take the scaling (`rope_scaling`) into account. Default true. */
  readonly scaled?: boolean;
}

export interface Rope {
  readonly rotary: Rotary;
  /** Longest prompt that these frequencies hold for. */
  readonly nContext: number;
}

type Config = Readonly<Record<string, unknown>>;

/** @throws model.invalidConfig, also for a kind of scaling that Fovea does not know. */
export function readRope(path: string, config: Config, options: RopeOptions): Rope {
  const { field, parameters } = findParameters(path, config, options);
  const kind = parameters.rope_type ?? parameters.type ?? 'default';
  const base =
    parameters.rope_theta ?? own(path, config, options.baseField ?? 'rope_theta') ?? options.base ?? 10_000;
  const fraction =
    parameters.partial_rotary_factor ??
    own(path, config, options.fractionField ?? 'partial_rotary_factor') ??
    options.fraction ??
    1;
  const dims = Math.floor(options.dHead * fraction);
  if (dims < 2 || dims % 2 !== 0 || dims > options.dHead) {
    const expected = `such that an even number of a head's ${options.dHead} dimensions is turned`;
    throw invalidConfig(path, options.fractionField ?? 'partial_rotary_factor', expected, fraction);
  }
  const scaling = scalings[kind];
  if (!scaling || !Object.hasOwn(scalings, kind)) {
    throw invalidConfig(path, `${field}.rope_type`, `one of ${Object.keys(scalings).join(', ')}`, kind);
  }
  const request = { path, field, parameters, config, base, dims, nContext: options.nContext };
  const { frequencies, scale = 1, nContext = options.nContext } = scaling(request);
  const inverseFrequencies = Float32Array.from(frequencies);
  return { rotary: { dims, inverseFrequencies, scale: Math.fround(scale) }, nContext };
}

function findParameters(
  path: string,
  config: Config,
  { layerType, scaled = true }: RopeOptions,
): { field: string; parameters: RopeParameters } {
  const isNew = config.rope_parameters !== undefined && config.rope_parameters !== null;
  const old = scaled ? config.rope_scaling : undefined;
  let field = isNew ? 'rope_parameters' : 'rope_scaling';
  let found = isNew ? config.rope_parameters : old;
  const apart = isNew && layerType ? (found as Config)[layerType] : undefined;
  if (apart !== undefined) [field, found] = [`${field}.${layerType}`, apart];
  const checked = checkJson(
    path,
    { [field]: found ?? {} },
    v.object({ [field]: ropeSchema }),
    'model.invalidConfig',
  );
  return { field, parameters: checked[field]! };
}

/** A number above 0 of the config itself. */
function own(path: string, config: Config, field: string): number | undefined {
  const checked = checkJson(
    path,
    { [field]: config[field] },
    v.object({ [field]: maybe(positive) }),
    'model.invalidConfig',
  );
  return checked[field] ?? undefined;
}

interface ScalingRequest {
  readonly path: string;
  readonly field: string;
  readonly parameters: RopeParameters;
  readonly config: Config;
  readonly base: number;
  readonly dims: number;
  readonly nContext: number;
}

interface Scaled {
  readonly frequencies: readonly number[];
  readonly scale?: number;
  readonly nContext?: number;
}

const scalings: Readonly<Record<string, (request: ScalingRequest) => Scaled>> = {
  default: ({ base, dims }) => ({ frequencies: plainFrequencies(base, dims) }),
  linear: (request) => {
    const factor = required(request, 'factor');
    return { frequencies: plainFrequencies(request.base, request.dims).map((f) => f / factor) };
  },
  // Up to the trained length the base is the plain one; beyond it, it would change with every token.
  dynamic: ({ base, dims }) => ({ frequencies: plainFrequencies(base, dims) }),
  llama3,
  // Phi-3 once called its LongRoPE so.
  yarn: (request) => (request.parameters.short_factor ? longrope(request) : yarn(request)),
  longrope,
  // An older name of the same.
  su: longrope,
};

/** `base^(−2i/dims)`, in float32 as the models were trained with. */
function plainFrequencies(base: number, dims: number): number[] {
  return Array.from({ length: dims / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(base ** Math.fround((2 * i) / dims))),
  );
}

/** Long waves are slowed by `factor`, short ones stay, those between are mixed (Llama 3.1). */
function llama3(request: ScalingRequest): Scaled {
  const factor = required(request, 'factor');
  const low = required(request, 'low_freq_factor');
  const high = required(request, 'high_freq_factor');
  const trained = required(request, 'original_max_position_embeddings');
  const frequencies = plainFrequencies(request.base, request.dims).map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < trained / high) return frequency;
    if (wavelength > trained / low) return frequency / factor;
    const smooth = (trained / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
  return { frequencies };
}

/** YaRN: a ramp over the dimensions between slowed and plain frequencies, and a factor on the scores. */
function yarn(request: ScalingRequest): Scaled {
  const { parameters, base, dims, nContext } = request;
  const trained = required(request, 'original_max_position_embeddings');
  const factor = parameters.factor ?? nContext / trained;
  const dimOf = (rotations: number) =>
    (dims * Math.log(trained / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [dimOf(parameters.beta_fast ?? 32), dimOf(parameters.beta_slow ?? 1)];
  const whole = parameters.truncate ?? true;
  const low = Math.max(whole ? Math.floor(first) : first, 0);
  const high = Math.min(whole ? Math.ceil(last) : last, dims - 1);
  const span = low === high ? 0.001 : high - low;
  const frequencies = plainFrequencies(base, dims).map((frequency, i) => {
    const slowed = Math.min(Math.max((i - low) / span, 0), 1);
    return (frequency / factor) * slowed + frequency * (1 - slowed);
  });
  return { frequencies, scale: parameters.attention_factor ?? yarnScale(parameters, factor) };
}

function yarnScale({ mscale, mscale_all_dim: ofAll }: RopeParameters, factor: number): number {
  const grow = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  return mscale && ofAll ? grow(mscale) / grow(ofAll) : grow(1);
}

/** LongRoPE with its factors for short prompts (Ding et al. 2024). */
function longrope(request: ScalingRequest): Scaled {
  const { path, field, parameters, config, base, dims, nContext } = request;
  const short = parameters.short_factor;
  if (short?.length !== dims / 2) {
    throw invalidConfig(path, `${field}.short_factor`, `a list of ${dims / 2} numbers`, short);
  }
  const outer = own(path, config, 'original_max_position_embeddings');
  const trained = parameters.original_max_position_embeddings ?? outer ?? nContext;
  const factor = parameters.factor ?? nContext / trained;
  const grown = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
  const frequencies = short.map((by, i) => 1 / (by * base ** ((2 * i) / dims)));
  return { frequencies, scale: parameters.attention_factor ?? grown, nContext: Math.min(nContext, trained) };
}

type NumberField = 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings';

function required({ path, field, parameters }: ScalingRequest, name: NumberField): number {
  const value = parameters[name];
  if (value !== undefined && value !== null) return value;
  throw invalidConfig(path, `${field}.${name}`, 'a number above 0', undefined);
}
