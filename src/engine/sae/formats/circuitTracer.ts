/**
 * Transcoder sets and cross-layer transcoders of circuit-tracer: `layer_N.safetensors`, or `W_enc_N.safetensors` with
 * `W_dec_N.safetensors`, beside a `config.yaml`; transcoder sets may also come with the config of their training run.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { openSafetensors, type Safetensors } from '../../files/safetensors.ts';
import type { SaeConfig, SaeFolder, SaeTensor, SaeTensorName } from '../format.ts';
import { openedSae, tensorOf } from '../openedSae.ts';
import { laterDecoder, laterTarget, ownBias } from './crossLayer.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook } from './hookNames.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';
import { readYaml } from './yamlFile.ts';

const configFile = 'config.yaml';
/** The second is how some releases spell it. */
const runConfigFiles = ['wandb-config.yaml', 'wanb-config.yaml'] as const;
const layerFile = /^layer_(\d{1,4})\.safetensors$/;
const encoderFile = /^W_enc_(\d{1,4})\.safetensors$/;

/** The layout of circuit-tracer. */
export const circuitTracer: SaeFormat = {
  name: 'circuit-tracer',
  find: async ({ path, files }) => {
    const isOwn = files.has(configFile) || runConfigFiles.some((name) => files.has(name));
    if (!isOwn) return [];
    const encoders = [...files].filter((name) => encoderFile.test(name));
    const layers = encoders.length > 0 ? encoders : [...files].filter((name) => layerFile.test(name));
    if (layers.length > 0) return layers;
    return wholeFolder(files.has(configFile) && (await isSetConfig(join(path, configFile))));
  },
  open: async (path, part) => {
    if (part === undefined) throw elsewhere(path);
    const declared = await readDeclared(path);
    const layer = encoderFile.exec(part)?.[1];
    return layer === undefined
      ? openLayer(path, part, Number(layerFile.exec(part)?.[1]), declared)
      : openCrossLayer(path, part, Number(layer), declared);
  },
};

