/** Whether prompts begin the way the texts did that an SAE was trained on. */

import type { ModelInfo, SaeInfo } from './domain.ts';

/**
 * `missing`: it was trained on texts that begin with a beginning-of-sequence token, and prompts begin without.
 * `unwanted`: the other way round. Nothing when they agree, when its files do not say, or when the model has no such token.
 */
export type BosMismatch = 'missing' | 'unwanted';

export function bosMismatch(
  { prependBos }: Pick<SaeInfo, 'prependBos'>,
  { bos, bosToken }: Pick<ModelInfo, 'bos' | 'bosToken'>,
): BosMismatch | undefined {
  if (prependBos === undefined || bosToken === undefined) return undefined;
  if (prependBos === (bos === 'prepended')) return undefined;
  return prependBos ? 'missing' : 'unwanted';
}
