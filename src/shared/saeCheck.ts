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
  /** A beginning-of-sequence token is put before the text, and the first position is left out of every number. */
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

/**
 * The verdict on an SAE. `good`: reconstructs as it is read now. `poor`: it does not, and no other convention helps.
 * `other`: another convention reconstructs clearly better; `alternatives` begins with it.
 */
export interface SaeCheck {
  /** Id of the SAE. */
  readonly sae: string;
  /** Id of the model. */
  readonly model: string;
  readonly verdict: 'good' | 'poor' | 'other';
  /** Tokens it was measured on, and which text: `built-in text` or a file's name. */
  readonly tokens: number;
  readonly text: string;
  /** As it is read now. */
  readonly current: SaeReading;
  /** Tried only when `current` is poor; best first. */
  readonly alternatives: readonly SaeReading[];
}