/** Many projects have a config of this name; those of circuit-tracer say which kind of model they describe. */
async function isSetConfig(path: string): Promise<boolean> {
  try {
    return (await readYaml(path, v.looseObject({ model_kind: v.string() }))).model_kind.includes(
      'transcoder',
    );
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}

function elsewhere(path: string): EngineError {
  return new EngineError('sae.unsupported', {
    path: join(path, configFile),
    architecture: 'a list of transcoders that lie in other repositories',
    supported: 'the folders of those repositories; download them and open them instead',
  });
}

const hookText = v.pipe(v.string(), v.regex(/^[\w.]{1,100}$/));

const schema = v.looseObject({
  model_kind: v.optional(v.string()),
  model_name: v.optional(v.nullable(v.string())),
  feature_input_hook: v.optional(hookText),
  feature_output_hook: v.optional(hookText),
  activation: v.optional(v.nullable(v.string())),
  k: v.optional(v.nullable(v.number())),
});

interface Declared {
  /** Real path of what was read. */
  readonly path: string;
  readonly input: string;
  readonly output: string;
  readonly activation?: string;
  readonly k?: number;
  readonly model?: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Releases with a run's config only read the MLP's input and write its output. */
async function readDeclared(path: string): Promise<Declared> {
  const configPath = join(path, configFile);
  const config = await readYaml(configPath, schema).catch((error) => {
    if (error instanceof EngineError && error.code === 'file.missing') return undefined;
    throw error;
  });
  return {
    path: config ? configPath : path,
    input: config?.feature_input_hook ?? 'mlp.hook_in',
    output: config?.feature_output_hook ?? 'hook_mlp_out',
    activation: config?.activation ?? undefined,
    k: config?.k ?? undefined,
    model: config?.model_name ?? modelOfRepository(path),
    metadata: config ?? {},
  };
}

function modelOfRepository(path: string): string | undefined {
  const size = /qwen3-(\d+(?:\.\d+)?)b/i.exec(path)?.[1];
  return size && `Qwen/Qwen3-${size}B`;
}

async function openLayer(path: string, part: string, layer: number, declared: Declared): Promise<SaeFolder> {
  const file = await openSafetensors(join(path, part));
  const tensors = new Map<SaeTensorName, SaeTensor>([
    ['W_enc', tensorOf(file, 'W_enc', { transposed: true })],
    ['b_enc', tensorOf(file, 'b_enc')],
    ['W_dec', tensorOf(file, 'W_dec')],
    ['b_dec', tensorOf(file, 'b_dec')],
  ]);
  // `x · W_skipᵀ`, unlike in cross-layer transcoders.
  if (file.tensors.has('W_skip')) tensors.set('W_skip', tensorOf(file, 'W_skip'));
  const activation = await activationOf(file, 'activation_function.threshold', tensors, declared);
  const width = tensors.get('W_dec')!.shape[1] ?? 0;
  const config = configOf(declared, activation, encoderWidths(file, 'W_enc'), {
    hookName: blockHook(layer, declared.input),
    target: { kind: 'transcoder', hooks: [blockHook(layer, declared.output)], width },
  });
  return openedSae({
    path,
    part,
    format: circuitTracer.name,
    config,
    tensors,
    configFiles: configs(declared, path),
  });
}

async function openCrossLayer(
  path: string,
  part: string,
  layer: number,
  declared: Declared,
): Promise<SaeFolder> {
  const file = await openSafetensors(join(path, part));
  const decoders = await openSafetensors(join(path, `W_dec_${layer}.safetensors`));
  const widths = encoderWidths(file, `W_enc_${layer}`);
  const stored = decoders.tensors.get(`W_dec_${layer}`)?.shape ?? [];
  if (stored.length !== 3) {
    throw malformed(decoders.path, `W_dec_${layer}`, 'a tensor [d_sae, layer, d_model]', stored);
  }
  const place = { layer, nLayers: layer + stored[1]!, width: stored[2]!, outputHook: declared.output };
  const tensors = new Map<SaeTensorName, SaeTensor>([
    ['W_enc', tensorOf(file, `W_enc_${layer}`, { transposed: true })],
    ['b_enc', tensorOf(file, `b_enc_${layer}`)],
    ['W_dec', laterDecoder(decoders, `W_dec_${layer}`, layer, place)],
    ['b_dec', ownBias(file, `b_dec_${layer}`, place)],
  ]);
  const activation = await activationOf(file, `threshold_${layer}`, tensors, declared);
  const config = configOf(declared, activation, widths, {
    hookName: blockHook(layer, declared.input),
    target: laterTarget(place),
  });
  return openedSae({
    path,
    part,
    format: circuitTracer.name,
    config,
    tensors,
    configFiles: configs(declared, path),
  });
}

type Activation = Pick<SaeConfig, 'architecture' | 'k' | 'signed'>;

/** A threshold makes it JumpReLU and a k TopK, both without a ReLU before; ReLU otherwise. */
async function activationOf(
  file: Safetensors,
  thresholdName: string,
  tensors: Map<SaeTensorName, SaeTensor>,
  { activation, k, path }: Declared,
): Promise<Activation> {
  if (file.tensors.has(thresholdName)) {
    tensors.set('threshold', tensorOf(file, thresholdName));
    return { architecture: 'jumprelu', signed: true };
  }
  const stored = file.tensors.get('k');
  if (activation !== 'topk' && !stored) {
    if (activation === undefined || activation === 'relu') return { architecture: 'standard' };
    const architecture = shorten(activation, 40);
    throw new EngineError('sae.unsupported', { path, architecture, supported: 'relu, topk, jump_relu' });
  }
  const count = k ?? (stored && Number((await file.read('k')).data[0]));
  if (count === undefined || !Number.isInteger(count) || count < 1)
    throw malformed(path, 'k', 'a whole number above 0', count);
  return { architecture: 'topk', k: count, signed: true };
}

function encoderWidths(file: Safetensors, name: string): { dIn: number; dSae: number } {
  const shape = file.tensors.get(name)?.shape;
  if (shape?.length === 2) return { dIn: shape[1]!, dSae: shape[0]! };
  throw malformed(file.path, name, 'a matrix [d_sae, d_model]', shape);
}

function configOf(
  { model, metadata }: Declared,
  activation: Activation,
  widths: { readonly dIn: number; readonly dSae: number },
  place: Required<Pick<SaeConfig, 'hookName' | 'target'>>,
): SaeConfig {
  return declaredConfig({
    ...activation,
    ...widths,
    ...place,
    applyBDecToInput: false,
    modelName: model,
    // circuit-tracer shows no features at the first position.
    maskFirst: true,
    metadata,
  });
}

function configs(declared: Declared, path: string): string[] {
  return declared.path === path ? [] : [declared.path];
}
