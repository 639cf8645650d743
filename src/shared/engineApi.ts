/** What the host, the command line and the tests can ask of the engine. Plain data in and out. */

import type {
  Analysis,
  AttentionPattern,
  LogitLens,
  Prediction,
  PromptComparison,
  ResidualAttribution,
} from './analysis.ts';
import { type AttributionApi, attributionMethods } from './attributionApi.ts';
import { type AttributionGraphApi, attributionGraphMethods } from './attributionGraphApi.ts';
import type { CallOptions } from './callOptions.ts';
import type { CircuitEvaluation, CircuitGraph } from './circuit.ts';
import { type CircuitFileApi, circuitFileMethods } from './circuitFileApi.ts';
import type {
  BosPolicy,
  Contrast,
  Edit,
  FeatureInfo,
  FeatureRef,
  ModelId,
  ModelInfo,
  SaeId,
  SaeInfo,
} from './domain.ts';
import { type HubApi, hubMethods } from './hubApi.ts';
import { type LabelApi, labelMethods } from './labelApi.ts';
import { type PatchingApi, patchingMethods } from './patchingApi.ts';
import { type SaeApi, saeMethods } from './saeApi.ts';
import { type ShiftApi, shiftMethods } from './shiftApi.ts';
import { type SparseCircuitApi, sparseCircuitMethods } from './sparseCircuitApi.ts';
import { type StudyApi, studyMethods } from './studyApi.ts';
import { type TaskApi, taskMethods } from './taskApi.ts';

export type { CallOptions };

export interface OpenModelRequest {
  /** Folder with config.json, safetensors (sharded or not) and tokenizer.json; or a `.gguf` file. */
  readonly path: string;
  /** Whether a beginning-of-sequence token is put before prompts; `auto`, the default, asks the tokenizer's own policy. */
  readonly bos?: BosPolicy;
  /**
   * Answers a handle of its own, which shares the weights: `bos` holds for it alone and does not change afterwards,
   * while handles without this are one, whose `bos` is the one that was asked for last.
   */
  readonly separate?: boolean;
}

export interface AnalyzeRequest {
  readonly model: ModelId;
  readonly text: string;
  /** SAEs whose strongest features are wanted. */
  readonly saes: readonly SaeId[];
  readonly topFeatures: number;
  readonly topPredictions: number;
  readonly edits: readonly Edit[];
  readonly contrast?: Contrast;
}

export interface FeatureHeatRequest {
  readonly run: string;
  readonly features: readonly FeatureRef[];
}

export interface ContrastSuggestionRequest {
  readonly model: ModelId;
  readonly text: string;
}

export interface CircuitRequest {
  readonly model: ModelId;
  readonly text: string;
  readonly contrast: Contrast;
  /** Prompt of the same token length whose activations are the baseline; zero activations when left out. */
  readonly counterfactual?: string;
  /** SAEs whose features become nodes beside heads and MLPs. */
  readonly saes: readonly SaeId[];
  /** Strongest nodes to keep. */
  readonly maxNodes: number;
}

export interface CircuitEvaluationRequest {
  readonly graph: CircuitGraph;
  readonly model: ModelId;
  /** The graph's own when left out. */
  readonly contrast?: Contrast;
  /** Ids of the nodes that stay; what else there is of their kinds is set to its baseline, as the graph's method says. */
  readonly kept: readonly string[];
  /**
   * SAEs that may be those the graph was found with. Sparse feature circuits need one at hooks none of whose features are
   * in the graph as well; those beside the model, or beside SAEs that nodes name, are found without.
   */
  readonly saes?: readonly SaeId[];
}

export interface TrainSaeRequest {
  readonly model: ModelId;
  readonly hook: string;
  /** The hook whose value the output imitates: a transcoder is trained, with `k` active features on average. */
  readonly hookOut?: string;
  /** Folder to write, in SAELens format. */
  readonly out: string;
  /** Text files; when empty, the text of the built-in generator. */
  readonly corpus: readonly string[];
  readonly dSae: number;
  readonly k: number;
  readonly steps: number;
  readonly seed: number;
}

