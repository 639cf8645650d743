/** What a look at a prompt gives: predictions, attention, lenses, attributions, the effect of interventions, and prompts side by side. */
import type { Provenance, TokenStrip, TopFeatures } from './domain.ts';

/** A token the model might say next. */
export interface Prediction {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
  readonly logit: number;
}

/** The attention head that looks back hardest from a position (first token and self left out). */
export interface AttentionSource {
  readonly layer: number;
  readonly head: number;
  readonly source: number;
  readonly weight: number;
}

/** What the active interventions did to the model's answer. */
export interface Effect {
  /** Logit difference answer − wrong, without and with the interventions; absent without a contrast. */
  readonly contrast?: { readonly clean: number; readonly edited: number };
  /** KL(clean ‖ edited) of the next-token distribution at the contrast's position, or else the last, in nats. */
  readonly kl: number;
  readonly before: readonly Prediction[];
  readonly after: readonly Prediction[];
}

/** What one look at a prompt gives. Bulky things are asked for by the run's handle. */
export interface Analysis {
  readonly run: string;
  readonly strip: TokenStrip;
  readonly features: readonly TopFeatures[];
  /** `predictions[position]`: what the model says comes next there, most probable first. */
  readonly predictions: readonly (readonly Prediction[])[];
  /** `[position]`: probability that was given to the token that stands there; NaN for the first. */
  readonly probabilities: Float32Array;
  /** `[position]`; absent where there is nothing to look back at. */
  readonly attention: readonly (AttentionSource | undefined)[];
  readonly contrast?: number;
  readonly effect?: Effect;
  /** Positions taken over from the run before. */
  readonly reused: number;
  readonly milliseconds: number;
  readonly provenance: Provenance;
}

/** Logit lens (nostalgebraist 2020): the residual stream of every layer read out through the final norm and unembedding. */
export interface LogitLens {
  /** Row names from the bottom: `embed`, `0`, `1`, … */
  readonly layers: readonly string[];
  /** `cells[layer][position]`: the most probable next tokens there. */
  readonly cells: readonly (readonly (readonly Prediction[])[])[];
  /**
   * The tuned lens (Belrose et al. 2023) that the streams went through first, and the model it says it was trained on.
   * Only its sizes are held against the open model, not the weights of the unembedding.
   */
  readonly tuned?: { readonly path: string; readonly model?: string };
}

/** Attention probabilities of one layer: `[head, position, position]`, query before key. */
export interface AttentionPattern {
  readonly layer: number;
  readonly nHeads: number;
  readonly positions: number;
  readonly pattern: Float32Array;
}

/** Direct logit attribution of one component: its write to the residual stream, through the frozen final norm. */
export interface ComponentAttribution {
  readonly component: string;
  readonly layer: number;
  readonly head?: number;
  /** In logits; all components and the bias add up to the contrast. */
  readonly value: number;
}

/** Residual attribution of a contrast (or of the top token's logit, when no contrast is set). */
export interface ResidualAttribution {
  readonly position: number;
  readonly what: string;
  readonly components: readonly ComponentAttribution[];
  readonly total: number;
}

/** Tokens of two prompts side by side. */
export interface PromptComparison {
  readonly clean: TokenStrip;
  readonly corrupted: TokenStrip;
  readonly pairs: readonly TokenPair[];
  readonly equalLength: boolean;
}

/** One aligned place; −1 where one prompt has no counterpart. */
export interface TokenPair {
  readonly clean: number;
  readonly corrupted: number;
  readonly same: boolean;
}
