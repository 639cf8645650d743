/** Whether an SAE is read the way it was trained: measured on load, with the conventions that files leave unsaid. */

/**
 * How an SAE is read, as far as it departs from what its files declare. Everything left out is as declared.
 * The field's files leave these unsaid or say them wrongly.
 */
export interface SaeConvention {
  /** Whether the decoder bias is subtracted from the input before encoding. */
  readonly applyBDecToInput?: boolean;
  /** Square encoders and decoders can be stored either way; true reads the stored one transposed. */
  readonly transposeEncoder?: boolean;
  readonly transposeDecoder?: boolean;
  /** The same for a transcoder's affine skip connection. */
  readonly transposeSkip?: boolean;
  /** The mean over d_model is subtracted from the input (models loaded with centred writing weights). */
  readonly centerInput?: boolean;
  /** Transcoders: the input is the normalised stream with (true) or without (false) the norm's learned gain. */
  readonly inputGain?: boolean;
  /** The input is multiplied by this before encoding, and the output divided by it. */
  readonly inputScale?: number;
  /** Another hook than the files name, such as the layer below. */
  readonly hook?: string;
  /**
   * A beginning-of-sequence token stands before the text or does not. Prompts begin as the model's policy says, so
   * taking this over means changing that policy; a reading of the SAE alone never carries it.
   */
  readonly prependBos?: boolean;
  /** The first position is left out of every number and shows no features. */
  readonly maskFirst?: boolean;
}

/** How well an SAE reconstructs under one convention. */
export interface SaeReading {
  readonly convention: SaeConvention;
  /** The convention in words, such as `decoder bias not subtracted`; `as declared` for the declared one. */
  readonly what: string;
  /** Fraction of variance explained, 1 − Σ‖y − ŷ‖² / Σ‖y − ȳ‖²; may be far below 0 when the convention is wrong. */
  readonly explainedVariance: number;
  /** Mean number of active features per token. */
  readonly l0: number;
  /** Mean cosine of y and ŷ; for transcoders y is the output they imitate. */
  readonly cosine: number;
}

/** What a check was made of: it holds for these very weights, read so, and for prompts that begin so. */
export interface CheckedSubject {
  /** Hash of the model. */
  readonly model: string;
  readonly bos: 'none' | 'prepended';
  /** Hash of the SAE. */
  readonly sae: string;
  /** The release whose overrides were applied. */
  readonly release?: string;
}

/**
 * The verdict on an SAE. `good`: reconstructs as it is read now. `fair`: it does so in part, or with a number of active
 * features far from the stated one, and no other reading helps. `poor`: it does not reconstruct. `other`: another
 * reading reconstructs clearly better, or as well with fewer departures from what is declared; `alternatives` begins
 * with it.
 */
export interface SaeCheck {
  /** Id of the SAE. */
  readonly sae: string;
  /** Id of the model. */
  readonly model: string;
  readonly of: CheckedSubject;
  readonly verdict: SaeVerdict;
  /** Tokens it was measured on, and which text: `built-in text` or a file's name. */
  readonly tokens: number;
  readonly text: string;
  /** As it is read now, under the model's present policy of the beginning-of-sequence token. */
  readonly current: SaeReading;
  /** Mean number of active features per token that its release or its files state. */
  readonly statedL0?: number;
  /** Other readings that reconstruct better, best first; none when the present one is good. */
  readonly alternatives: readonly SaeReading[];
}

export type SaeVerdict = 'good' | 'fair' | 'poor' | 'other';

/** The choices that are made, without those left open. */
export function saidIn(convention: SaeConvention = {}): SaeConvention {
  return Object.fromEntries(Object.entries(convention).filter(([, value]) => value !== undefined));
}

/** Text that identifies a convention, whatever the order of its fields. */
export function conventionKey(convention: SaeConvention = {}): string {
  return JSON.stringify(Object.entries(saidIn(convention)).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Text that is the same exactly when a measured check still holds. */
export function subjectKey(
  { model, bos, sae, release = '' }: CheckedSubject,
  convention?: SaeConvention,
): string {
  return `${model} ${bos} ${sae} ${release} ${conventionKey(convention)}`;
}
