/** Activation patching, ablation and path patching: what can be asked, and what comes back while it runs. */
import type { CallOptions } from './callOptions.ts';
import type { ModelId, SaeId, SweepOutline } from './domain.ts';
import type { PromptPairs, TaskMetric } from './task.ts';

export type { PromptPairs, SweepOutline };

/** Sweeps by the names that TransformerLens gives them (`get_act_patch_…`); `resid_post` and MLPs as a whole beside them. */
export const sweepNames = [
  'resid_pre',
  'resid_mid',
  'resid_post',
  'attn_out',
  'mlp_out',
  'attn_out_all_pos',
  'mlp_out_all_pos',
  'attn_head_out_by_pos',
  'attn_head_q_by_pos',
  'attn_head_k_by_pos',
  'attn_head_v_by_pos',
  'attn_head_pattern_by_pos',
  'attn_head_pattern_dest_src_pos',
  'attn_head_out_all_pos',
  'attn_head_q_all_pos',
  'attn_head_k_all_pos',
  'attn_head_v_all_pos',
  'attn_head_pattern_all_pos',
  'attn_head_all_pos_every',
  'attn_head_by_pos_every',
  'block_every',
] as const;

export type SweepName = (typeof sweepNames)[number];

/** What sends: a head, or the layer's MLP when no head is named. */
export interface PathSender {
  readonly layer: number;
  readonly head?: number;
}

/** What receives: the queries, keys or values of a head; of shared keys and values, the number of the shared head. */
export interface PathReceiver {
  readonly layer: number;
  readonly head: number;
  readonly input: 'q' | 'k' | 'v';
}

/** What is changed, cell by cell. */
export type SweepTarget =
  | {
      readonly kind: 'sweep';
      readonly name: SweepName;
      readonly layers?: readonly number[];
      /** Roles take the place of positions: for tasks whose pairs differ in length. */
      readonly roles?: readonly string[];
    }
  | {
      readonly kind: 'features';
      readonly sae: SaeId;
      /** Features by number, or how many of those that change most. */
      readonly features: readonly number[] | { readonly strongest: number };
      /** A cell for what the SAE leaves out as well. */
      readonly error?: boolean;
      /** Whether features change at all positions at once, or at one by one. */
      readonly by: 'all' | 'position';
    };

/** What is known of a sweep from before, to go on from: raw means by cell, and the pairs behind each. */
export interface KnownCells {
  /** NaN where nothing is known. */
  readonly raw: Float64Array;
  readonly pairs: Int32Array;
  /** `SweepOutline.pairsHash` of the sweep they come from. With another one they are refused (request.invalid). */
  readonly pairsHash?: string;
}

export interface PatchSweepRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  readonly target: SweepTarget;
  /** `denoising` (the default) patches clean values into the corrupted run; `noising` the other way round. */
  readonly direction?: 'denoising' | 'noising';
  /** The task's own, or the logit difference, when left out. */
  readonly metric?: TaskMetric;
  readonly known?: KnownCells;
}

/** What takes an ablated component's place. `over` and `reference` say which mean, and of which prompts. */
export type Ablation =
  | { readonly kind: 'zero' }
  | {
      readonly kind: 'mean';
      readonly over: 'task' | 'position' | 'template';
      readonly reference: 'clean' | 'corrupted';
    }
  | { readonly kind: 'resample'; readonly reference: 'clean' | 'corrupted'; readonly seed: number };

export interface AblateSweepRequest extends Omit<PatchSweepRequest, 'direction'> {
  readonly ablation: Ablation;
}

export interface PathPatchRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  readonly metric?: TaskMetric;
  /** All heads when left out; `mlps` adds all MLPs. */
  readonly senders?: readonly PathSender[];
  readonly mlps?: boolean;
  /** The logits when empty. */
  readonly receivers: readonly PathReceiver[];
  /** Positions or roles at which paths begin and end. The last position when the receivers are the logits, else all. */
  readonly positions?: readonly (number | string)[];
  readonly freezeMlps?: boolean;
  readonly known?: KnownCells;
}

/** Values of a sweep, row-major over its axes. */
export interface SweepGrid extends SweepOutline {
  /**
   * Patching: 0 corrupted … 1 clean. Ablation and path patching: relative change of the clean metric, −1 when all of it is
   * gone. NaN where nothing is known.
   */
  readonly values: Float32Array;
  /** Mean metric by cell, and the pairs behind it: pass them as `known` to go on. */
  readonly raw: Float64Array;
  readonly pairs: Int32Array;
}

/** Any sweep: `ablation` makes it one of ablations, `receivers` one of paths. */
export type SweepRequest = PatchSweepRequest | AblateSweepRequest | PathPatchRequest;

/** What a sweep will take, told before it is run. */
export interface SweepEstimate {
  readonly cells: number;
  /** Interventions: cells times pairs, without those that cannot change anything. */
  readonly runs: number;
  /** Bytes beside the model's weights, at most. */
  readonly memory: number;
  /** Measured on a few cells of the sweep. */
  readonly seconds: number;
}

/** An estimate, and the grid that the sweep will fill. */
export interface PlannedSweep extends SweepEstimate {
  readonly outline: SweepOutline;
}

export interface PatchingApi {
  /** Activation patching. Cells come with the progress as they are known (`Progress.partial`). */
  patchSweep(request: PatchSweepRequest, options?: CallOptions): Promise<SweepGrid>;
  /** Ablates every cell by itself in the clean prompts. */
  ablateSweep(request: AblateSweepRequest, options?: CallOptions): Promise<SweepGrid>;
  /** Path patching (Wang et al. 2022): the effect of every sender through the receivers alone. */
  pathPatch(request: PathPatchRequest, options?: CallOptions): Promise<SweepGrid>;
  /** Runs a few cells to tell what all of them will take. */
  estimateSweep(request: SweepRequest, options?: CallOptions): Promise<PlannedSweep>;
}

export const patchingMethods: { readonly [M in keyof PatchingApi]: true } = {
  patchSweep: true,
  ablateSweep: true,
  pathPatch: true,
  estimateSweep: true,
};
