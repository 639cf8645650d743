/** Sparse feature circuits (Marks et al. 2024): circuits of SAE features and errors, or of neurons, and how they are tested. */
import type { CallOptions } from './callOptions.ts';
import type { CircuitGraph } from './circuit.ts';
import type { ModelId, SaeId } from './domain.ts';
import type { SearchEstimate } from './searchEstimate.ts';
import type { PromptPairs, TaskMetric } from './task.ts';

/**
 * `atp`: one backward pass with the paper's two gradient overrides. `ig`: integrated gradients, site by site.
 * `exact`: every node patched by itself.
 */
export type NodeEffectMethod = 'atp' | 'ig' | 'exact';

/** What the sites' values are taken apart into: features and errors of SAEs, or single coordinates. */
export type NodeBasis = 'features' | 'neurons';

/** What all questions about sparse feature circuits share. */
export interface SparseNodesRequest {
  readonly model: ModelId;
  readonly pairs: PromptPairs;
  /** The task's own, or the logit difference, when left out. */
  readonly metric?: TaskMetric;
  readonly basis: NodeBasis;
  /**
   * SAEs on attention outputs, MLP outputs and residual streams; a site without one has its error node only, which is
   * then its whole value. With neurons: the sites whose coordinates are nodes.
   */
  readonly saes: readonly SaeId[];
  readonly method: NodeEffectMethod;
  /** Of integrated gradients; 10 when left out. */
  readonly steps?: number;
  /** `sum`: over positions, then the mean over pairs. `position`: the mean over pairs; their lengths must be equal. */
  readonly aggregation: 'sum' | 'position';
}

export interface SparseCircuitRequest extends SparseNodesRequest {
  /**
   * Nodes whose |effect| is above are in the circuit, in units of the metric; 0.25 % of what the metric changes from clean
   * to corrupted prompts when left out.
   */
  readonly nodeThreshold?: number;
  /** Edges whose |effect| is above are; as for nodes when left out. */
  readonly edgeThreshold?: number;
  /** False leaves edges out, which take most of the time. */
  readonly edges?: boolean;
  /**
   * Tests never ablate embeddings and nodes below this layer, which belong to tokens rather than to the task (Marks et al.
   * 2024). A third of the layers, rounded down, when left out.
   */
  readonly startLayer?: number;
  /**
   * Whether errors of SAEs stay as they are when the circuit is tested, go with the circuit, or are all taken away. `circuit`
   * when left out. Sites without an SAE are nodes of their own and go with the circuit always.
   */
  readonly errors?: ErrorTreatment;
}

/** See `SparseCircuitRequest.errors`. */
export type ErrorTreatment = 'circuit' | 'keep' | 'remove';

/** All of them, the usual one first. */
export const errorTreatments: readonly ErrorTreatment[] = ['circuit', 'keep', 'remove'];

/**
 * How well nodes above a threshold explain the metric, on pairs that were held out where the task has enough; a circuit's
 * `metric.clean` and `metric.baseline` are of the pairs that it was found on.
 */
export interface SparseEvaluation {
  /** In units of the metric. */
  readonly threshold: number;
  /** The same as a share of what the metric changes from clean to corrupted prompts, where it changes. */
  readonly share?: number;
  /**
   * Nodes in the circuit, and all that differ between the two prompts of some pair; both from `startLayer` on, and without
   * errors where these are taken away.
   */
  readonly nodes: number;
  readonly active: number;
  /** `(m(C) − m(∅)) / (m(M) − m(∅))`: everything else at its mean over the corrupted prompts, by position. */
  readonly faithfulness: number;
  /** The same of everything but the circuit. */
  readonly completeness: number;
  /** Where errors are taken away: the faithfulness of all features together. */
  readonly ceiling?: number;
  /** Embeddings and what lies below this layer stay as they are in all of these runs. */
  readonly startLayer: number;
  /** Pairs that it was tested on. */
  readonly pairs: number;
  /** Corrupted prompts behind a mean, where they are fewest. With one, the mean is that prompt's own run. */
  readonly reference: number;
}

export interface SparseCircuit {
  readonly circuit: CircuitGraph;
  readonly pairCount: number;
  readonly evaluation: SparseEvaluation;
}

export interface SparseCurveRequest extends SparseNodesRequest {
  /** 15 from 10⁻⁴ to 10⁻¹ of what the metric changes, evenly on a logarithmic scale, when left out. */
  readonly thresholds?: readonly number[];
  /** Both as in `SparseCircuitRequest`. */
  readonly errors?: ErrorTreatment;
  readonly startLayer?: number;
}

/** How estimates of single nodes' effects compare with patching each by itself. */
export interface EffectComparison {
  readonly method: NodeEffectMethod;
  readonly nodes: number;
  /** Pearson and Spearman correlation with the exact effects. */
  readonly correlation: number;
  readonly rankCorrelation: number;
  /** By site, such as `blocks.2.hook_mlp_out`. */
  readonly sites: readonly { readonly hook: string; readonly nodes: number; readonly correlation: number }[];
}

export interface SparseCircuitApi {
  /** Finds the features and errors that carry a task's metric, and what runs directly between them. */
  findSparseCircuit(request: SparseCircuitRequest, options?: CallOptions): Promise<SparseCircuit>;
  /** What `findSparseCircuit` will take. Nodes of exact effects are counted on a few pairs. */
  estimateSparseCircuit(request: SparseCircuitRequest, options?: CallOptions): Promise<SearchEstimate>;
  /** Faithfulness and completeness against the number of nodes. */
  sparseCircuitCurve(
    request: SparseCurveRequest,
    options?: CallOptions,
  ): Promise<readonly SparseEvaluation[]>;
  /** Estimates every active node's effect in each way, and compares with the exact ones. Long. */
  compareNodeEffects(
    request: Omit<SparseNodesRequest, 'method'> & { readonly methods: readonly NodeEffectMethod[] },
    options?: CallOptions,
  ): Promise<readonly EffectComparison[]>;
}

/** The methods of this part of the contract. */
export const sparseCircuitMethods: { readonly [M in keyof SparseCircuitApi]: true } = {
  findSparseCircuit: true,
  estimateSparseCircuit: true,
  sparseCircuitCurve: true,
  compareNodeEffects: true,
};