/** Reconstruction quality of an SAE on held-out text; names and formulas as in the field's evaluation suites. */
export interface SaeMetrics {
  readonly tokens: number;
  readonly l0: number;
  readonly explainedVariance: number;
  /** (CE with zero ablation − CE with SAE) / (CE with zero ablation − CE clean). */
  readonly ceRecovered: number;
  readonly deadFraction: number;
}

export interface EngineApi
  extends HubApi,
    CircuitFileApi,
    SaeApi,
    LabelApi,
    TaskApi,
    PatchingApi,
    AttributionApi,
    AttributionGraphApi,
    StudyApi,
    SparseCircuitApi,
    ShiftApi {
  /** Loads a model (once; a second call answers at once, or changes its BOS policy). */
  openModel(request: OpenModelRequest, options?: CallOptions): Promise<ModelInfo>;
  closeModel(request: { readonly model: ModelId }, options?: CallOptions): Promise<void>;
  /** SAEs found in the model's own folders `saes` and `transcoders` and in `folders`, without loading their weights. */
  listSaes(
    request: { readonly model: ModelId; readonly folders: readonly string[] },
    options?: CallOptions,
  ): Promise<readonly SaeInfo[]>;
  /** Runs the prompt, reusing what the unchanged prefix already gave. */
  analyze(request: AnalyzeRequest, options?: CallOptions): Promise<Analysis>;
  /** `[feature, position]` activations of chosen features on every token of a run. */
  featureHeat(request: FeatureHeatRequest, options?: CallOptions): Promise<Float32Array>;
  featureInfo(
    request: { readonly features: readonly FeatureRef[]; readonly logits: boolean },
    options?: CallOptions,
  ): Promise<readonly FeatureInfo[]>;
  /** `tuned`: the folder of a tuned lens, whose translators the streams go through first. */
  logitLens(
    request: { readonly run: string; readonly top: number; readonly tuned?: string },
    options?: CallOptions,
  ): Promise<LogitLens>;
  attention(
    request: { readonly run: string; readonly layer: number },
    options?: CallOptions,
  ): Promise<AttentionPattern>;
  residualAttribution(
    request: { readonly run: string; readonly contrast?: Contrast; readonly position?: number },
    options?: CallOptions,
  ): Promise<ResidualAttribution>;
  /** The tokens a contrast could be about: the most probable next tokens after the prompt. */
  suggestAnswers(request: ContrastSuggestionRequest, options?: CallOptions): Promise<readonly Prediction[]>;
  comparePrompts(
    request: { readonly model: ModelId; readonly clean: string; readonly corrupted: string },
    options?: CallOptions,
  ): Promise<PromptComparison>;
  findCircuit(request: CircuitRequest, options?: CallOptions): Promise<CircuitGraph>;
  evaluateCircuit(request: CircuitEvaluationRequest, options?: CallOptions): Promise<CircuitEvaluation>;
  trainSae(request: TrainSaeRequest, options?: CallOptions): Promise<SaeMetrics>;
  /** Answers at once; tells that the engine is alive and how much memory it holds, in bytes. */
  ping(
    request: Record<string, never>,
    options?: CallOptions,
  ): Promise<{ readonly pid: number; readonly memory: number }>;
}

const methodNames: { readonly [M in keyof EngineApi]: true } = {
  openModel: true,
  closeModel: true,
  listSaes: true,
  analyze: true,
  featureHeat: true,
  featureInfo: true,
  logitLens: true,
  attention: true,
  residualAttribution: true,
  suggestAnswers: true,
  comparePrompts: true,
  findCircuit: true,
  evaluateCircuit: true,
  trainSae: true,
  ping: true,
  ...hubMethods,
  ...saeMethods,
  ...labelMethods,
  ...patchingMethods,
  ...attributionMethods,
  ...attributionGraphMethods,
  ...taskMethods,
  ...studyMethods,
  ...circuitFileMethods,
  ...shiftMethods,
  ...sparseCircuitMethods,
};

/** The methods of the contract: what may be called from another process. */
export const engineMethods: readonly string[] = Object.keys(methodNames);
