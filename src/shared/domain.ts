/**
 * The nouns of Fovea as plain data: what the engine answers, the host keeps and the views draw.
 * Shapes are written `[rows, columns]`; flat typed arrays are row-major.
 */

import type { SaeCheck, SaeConvention, SaeVerdict } from './saeCheck.ts';
import type { StudyProgress } from './study.ts';
import type { TaskMetric } from './task.ts';

/** How far a piece of long work has come. `total` 0 means that the end is not known. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly what: string;
  /** Results that are there already, for views that fill while the work goes on. */
  readonly partial?: PartialCells;
  /** The same of a study of indirect objects. */
  readonly study?: StudyProgress;
}

/** Cells of a grid that is being computed: their numbers, row-major, and what is known of them now. */
export interface PartialCells {
  readonly cells: readonly number[];
  readonly values: readonly number[];
  /** What the work can go on from; see `KnownCells`. */
  readonly raw: readonly number[];
  readonly pairs: readonly number[];
  /** `SweepOutline.pairsHash` of the sweep. */
  readonly pairsHash?: string;
  /** The grid that the cells belong to; with the first ones only. */
  readonly outline?: SweepOutline;
}

/** What is known of a sweep before any cell: the grid that it will fill, and the metric at both ends of its scale. */
export interface SweepOutline {
  readonly axes: readonly { readonly name: string; readonly labels: readonly string[] }[];
  /** Pairs of the task that are run. */
  readonly pairCount: number;
  readonly metric: TaskMetric;
  /** What the pairs hold, in tokens, and the metric; missing only in sweeps that were kept by versions without it. */
  readonly pairsHash?: string;
  /** Mean metric on the clean and on the corrupted prompts. */
  readonly clean: number;
  readonly corrupted: number;
  /** Tokens of the clean and corrupted prompt, when there is one pair: what positions are called. */
  readonly tokens?: { readonly clean: readonly string[]; readonly corrupted: readonly string[] };
  /** Of several pairs of one length: the token and the role that all have at a position; '' where they differ. */
  readonly common?: { readonly tokens: readonly string[]; readonly roles: readonly string[] };
  /**
   * Where means or other prompts take the place of values: the prompts behind the mean that rests on fewest, or the
   * prompts that the pair with the fewest draws from, its own among them. `fewPromptsWarning` puts it into words.
   */
  readonly referencePrompts?: number;
  readonly provenance: Provenance;
}

/** A hook point as TransformerLens names it, e.g. `blocks.2.attn.hook_z`. */
export type HookName = string;

/** Identifies a loaded model; it is the folder's real path, with `#bos=POLICY` behind it for a separate handle. */
export type ModelId = string;

/**
 * Identifies an SAE: its folder's real path, and behind a `#` the name of its file when the folder holds several, as
 * transcoder sets do (`/saes/set#layer_3.safetensors`).
 */
export type SaeId = string;

/** What the user wants of the beginning-of-sequence token; `auto` follows the model's tokenizer. */
export type BosPolicy = 'auto' | 'always' | 'never';

/** Whether Fovea's reading of a model was compared with an independent one, and how far apart they were. */
export interface ParityBadge {
  /** `model`: these very weights. `family`: a small model of the same family. `none`: not compared. */
  readonly compared: 'model' | 'family' | 'none';
  /** What it was compared with, such as `transformers 5.23.0 (eager, float32)`. */
  readonly reference?: string;
  /** Largest absolute difference of a logit. */
  readonly worstLogit?: number;
  /** The reference for hooks, and the largest difference relative to the hook's range. */
  readonly hookReference?: string;
  readonly worstHook?: number;
  /** Why the recording beside these weights could not be compared with; absent when there is none, or it was. */
  readonly problem?: string;
}

/** A loaded language model. */
export interface ModelInfo {
  readonly id: ModelId;
  readonly name: string;
  readonly path: string;
  readonly family: string;
  readonly nLayers: number;
  readonly nHeads: number;
  /** Heads of keys and values; fewer than `nHeads` with grouped-query attention. */
  readonly nKeyValueHeads: number;
  readonly dModel: number;
  readonly dHead: number;
  readonly dMlp: number;
  readonly dVocab: number;
  readonly nContext: number;
  /** Hooks of every block without `blocks.N.`, in the order of computation; the usual ones when left out. */
  readonly blockHooks?: readonly string[];
  readonly parameters: number;
  /** First 16 hex digits of the SHA-256 of config, the weights' header and a sample of their data; names the model in provenance. */
  readonly hash: string;
  /** Whether a beginning-of-sequence token is put before the prompt. */
  readonly bos: 'none' | 'prepended';
  /** The beginning-of-sequence token as people read it, when the tokenizer has one. */
  readonly bosToken?: string;
  /** How the weights are stored, such as `float32`, `bfloat16` or `Q4_1`. */
  readonly precision: string;
  readonly parity: ParityBadge;
}

export type SaeArchitecture = 'standard' | 'topk' | 'jumprelu' | 'gated' | 'groupmax';

/** `sae`: output imitates the input. `transcoder`: output imitates another hook. `crossLayer`: several layers' outputs. */
export type SaeKind = 'sae' | 'transcoder' | 'crossLayer';

