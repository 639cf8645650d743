/** How an SAE is read, in words: the one place where readings get their names. */

import type { SaeConvention } from './saeCheck.ts';

/** Translates a phrase; `{0}` stands for the first of `values`. */
export type Say = (phrase: string, ...values: readonly string[]) => string;

const inEnglish: Say = (phrase, ...values) =>
  phrase.replace(/\{(\d)\}/g, (_, index: string) => values[Number(index)] ?? '');

/** `as declared`, or what departs: `decoder bias not subtracted, input centred`. */
export function describeConvention(convention: SaeConvention = {}, say: Say = inEnglish): string {
  const { hook, inputScale } = convention;
  const parts = [
    hook === undefined ? undefined : say('reading {0}', hook),
    either(convention.applyBDecToInput, say('decoder bias subtracted'), say('decoder bias not subtracted')),
    either(convention.transposeEncoder, say('encoder transposed'), say('encoder not transposed')),
    either(convention.transposeDecoder, say('decoder transposed'), say('decoder not transposed')),
    either(
      convention.transposeSkip,
      say('skip connection transposed'),
      say('skip connection not transposed'),
    ),
    either(convention.centerInput, say('input centred'), say('input not centred')),
    either(convention.inputGain, say("input with the norm's gain"), say("input without the norm's gain")),
    inputScale === undefined ? undefined : say('input times {0}', String(Number(inputScale.toPrecision(3)))),
    either(
      convention.prependBos,
      say('beginning-of-sequence token first'),
      say('no beginning-of-sequence token'),
    ),
    either(convention.maskFirst, say('first position left out'), say('first position counted')),
  ].filter((part) => part !== undefined);
  return parts.join(', ') || say('as declared');
}

function either(choice: boolean | undefined, yes: string, no: string): string | undefined {
  if (choice === undefined) return undefined;
  return choice ? yes : no;
}
