/** The other ways in which an SAE's files could be meant. */

import type { HookName } from '../../../shared/domain.ts';
import type { SaeConvention } from '../../../shared/saeCheck.ts';
import { canTranspose, hasInputGain } from '../convention.ts';
import { kindOf, outputWidth, type SaeFolder } from '../format.ts';

/** What the model's activations and its tokenizer allow. */
export interface ConventionChoices {
  /** Mean Euclidean norm of the input over the tokens, d_model numbers each. */
  readonly meanNorm: number;
  /** Root of the mean squared norm. */
  readonly rootMeanSquareNorm: number;
  /** The tokenizer has a beginning-of-sequence token. */
  readonly hasBos: boolean;
  /** Prompts begin with it now. */
  readonly bos: boolean;
  /** Hooks that it could have been trained on as well, from `neighbouringHooks`. */
  readonly hooks: readonly HookName[];
}

/**
 * Single departures from how `folder` is read now: what files of the field leave unsaid or say wrongly. One that
 * cannot be meant for this SAE (a bias of another width, a matrix that fits one way only) is left out.
 */
export function otherConventions(folder: SaeFolder, choices: ConventionChoices): SaeConvention[] {
  const { config, convention = {} } = folder;
  const found: SaeConvention[] = [];
  if (outputWidth(config) === config.dIn) found.push({ applyBDecToInput: !config.applyBDecToInput });
  if (canTranspose(folder, 'W_enc')) found.push({ transposeEncoder: !convention.transposeEncoder });
  if (canTranspose(folder, 'W_dec')) found.push({ transposeDecoder: !convention.transposeDecoder });
  if (canTranspose(folder, 'W_skip')) found.push({ transposeSkip: !convention.transposeSkip });
  if (hasInputGain(config)) found.push({ inputGain: !config.hookName.endsWith('mlp.hook_in') });
  found.push({ centerInput: !config.centerInput });
  found.push(...otherScales(folder, choices).map((inputScale) => ({ inputScale })));
  if (!config.maskFirst && !choices.bos) found.push({ maskFirst: true });
  if (choices.hasBos) found.push({ prependBos: !choices.bos });
  found.push(...choices.hooks.filter((hook) => hook !== config.hookName).map((hook) => ({ hook })));
  return found;
}

/** Places of a block where the stream, or what is added to it, has d_model numbers. */
const streamSites = ['hook_attn_out', 'hook_resid_mid', 'hook_mlp_out', 'hook_resid_post'] as const;

/** Before the norm behind a sublayer, in families that have one: transformers calls this the module's output. */
const beforeNorm = ['attn.hook_out', 'mlp.hook_out'] as const;

/**
 * The hook an SAE reads and those around it that have as many numbers: in its own layer, the one below and the one
 * above. `hook_resid_pre` is the `hook_resid_post` below, so it stands there for the embedding only. A transcoder has
 * none: what it writes says where it belongs.
 */
export function neighbouringHooks(
  { config }: SaeFolder,
  { nLayers, blockHooks }: { readonly nLayers: number; readonly blockHooks?: readonly string[] },
): HookName[] {
  const match = /^blocks\.(\d+)\.(.+)$/.exec(config.hookName);
  if (!match || kindOf(config) !== 'sae') return [];
  const [layer, site] = [Number(match[1]), match[2]!];
  const modules = beforeNorm.filter((one) => blockHooks?.includes(one));
  const streams = [...streamSites, ...modules];
  const isStream = site === 'hook_resid_pre' || streams.some((one) => one === site);
  const sites = isStream ? streams : [site];
  const hooks: HookName[] = isStream && layer < 2 ? ['blocks.0.hook_resid_pre'] : [];
  for (let near = Math.max(0, layer - 1); near <= Math.min(layer + 1, nLayers - 1); near++) {
    for (const one of sites) {
      if (!blockHooks || blockHooks.includes(one)) hooks.push(`blocks.${near}.${one}`);
    }
  }
  // The same place under another name is no other reading.
  const same = site === 'hook_resid_pre' ? `blocks.${layer - 1}.hook_resid_post` : undefined;
  return hooks.filter((hook) => hook !== same);
}

/** `convention` without what the files say anyway; `bos`, when given, tells whether prompts begin with the token now. */
export function departuresFrom(
  { config }: SaeFolder,
  convention: SaeConvention,
  bos?: boolean,
): SaeConvention {
  const declared: SaeConvention = {
    applyBDecToInput: config.applyBDecToInput,
    transposeEncoder: false,
    transposeDecoder: false,
    transposeSkip: false,
    centerInput: config.centerInput ?? false,
    inputGain: config.hookName.endsWith('mlp.hook_in'),
    inputScale: config.inputScale ?? 1,
    hook: config.hookName,
    maskFirst: config.maskFirst ?? false,
    prependBos: bos,
  };
  const said = Object.entries(convention) as [keyof SaeConvention, unknown][];
  return Object.fromEntries(said.filter(([key, value]) => value !== undefined && value !== declared[key]));
}

/**
 * Scales that libraries normalise by and then leave out of the file: √d_in over the mean norm (SAELens, Llama Scope),
 * 1 over the root mean square norm (dictionary_learning). Where the files declare a scale, none at all is tried.
 */
function otherScales({ config }: SaeFolder, { meanNorm, rootMeanSquareNorm }: ConventionChoices): number[] {
  const { dIn, inputScale = 1 } = config;
  const scales = inputScale === 1 ? [Math.sqrt(dIn) / meanNorm, 1 / rootMeanSquareNorm] : [1];
  return scales.filter((scale) => Number.isFinite(scale) && scale > 0 && scale !== inputScale);
}
