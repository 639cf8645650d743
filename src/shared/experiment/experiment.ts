/** Experiments as files (`*.fovea.json`): a model, prompts, a metric, and the methods to run. `experimentSchema.ts` says what may stand in them. */

import type { BosPolicy } from '../domain.ts';
import type { SweepName } from '../patchingApi.ts';
import type { ErrorTreatment, NodeBasis, NodeEffectMethod } from '../sparseCircuitApi.ts';
import type { IoiThresholds } from '../studyApi.ts';
import type { TaskGenerator, TaskMetric, TaskOptions } from '../task.ts';

/** What a file holds. Paths are relative to the file. */
export interface Experiment {
  readonly name?: string;
  readonly description?: string;
  /** `embedded`, a folder or `.gguf` file, or `owner/name[@revision]` of the cache. The embedded one when left out. */
  readonly model?: string;
  readonly bos?: BosPolicy;
  /** Hooks of SAEs beside the model, folders, or `release/id` of the cache. */
  readonly saes?: readonly string[];
  readonly transcoders?: readonly string[];
  readonly pairs?: ExperimentPairs;
  /** The task's own, or the logit difference, when left out. */
  readonly metric?: TaskMetric;
  /** Where random numbers begin; 1 when left out. */
  readonly seed?: number;
  readonly method: ExperimentMethod | readonly ExperimentMethod[];
}

/** An experiment without its methods. */
export type ExperimentFields = Omit<Experiment, 'method'>;

/** The prompts: one pair, a task file, or pairs that a generator writes. */
export type ExperimentPairs =
  | {
      readonly kind: 'pair';
      readonly clean: string;
      readonly corrupted: string;
      readonly answers: readonly string[];
      readonly wrongAnswers: readonly string[];
    }
  | { readonly kind: 'file'; readonly path: string; readonly limit?: number }
  | {
      readonly kind: 'generator';
      readonly name: TaskGenerator;
      readonly count: number;
      /** The experiment's own when left out. */
      readonly seed?: number;
      readonly options?: TaskOptions;
    };

/** Which cells a sweep has. */
export interface SweepChoice {
  readonly sweep: SweepName;
  readonly layers?: readonly number[];
  readonly roles?: readonly string[];
}

/** Which features of one SAE are changed. */
export interface FeatureChoice {
  /** As in `saes`. */
  readonly sae: string;
  readonly features: readonly number[] | { readonly strongest: number };
  readonly error?: boolean;
  readonly by?: 'all' | 'position';
}

/** What takes the place of an ablated value; means are over the task, its positions, or its templates and positions. */
export interface AblationChoice {
  readonly value: 'zero' | 'mean' | 'meanByPosition' | 'meanByTemplate' | 'resample';
  /** The prompts that means and samples come from; the corrupted ones when left out. */
  readonly reference?: 'clean' | 'corrupted';
}

/** Which edges stay, by the size of their scores. */
export type EdgesKept =
  | { readonly top: number }
  | { readonly greedy: number }
  | { readonly threshold: number };

/** One method and its parameters. */
export type ExperimentMethod =
  | ({ readonly kind: 'patch'; readonly direction?: 'denoising' | 'noising' } & SweepChoice)
  | ({ readonly kind: 'patchFeatures'; readonly direction?: 'denoising' | 'noising' } & FeatureChoice)
  | ({ readonly kind: 'ablate' } & SweepChoice & AblationChoice)
  | ({ readonly kind: 'ablateFeatures' } & FeatureChoice & AblationChoice)
  | {
      readonly kind: 'patchPaths';
      /** `2.5` for head 5 of layer 2, `mlp 2`; all heads when left out. */
      readonly senders?: readonly string[];
      /** All MLPs send as well. */
      readonly mlps?: boolean;
      /** `q:2.5`, `k:1.0`, `v:1.0`; the logits when left out. */
      readonly receivers?: readonly string[];
      readonly positions?: readonly (number | string)[];
      readonly freezeMlps?: boolean;
    }
  | { readonly kind: 'directLogitAttribution' }
  | { readonly kind: 'logitLens'; readonly top?: number; readonly tuned?: string }
  | {
      readonly kind: 'attributeEdges';
      readonly gradients: 'eap' | 'eap-ig' | 'eap-ig-activations';
      readonly steps?: number;
      readonly keep?: EdgesKept;
    }
  | { readonly kind: 'acdc'; readonly threshold: number; readonly budget?: number }
  | { readonly kind: 'gradientCircuit'; readonly maxNodes?: number }
  | {
      readonly kind: 'sparseFeatureCircuit';
      readonly basis?: NodeBasis;
      readonly effects?: NodeEffectMethod;
      readonly steps?: number;
      readonly aggregation?: 'sum' | 'position';
      readonly nodeThreshold?: number;
      readonly edgeThreshold?: number;
      readonly edges?: boolean;
      readonly startLayer?: number;
      /** Of SAEs, in tests; see `SparseCircuitRequest.errors`. */
      readonly errors?: ErrorTreatment;
    }
  | {
      readonly kind: 'attributionGraph';
      readonly answers?: readonly string[];
      readonly maxLogits?: number;
      readonly desiredProbability?: number;
      readonly maxFeatureNodes?: number;
      readonly nodeThreshold?: number;
      readonly edgeThreshold?: number;
    }
  | {
      readonly kind: 'indirectObjectStudy';
      readonly thresholds?: Partial<IoiThresholds>;
      readonly pathPairs?: number;
      readonly circuitPairs?: number;
      readonly copyPairs?: number;
      readonly randomSets?: number;
      readonly circuit?: boolean;
    }
  | {
      readonly kind: 'shift';
      readonly hook?: string;
      readonly professions?: readonly [string, string];
      readonly trainCount?: number;
      readonly testCount?: number;
      readonly maxFeatures?: number;
      /** What ablated features are set to; their mean when left out. */
      readonly ablateTo?: 'mean' | 'zero';
      /** Features to ablate, or those that the generator knows to be about gender. */
      readonly ablate?: 'benchmark' | readonly { readonly sae: string; readonly feature: number }[];
    };

/** Names of methods. */
export type MethodKind = ExperimentMethod['kind'];

/** The method of one kind. */
export type MethodOf<K extends MethodKind> = Extract<ExperimentMethod, { readonly kind: K }>;

/** The methods of an experiment as a list. */
export function methodsOf({ method }: Experiment): readonly ExperimentMethod[] {
  return isList(method) ? method : [method];
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

/** The ending of experiment files. */
export const experimentEnding = '.fovea.json';

/** Whether the name is one of an experiment's file. */
export function isExperimentFile(path: string): boolean {
  return path.endsWith(experimentEnding);
}