/** A loaded sparse autoencoder. */
export interface SaeInfo {
  readonly id: SaeId;
  /** The folder. */
  readonly path: string;
  /** Short name for people, e.g. `layer 2 · residual stream`. */
  readonly name: string;
  readonly hook: HookName;
  readonly layer: number;
  readonly architecture: SaeArchitecture;
  readonly kind: SaeKind;
  /** The library whose files these are, such as `SAELens` or `Gemma Scope`. */
  readonly format: string;
  /** The hook whose value the output imitates, when that is not `hook`. */
  readonly hookOut?: HookName;
  readonly dIn: number;
  readonly dSae: number;
  readonly k?: number;
  readonly hash: string;
  /** `release/id` when it belongs to a public release. */
  readonly release?: string;
  /** The source of its features as Neuronpedia names it, such as `gpt2-small/8-res-jb`. */
  readonly neuronpediaId?: string;
  /** How it is read, as far as that departs from what its files declare. */
  readonly convention?: SaeConvention;
  /** Measured when it was last checked in this engine. */
  readonly check?: SaeCheck;
  /** Whether it was trained on texts that begin with a beginning-of-sequence token; absent when its config does not say. */
  readonly prependBos?: boolean;
  /** The first position shows no features. */
  readonly masksFirst?: true;
  /** Where the labels come from, when there are any. */
  readonly labelSource?: string;
  /** What is wrong with files beside it that it does without, such as those of labels. */
  readonly faults?: readonly string[];
  /** Its hooks or widths are those of another model; `problem` tells which. */
  readonly isOfOtherModel?: true;
  /** Why this SAE cannot be used with the model; absent when it can. */
  readonly problem?: string;
}

/** One token of a prompt. `start` and `end` are UTF-16 offsets into the text that was analysed. */
export interface Token {
  readonly id: number;
  /** The token's text as people read it; bytes that are no whole character are shown as hex. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Put before the text by the model's BOS policy: it stands for no text, `start` and `end` are the text's begin. */
  readonly special?: true;
  /** A special token of the tokenizer that is written out in the text, such as `<|endoftext|>`. */
  readonly marker?: true;
}

/** The tokens of a prompt, and which part of the text they stand for. */
export interface TokenStrip {
  readonly tokens: readonly Token[];
  /** UTF-16 range of the text that the model reads. It is shorter than the text when that exceeds the context. */
  readonly used: { readonly start: number; readonly end: number };
  readonly truncated: boolean;
  /** False when token offsets are a best alignment rather than exact. */
  readonly exact: boolean;
}

/** A feature of an SAE. */
export interface FeatureRef {
  readonly sae: SaeId;
  readonly index: number;
}

/** What is known of a feature apart from any prompt. */
export interface FeatureInfo extends FeatureRef {
  readonly label?: string;
  readonly labelSource?: string;
  /** Fraction of tokens on which the feature is active. */
  readonly density?: number;
  readonly maxActivation?: number;
  /** Tokens whose logits the decoder direction raises and lowers most: `W_dec[i] · W_U`, without the final norm. */
  readonly topLogits?: readonly TokenLogit[];
  readonly bottomLogits?: readonly TokenLogit[];
}

export interface TokenLogit {
  readonly id: number;
  readonly text: string;
  readonly logit: number;
}

/** The strongest features of every position for one SAE. */
export interface TopFeatures {
  readonly sae: SaeId;
  /** Features kept per position. */
  readonly k: number;
  /** `[position, k]`, strongest first; −1 where fewer than k are active. */
  readonly indices: Int32Array;
  /** `[position, k]`, in the SAE's own units. */
  readonly activations: Float32Array;
}

/** Two answers whose logits are compared. Texts are single tokens of the model. */
export interface Contrast {
  readonly answer: string;
  readonly wrong: string;
  /** Position whose next-token logits count, negative ones from the end; the last one when left out. */
  readonly position?: number;
}

/** Where an intervention acts. */
export type EditTarget =
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'feature'; readonly feature: FeatureRef }
  | { readonly kind: 'hook'; readonly hook: HookName; readonly head?: number };

/**
 * What an intervention does there. With strength s, zero, mean and patch give `x' = (1 − s) x + s v`;
 * scale gives `x' = (1 + s (factor − 1)) x`; add (steering) gives `x' = x + s · amount · direction`,
 * where the direction is the feature's decoder row; set (clamping) moves the feature to `s · value`.
 * The SAE's error is kept as it is (Templeton et al. 2024).
 */
export type EditAction =
  | { readonly kind: 'zero' }
  | { readonly kind: 'mean' }
  | { readonly kind: 'patch'; readonly text: string }
  | { readonly kind: 'scale'; readonly factor: number }
  | { readonly kind: 'add'; readonly amount: number }
  | { readonly kind: 'set'; readonly value: number };

/** One intervention. All of them reduce to the affine edit `x' = x * keep + add` at a hook. */
export interface Edit {
  readonly id: string;
  readonly target: EditTarget;
  readonly action: EditAction;
  readonly strength: number;
  readonly enabled: boolean;
  /** Positions it acts at; all of them when left out. */
  readonly positions?: readonly number[];
}

/** Where a number came from. */
export interface Provenance {
  readonly version: string;
  readonly model: { readonly name: string; readonly hash: string };
  /** `prependBos` as in `SaeInfo`: true beside `bos: 'none'` tells that the first tokens' features may mislead. */
  readonly saes: readonly {
    readonly hook: HookName;
    readonly hash: string;
    readonly prependBos?: boolean;
    /** How it was read, as far as that departs from what its files declare. */
    readonly convention?: SaeConvention;
    /** `release/id`, when what that release says beyond the files was applied. */
    readonly release?: string;
    /** The mean over d_model was subtracted from the input, by whatever said so. */
    readonly centered?: true;
    /** What the input was multiplied by, when that was not 1. */
    readonly scale?: number;
    /** The first position shows no features. */
    readonly masksFirst?: true;
    /** Measured for this model, beginning of prompts, and reading. */
    readonly verdict?: SaeVerdict;
    readonly explainedVariance?: number;
  }[];
  readonly bos: 'none' | 'prepended';
  readonly precision: string;
  readonly seed?: number;
}
