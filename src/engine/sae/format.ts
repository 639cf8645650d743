/** What every SAE comes down to, whatever wrote it: a config, and where its tensors lie. */
import type { HookName, SaeArchitecture, SaeKind } from '../../shared/domain.ts';
import type { SaeConvention } from '../../shared/saeCheck.ts';
import type { StoredDtype } from '../files/safetensorsHeader.ts';

/** Run-time normalisation of the input, as SAELens names it. */
export type ActivationNorm = 'none' | 'expected_average_only_in' | 'constant_norm_rescale' | 'layer_norm';

/** Where a transcoder writes. */
export interface SaeTarget {
  readonly kind: Exclude<SaeKind, 'sae'>;
  /** The hooks whose values the output imitates: one for a transcoder, one for each layer for a cross-layer one. */
  readonly hooks: readonly HookName[];
  /** Numbers at each of these hooks. */
  readonly width: number;
}

export interface SaeConfig {
  readonly architecture: SaeArchitecture;
  readonly dIn: number;
  readonly dSae: number;
  /** Features kept per token; TopK and GroupMax only. */
  readonly k?: number;
  /** ReLU and TopK only: features are activation × norm of their decoder row, and ranked so. */
  readonly rescaleByDecoderNorm: boolean;
  /** TopK and JumpReLU only: activation × norm of the decoder row decides which features stay, as they are. */
  readonly scoreByDecoderNorm?: boolean;
  /** TopK and JumpReLU only: negative activations survive, since nothing clamps them at 0. */
  readonly signed?: boolean;
  /** The decoder bias is subtracted from the input before encoding. */
  readonly applyBDecToInput: boolean;
  /** The mean over d_in is subtracted from the input (models with centred writing weights). */
  readonly centerInput?: boolean;
  /** The input is multiplied by this before anything else; 1 when left out. */
  readonly inputScale?: number;
  /** The output is divided by this last of all; 1 when left out. */
  readonly outputScale?: number;
  readonly normalizeActivations: ActivationNorm;
  /** `hook_z`: the heads of `[position, head, d_head]` are laid side by side before encoding. */
  readonly reshapeActivations: 'none' | 'hook_z';
  /** Old fine-tuned SAEs: activations are multiplied by the tensor `scaling_factor` before decoding. */
  readonly finetuningScalingFactor: boolean;
  readonly dtype: string;
  readonly hookName: HookName;
  /** The one head the SAE reads; absent when it reads the whole hook. */
  readonly hookHeadIndex?: number;
  /** Where it writes; absent for an SAE, which writes where it reads. */
  readonly target?: SaeTarget;
  readonly modelName?: string;
  readonly prependBos?: boolean;
  /** The first position shows no features and is left out of numbers. */
  readonly maskFirst?: boolean;
  /** As Neuronpedia names the source of its features. */
  readonly neuronpediaId?: string;
  /** Mean number of active features per token, as its release, its files or its folder's name state it. */
  readonly statedL0?: number;
  /** Everything else the file said, to be written back unchanged. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * The tensors an SAE may have. Shapes: `W_enc [d_in, d_sae]`, `W_dec [d_sae, d_out]`, `b_dec [d_out]`,
 * `W_skip [d_out, d_in]` (used as `x · W_skipᵀ`), all others `[d_sae]`. `d_out` counts all outputs side by side.
 */
export type SaeTensorName =
  | 'W_enc'
  | 'b_enc'
  | 'W_dec'
  | 'b_dec'
  | 'threshold'
  | 'b_gate'
  | 'b_mag'
  | 'r_mag'
  | 'scaling_factor'
  | 'W_skip';

/** Where a tensor's bytes lie in its file, one after the other. */
export interface TensorPlace {
  readonly dtype: StoredDtype;
  /** Bytes from the start of the file, and length in bytes. */
  readonly offset: number;
  readonly length: number;
  /** Tells the file from one that replaced it. */
  readonly stamp: string;
}

/** A tensor in a file. */
export interface SaeTensor {
  /** Real path of the file. */
  readonly path: string;
  /** Its name in that file. */
  readonly stored: string;
  /** As the file has it: transposed against `SaeTensorName`, or `[]` for one number that stands for all. */
  readonly shape: readonly number[];
  /** Present when the bytes lie in the file uncompressed and in order. */
  readonly place?: TensorPlace;
  /** The file holds the transpose of what `SaeTensorName` says. */
  readonly transposed?: boolean;
  /** `exp`: the file holds the logarithm. */
  readonly transform?: 'exp';
  /** The tensor is what the file holds times this. */
  readonly scale?: number;
  /** The numbers as the file has them, as float32. @throws file.* when the file has gone or changed. */
  load(): Promise<Float32Array>;
}

/** An opened SAE. */
export interface SaeFolder {
  /** Identifies it; see `SaeId`. */
  readonly id: string;
  /** Real path of the folder. */
  readonly path: string;
  /** The library whose layout this is, such as `SAELens` or `Gemma Scope`. */
  readonly format: string;
  readonly config: SaeConfig;
  readonly tensors: ReadonlyMap<SaeTensorName, SaeTensor>;
  /** Small files that belong to it beside the weights, for its hash. */
  readonly configFiles: readonly string[];
  /** How it is read, as far as that departs from what its files declare. */
  readonly convention?: SaeConvention;
  /** `release/id` when it belongs to a public release. */
  readonly release?: string;
  /** The tensor as float32 in the shape of `SaeTensorName`, its transform applied. @throws file.* when the file has gone or changed. */
  read(name: SaeTensorName): Promise<Float32Array>;
  /** log10 of the fraction of tokens on which each feature fires, `[d_sae]`, when there is such a file. */
  sparsity(): Promise<Float32Array | undefined>;
}

/** Tensors that each architecture must have. */
export const requiredTensors: { readonly [A in SaeArchitecture]: readonly SaeTensorName[] } = {
  standard: ['W_enc', 'b_enc', 'W_dec', 'b_dec'],
  topk: ['W_enc', 'b_enc', 'W_dec', 'b_dec'],
  groupmax: ['W_enc', 'b_enc', 'W_dec', 'b_dec'],
  jumprelu: ['W_enc', 'b_enc', 'W_dec', 'b_dec', 'threshold'],
  gated: ['W_enc', 'b_gate', 'b_mag', 'r_mag', 'W_dec', 'b_dec'],
};

type Widths = Pick<SaeConfig, 'dIn' | 'dSae' | 'target'>;

/** Numbers in a row of the output: d_in for an SAE, those of all its hooks side by side for a transcoder. */
export function outputWidth({ dIn, target }: Pick<SaeConfig, 'dIn' | 'target'>): number {
  return target ? target.width * target.hooks.length : dIn;
}

/** The hooks whose values the output imitates. */
export function outputHooks({
  hookName,
  target,
}: Pick<SaeConfig, 'hookName' | 'target'>): readonly HookName[] {
  return target?.hooks ?? [hookName];
}

/** The one hook whose value the output imitates; undefined for several. */
export function outputHook(config: Pick<SaeConfig, 'hookName' | 'target'>): HookName | undefined {
  const hooks = outputHooks(config);
  return hooks.length === 1 ? hooks[0] : undefined;
}

/** Whether its output imitates its input, another hook, or several layers' outputs. */
export function kindOf({ target }: Pick<SaeConfig, 'target'>): SaeKind {
  return target?.kind ?? 'sae';
}

/** The shape a tensor has in an SAE with this config. */
export function expectedShape(name: SaeTensorName, config: Widths): number[] {
  const { dIn, dSae } = config;
  const dOut = outputWidth(config);
  switch (name) {
    case 'W_enc':
      return [dIn, dSae];
    case 'W_dec':
      return [dSae, dOut];
    case 'W_skip':
      return [dOut, dIn];
    case 'b_dec':
      return [dOut];
    default:
      return [dSae];
  }
}
