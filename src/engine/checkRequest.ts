/** Turns a request to check an SAE into the self-check, and its outcome into a verdict that says what it holds for. */

import type { SaeId } from '../shared/domain.ts';
import type { CallOptions } from '../shared/engineApi.ts';
import type { SaeCheck } from '../shared/saeCheck.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import { checkSaeUsable, infoOf } from './sae/catalog.ts';
import { checkSae } from './sae/check/checkSae.ts';
import { openSae } from './sae/formats/registry.ts';

/**
 * Checks the SAE as it is read now, on `text` or on built-in text.
 * @throws as `openSae`, `checkSaeUsable` and `checkSae`
 */
export async function requestedCheck(
  { transformer, tokenizer, info }: LoadedModel,
  saes: LoadedSaes,
  asked: {
    readonly sae: SaeId;
    readonly text?: string;
    readonly textName?: string;
    readonly threads?: number;
  },
  call: CallOptions,
): Promise<SaeCheck> {
  const { sae, text, textName, threads } = asked;
  const declared = await openSae(sae);
  checkSaeUsable(declared, info);
  const convention = saes.convention(sae);
  const model = { transformer, tokenizer, threads, bos: info.bos === 'prepended' };
  const measured = await checkSae(model, { declared, convention, text, textName }, call);
  const { hash, release } = await infoOf(declared);
  const of = { model: info.hash, bos: info.bos, sae: hash, ...(release !== undefined && { release }) };
  return { sae, model: info.id, of, ...measured };
}
