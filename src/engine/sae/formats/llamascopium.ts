/**
 * SAEs in the layout of Llamascopium (OpenMOSS), which the R1-distill release of Llama Scope uses as well:
 * `config.json` beside `sae_weights.safetensors`.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { readJson } from '../../files/json.ts';
import { openSafetensors, type Safetensors } from '../../files/safetensors.ts';
import type { SaeConfig, SaeFolder, SaeTensor, SaeTensorName } from '../format.ts';
import { constantTensor, openedSae, tensorOf } from '../openedSae.ts';
import { declaredConfig } from './declaredConfig.ts';
import { knownHook } from './hookNames.ts';
import { linearTensors } from './linearTensors.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

const configFile = 'config.json';
const weightsFile = 'sae_weights.safetensors';

/** The layout of Llamascopium. */
export const llamascopium: SaeFormat = {
  name: 'Llamascopium',
  find: async ({ files }) => wholeFolder(files.has(configFile) && files.has(weightsFile)),
  open: openLlamascopium,
};

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000_000));

const schema = v.looseObject({
  sae_type: v.optional(v.string(), 'sae'),
  d_model: count,
  expansion_factor: v.pipe(v.number(), v.finite(), v.minValue(Number.MIN_VALUE)),
  hook_point_in: v.string(),
  hook_point_out: v.optional(v.nullable(v.string())),
  use_decoder_bias: v.optional(v.boolean(), true),
  act_fn: v.optional(v.string(), 'jumprelu'),
  norm_activation: v.optional(
    v.picklist(['token-wise', 'batch-wise', 'dataset-wise', 'inference']),
    'inference',
  ),
  sparsity_include_decoder_norm: v.optional(v.boolean(), false),
  top_k: v.optional(v.nullable(count)),
  model_name: v.optional(v.nullable(v.string())),
});

type Declared = v.InferOutput<typeof schema>;

async function openLlamascopium(path: string): Promise<SaeFolder> {
  const configPath = join(path, configFile);
  const declared = await readJson(configPath, schema);
  const { sae_type: type, d_model: dIn } = declared;
  // Lorsa replaces attention heads: its features are no function of one position.
  if (type !== 'sae' && type !== 'crosscoder' && type !== 'transcoder') throw unsupported(configPath, type);
  if (type === 'crosscoder') throw unsupported(configPath, type);
  const file = await openSafetensors(join(path, weightsFile));
  const tensors = linearTensorsOf(configPath, file, declared);
  const activation = activationOf(configPath, file, declared, tensors);
  const hook = knownHook(configPath, 'hook_point_in', declared.hook_point_in);
  const hookOut = knownHook(configPath, 'hook_point_out', declared.hook_point_out ?? declared.hook_point_in);
  const config = declaredConfig({
    ...activation,
    ...(await normOf(file, declared, [hook, hookOut])),
    dIn,
    dSae: Math.round(dIn * declared.expansion_factor),
    applyBDecToInput: false,
    hookName: hook,
    ...(hookOut !== hook && { target: { kind: 'transcoder', hooks: [hookOut], width: dIn } }),
    modelName: declared.model_name ?? undefined,
    prependBos: true,
    metadata: declared,
  });
  return openedSae({ path, format: llamascopium.name, config, tensors, configFiles: [configPath] });
}

function linearTensorsOf(path: string, file: Safetensors, declared: Declared): Map<SaeTensorName, SaeTensor> {
  if (declared.use_decoder_bias) return linearTensors(file);
  const tensors = new Map<SaeTensorName, SaeTensor>([
    ['W_enc', tensorOf(file, 'encoder.weight', { transposed: true })],
    ['b_enc', tensorOf(file, 'encoder.bias')],
    ['W_dec', tensorOf(file, 'decoder.weight', { transposed: true })],
  ]);
  tensors.set('b_dec', constantTensor(path, 'use_decoder_bias', 0));
  return tensors;
}

/** Batch TopK is a rule of training; what it leaves for inference is a threshold. */
function activationOf(
  path: string,
  file: Safetensors,
  { act_fn: name, top_k: k, sparsity_include_decoder_norm: scored }: Declared,
  tensors: Map<SaeTensorName, SaeTensor>,
): Pick<SaeConfig, 'architecture' | 'k' | 'scoreByDecoderNorm'> {
  const score = scored ? { scoreByDecoderNorm: true } : {};
  const stored = ['log_jumprelu_threshold', 'activation_function.log_jumprelu_threshold'];
  const threshold = stored.find((candidate) => file.tensors.has(candidate));
  if (threshold && name !== 'relu' && name !== 'topk') {
    tensors.set('threshold', tensorOf(file, threshold, { transform: 'exp' }));
    return { architecture: 'jumprelu', ...score };
  }
  if (name === 'relu') return { architecture: 'standard' };
  if (name === 'topk' || name === 'batchtopk') {
    if (!k) throw malformed(path, 'top_k', 'a whole number above 0', k ?? undefined);
    return { architecture: 'topk', k, ...score };
  }
  throw unsupported(path, name);
}

/** The scales by which inputs and outputs were normalised in training, as far as the weights do not hold them yet. */
async function normOf(
  file: Safetensors,
  { norm_activation: norm, d_model: dIn }: Declared,
  [hook, hookOut]: readonly [string, string],
): Promise<Pick<SaeConfig, 'normalizeActivations' | 'inputScale' | 'outputScale'>> {
  if (norm === 'inference' || norm === 'batch-wise') return { normalizeActivations: 'none' };
  if (norm === 'token-wise') return { normalizeActivations: 'constant_norm_rescale' };
  const scaleAt = async (name: string) => {
    const stored = `dataset_average_activation_norm.${name}`;
    const average = (await file.readFloat32(stored))[0]!;
    if (!(average > 0)) throw malformed(file.path, stored, 'a number above 0', average);
    return Math.sqrt(dIn) / average;
  };
  return {
    normalizeActivations: 'none',
    inputScale: await scaleAt(hook),
    outputScale: await scaleAt(hookOut),
  };
}

function unsupported(path: string, kind: string): EngineError {
  const supported = 'sae and transcoder with relu, jumprelu, topk or batchtopk';
  return new EngineError('sae.unsupported', { path, architecture: shorten(kind, 40), supported });
}
