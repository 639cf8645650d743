/** The other ways in which an SAE's files could be meant, each with its name for people. */

import type { SaeConvention } from '../../../shared/saeCheck.ts';
import { canTranspose, hasInputGain } from '../convention.ts';
import { outputWidth, type SaeFolder } from '../format.ts';

/** What the model's activations and its tokenizer allow. */
export interface ConventionChoices {
  /** Mean Euclidean norm of the input over the tokens, d_model numbers each. */
  readonly meanNorm: number;
  /** Root of the mean squared norm. */
  readonly rootMeanSquareNorm: number;
  readonly hasBos: boolean;
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
  if (!config.maskFirst && !config.prependBos) found.push({ maskFirst: true });
  if (choices.hasBos) found.push({ prependBos: !config.prependBos });
  return found;
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

/** `as declared`, or what departs: `decoder bias not subtracted, input centred`. */
export function describeConvention(convention: SaeConvention): string {
  const parts: (string | false | undefined)[] = [
    said(convention.applyBDecToInput, 'decoder bias subtracted', 'decoder bias not subtracted'),
    convention.transposeEncoder && 'encoder transposed',
    convention.transposeDecoder && 'decoder transposed',
    convention.transposeSkip && 'skip connection transposed',
    said(convention.centerInput, 'input centred', 'input not centred'),
    said(convention.inputGain, "input with the norm's gain", "input without the norm's gain"),
    convention.inputScale !== undefined && `input times ${Number(convention.inputScale.toPrecision(3))}`,
    said(convention.prependBos, 'beginning-of-sequence token first', 'no beginning-of-sequence token'),
    said(convention.maskFirst, 'first position left out', 'first position counted'),
  ];
  return parts.filter((part) => part).join(', ') || 'as declared';
}

function said(choice: boolean | undefined, yes: string, no: string): string | undefined {
  if (choice === undefined) return undefined;
  return choice ? yes : no;
}
