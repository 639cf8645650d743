/** Opens and saves SAE folders in the layout of SAELens: `cfg.json`, `sae_weights.safetensors`, perhaps `sparsity.safetensors`. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { isEngineError } from '../../../shared/errors.ts';
import { fileError, malformed } from '../../files/fileErrors.ts';
import { readJson, writeJson } from '../../files/json.ts';
import { openSafetensors, type Safetensors, writeSafetensors } from '../../files/safetensors.ts';
import type { StoredTensor } from '../../files/safetensorsHeader.ts';
import { floatValue, type Value } from '../../graph/value.ts';
import {
  expectedShape,
  requiredTensors,
  type SaeConfig,
  type SaeFolder,
  type SaeTensor,
  type SaeTensorName,
} from '../format.ts';
import { openedSae, tensorOf } from '../openedSae.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';
import { parseSaeLensConfig, saeLensJson } from './saelensConfig.ts';

const configFile = 'cfg.json';
const weightsFile = 'sae_weights.safetensors';
const sparsityFile = 'sparsity.safetensors';
const floating = new Set(['F16', 'BF16', 'F32', 'F64']);

/** The layout of SAELens. */
export const saeLens: SaeFormat = {
  name: 'SAELens',
  // One without its weights is shown as well, with what is wrong; `sae.safetensors` is what sparsify writes.
  find: async ({ files }) => wholeFolder(files.has(configFile) && !files.has('sae.safetensors')),
  open: openSaeLens,
};

/**
 * Opens the SAE in `folder`: config and tensor locations are checked, no weights are read, except for a legacy
 * `scaling_factor`.
 * @throws file.missing, file.unreadable, file.malformed, sae.unsupported.
 */
export async function openSaeLens(folder: string): Promise<SaeFolder> {
  const path = await realpath(folder).catch((error) => {
    throw fileError(folder, error);
  });
  const configPath = join(path, configFile);
  const config = parseSaeLensConfig(configPath, await readJson(configPath, v.unknown()));
  const weights = await openSafetensors(join(path, weightsFile));
  const scaled = await isScaled(configPath, config, weights);
  const tensors = new Map<SaeTensorName, SaeTensor>();
  for (const name of requiredTensors[config.architecture]) tensors.set(name, located(weights, name, config));
  if (scaled) tensors.set('scaling_factor', tensorOf(weights, 'scaling_factor'));
  if (weights.tensors.has('W_skip')) tensors.set('W_skip', tensorOf(weights, 'W_skip'));
  return openedSae({
    path,
    format: saeLens.name,
    config: { ...config, finetuningScalingFactor: scaled },
    tensors,
    configFiles: [configPath],
    sparsity: () => readSparsity(join(path, sparsityFile), config.dSae),
  });
}

/** The tensors of an SAE in memory; float32, shapes as in `SaeTensorName`. */
export type SaeWeights = Readonly<Partial<Record<SaeTensorName, Value>>>;

/**
 * Saves an SAE as a folder that SAELens 6 loads. `sparsity` is log10 of each feature's firing frequency, `[d_sae]`.
 * The config is written last, so an interrupted save leaves no folder that looks whole.
 */
export async function writeSaeLens(
  folder: string,
  config: SaeConfig,
  weights: SaeWeights,
  { sparsity }: { readonly sparsity?: Float32Array } = {},
): Promise<void> {
  const names: SaeTensorName[] = [...requiredTensors[config.architecture]];
  if (config.finetuningScalingFactor) names.push('scaling_factor');
  if (weights.W_skip) names.push('W_skip');
  const tensors = Object.fromEntries(names.map((name) => [name, checkedWeight(name, weights[name], config)]));
  await writeSafetensors(join(folder, weightsFile), tensors);
  if (sparsity) await writeSafetensors(join(folder, sparsityFile), { sparsity: floatValue(sparsity) });
  await writeJson(join(folder, configFile), saeLensJson(config, { skip: weights.W_skip !== undefined }));
}

function located(weights: Safetensors, name: SaeTensorName, config: SaeConfig): SaeTensor {
  if (weights.tensors.has(name)) return tensorOf(weights, name);
  // Checkpoints of SAELens before 6.48 hold the logarithm of the threshold.
  if (name === 'threshold' && weights.tensors.has('log_threshold')) {
    return tensorOf(weights, 'log_threshold', { transform: 'exp' });
  }
  const expected = expectedShape(name, config).join(', ');
  throw malformed(weights.path, name, `a tensor of shape [${expected}]`, undefined);
}

function checkTensor(path: string, name: string, tensor: StoredTensor, expected: readonly number[]): void {
  const shape = expected.join(', ');
  if (tensor.shape.join(', ') !== shape) {
    throw malformed(
      path,
      `the shape of ${name}`,
      `[${shape}], as d_in and d_sae in cfg.json say`,
      tensor.shape,
    );
  }
  if (!floating.has(tensor.dtype))
    throw malformed(path, `${name}.dtype`, [...floating].join(', '), tensor.dtype);
}

/** A stored `scaling_factor` of ones means nothing; any other must be announced by the config, as in SAELens. */
async function isScaled(configPath: string, config: SaeConfig, weights: Safetensors): Promise<boolean> {
  const stored = weights.tensors.get('scaling_factor');
  if (!stored) return false;
  checkTensor(weights.path, 'scaling_factor', stored, [config.dSae]);
  const factors = await weights.readFloat32('scaling_factor');
  if (factors.every((factor) => factor === 1)) return false;
  if (!config.finetuningScalingFactor) {
    throw malformed(
      configPath,
      'finetuning_scaling_factor',
      'true, since the weights hold a scaling_factor',
      false,
    );
  }
  return true;
}

async function readSparsity(path: string, dSae: number): Promise<Float32Array | undefined> {
  const file = await openSafetensors(path).catch((error) => {
    if (isEngineError(error, 'file.missing')) return undefined;
    throw error;
  });
  if (!file) return undefined;
  const tensor = file.tensors.get('sparsity');
  if (!tensor) throw malformed(file.path, 'sparsity', `a tensor of shape [${dSae}]`, undefined);
  checkTensor(file.path, 'sparsity', tensor, [dSae]);
  return file.readFloat32('sparsity');
}

function checkedWeight(name: SaeTensorName, value: Value | undefined, config: SaeConfig): Value {
  const expected = expectedShape(name, config).join(', ');
  if (!value) throw new Error(`the SAE has no ${name}`);
  if (value.dims.join(', ') !== expected) {
    throw new Error(`${name} has shape [${value.dims.join(', ')}], but the config asks for [${expected}]`);
  }
  return value;
}
