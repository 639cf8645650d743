/** What every SAE folder comes down to, whatever wrote it: a config, and where its tensors lie. */
import type { ModelInfo, SaeArchitecture } from '../../shared/domain.ts';
import { EngineError, isEngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import type { StoredDtype } from '../files/safetensorsHeader.ts';
import { elementCount } from '../graph/value.ts';
import { hookAxes, hookDims, isPerPosition, locateHook, type StageHook } from '../model/hooks.ts';

/** Run-time normalisation of the input, as SAELens names it. */
export type ActivationNorm = 'none' | 'expected_average_only_in' | 'constant_norm_rescale' | 'layer_norm';

export interface SaeConfig {
  readonly architecture: SaeArchitecture;
  readonly dIn: number;
  readonly dSae: number;
  /** Features kept per token; TopK only. */
  readonly k?: number;
  /** TopK only: features are ranked by activation × norm of their decoder row. */
  readonly rescaleByDecoderNorm: boolean;
  /** The decoder bias is subtracted from the input before encoding. */
  readonly applyBDecToInput: boolean;
  readonly normalizeActivations: ActivationNorm;
  /** `hook_z`: the heads of `[position, head, d_head]` are laid side by side before encoding. */
  readonly reshapeActivations: 'none' | 'hook_z';
  /** Old fine-tuned SAEs: activations are multiplied by the tensor `scaling_factor` before decoding. */
  readonly finetuningScalingFactor: boolean;
  readonly dtype: string;
  readonly hookName: string;
  /** The one head the SAE reads; absent when it reads the whole hook. */
  readonly hookHeadIndex?: number;
  readonly modelName?: string;
  readonly prependBos?: boolean;
  /** Everything else the file said, to be written back unchanged. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** The tensors an SAE may have. Shapes: `W_enc [d_in, d_sae]`, `W_dec [d_sae, d_in]`, `b_dec [d_in]`, all others `[d_sae]`. */
export type SaeTensorName =
  | 'W_enc'
  | 'b_enc'
  | 'W_dec'
  | 'b_dec'
  | 'threshold'
  | 'b_gate'
  | 'b_mag'
  | 'r_mag'
  | 'scaling_factor';

/** Where a tensor lies. */
export interface SaeTensor {
  /** Real path of the file. */
  readonly path: string;
  /** Its name in that file. */
  readonly stored: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the file, and length in bytes. */
  readonly offset: number;
  readonly length: number;
  /** Tells the file from one that replaced it. */
  readonly stamp: string;
  /** `exp`: the file holds the logarithm, so the tensor cannot be mapped in place. */
  readonly transform?: 'exp';
}

/** An opened SAE folder. */
export interface SaeFolder {
  /** Real path. */
  readonly path: string;
  readonly config: SaeConfig;
  readonly tensors: ReadonlyMap<SaeTensorName, SaeTensor>;
  /** The tensor as float32, its transform applied. @throws as `openSafetensors`. */
  read(name: SaeTensorName): Promise<Float32Array>;
  /** log10 of the fraction of tokens on which each feature fires, `[d_sae]`, when the folder has it. */
  sparsity(): Promise<Float32Array | undefined>;
}

/** Tensors that each architecture must have. */
export const requiredTensors: { readonly [A in SaeArchitecture]: readonly SaeTensorName[] } = {
  standard: ['W_enc', 'b_enc', 'W_dec', 'b_dec'],
  topk: ['W_enc', 'b_enc', 'W_dec', 'b_dec'],
  jumprelu: ['W_enc', 'b_enc', 'W_dec', 'b_dec', 'threshold'],
  gated: ['W_enc', 'b_gate', 'b_mag', 'r_mag', 'W_dec', 'b_dec'],
};

/** The shape a tensor has in an SAE with this config. */
export function expectedShape(
  name: SaeTensorName,
  { dIn, dSae }: { readonly dIn: number; readonly dSae: number },
): number[] {
  if (name === 'W_enc') return [dIn, dSae];
  if (name === 'W_dec') return [dSae, dIn];
  return name === 'b_dec' ? [dIn] : [dSae];
}

/** The layer of a hook such as `blocks.5.hook_resid_pre`; 0 for the embedding, undefined after the last block. */
export function hookLayer(hookName: string): number | undefined {
  const layer = /^blocks\.(\d{1,6})\./.exec(hookName)?.[1];
  if (layer !== undefined) return Number(layer);
  return /^hook_(pos_)?embed$/.test(hookName) ? 0 : undefined;
}

type ModelShape = Pick<ModelInfo, 'name' | 'nLayers' | 'nHeads' | 'dModel' | 'dHead' | 'dMlp' | 'dVocab'>;

/**
 * Checks that the SAE's hook exists in the model, with a row per position that has the SAE's width.
 * @throws sae.mismatch saying what differs.
 */
export function checkSaeFits(sae: Pick<SaeFolder, 'path' | 'config'>, model: ModelShape): void {
  const { hookName, hookHeadIndex, dIn } = sae.config;
  const name = formatText(hookName);
  const mismatch = (reason: string) =>
    new EngineError('sae.mismatch', { path: sae.path, reason, model: model.name });
  const layer = hookLayer(hookName);
  if (layer !== undefined && layer >= model.nLayers) {
    throw mismatch(`it reads layer ${layer}, and the model's layers are 0 to ${model.nLayers - 1}`);
  }
  const hook = stageHook(hookName, model.nLayers);
  if (!hook) throw mismatch(`Fovea has no hook ${name}`);
  if (!isPerPosition(hook)) throw mismatch(`it reads ${name}, which has no row for each position`);
  const perHead = hookAxes(hook)[2] === 'head';
  if (hookHeadIndex !== undefined && !perHead)
    throw mismatch(`it reads one head at ${name}, which has no heads`);
  if (hookHeadIndex !== undefined && hookHeadIndex >= model.nHeads) {
    throw mismatch(`it reads head ${hookHeadIndex}, and the model's heads are 0 to ${model.nHeads - 1}`);
  }
  const dims = hookDims(hook, model, { batch: 1, positions: 1, keys: 1 });
  const width = elementCount(dims.slice(hookHeadIndex === undefined ? 2 : 3));
  if (width !== dIn) throw mismatch(`it reads ${dIn} numbers at ${name}, where the model has ${width}`);
}

/** The hook's name inside its stage; undefined when the model has no such hook. */
function stageHook(hookName: string, nLayers: number): StageHook | undefined {
  try {
    return locateHook(hookName, nLayers).hook;
  } catch (error) {
    if (isEngineError(error, 'request.invalid')) return undefined;
    throw error;
  }
}
