/** Circuits: graphs of the parts of a model that carry an answer, what people write on them, and how well they explain it. */
import type { Contrast, FeatureRef, HookName, Provenance, Token } from './domain.ts';
import type { PromptPairs, TaskMetric } from './task.ts';

/** `neuron`: one coordinate of a hook without a dictionary. `bias` and `other` come from files of other tools. */
export type CircuitNodeKind =
  | 'token'
  | 'head'
  | 'mlp'
  | 'feature'
  | 'neuron'
  | 'error'
  | 'logit'
  | 'bias'
  | 'other';

/** A node of a circuit: a component at a token position. */
export interface CircuitNode {
  readonly id: string;
  readonly kind: CircuitNodeKind;
  /** −1 for tokens, the number of layers for logits. */
  readonly layer: number;
  readonly position: number;
  readonly head?: number;
  readonly feature?: FeatureRef;
  /** The hook of a feature, neuron or error; where attention, MLP and stream of one layer each have some, it tells them apart. */
  readonly hook?: HookName;
  readonly neuron?: number;
  readonly label: string;
  readonly labelSource?: string;
  /** Estimated: what of the metric goes with the node, m with it − m with its baseline value, in the metric's units. */
  readonly effect: number;
  readonly activation?: number;
  /** Attribution graphs: the share of all influence that this node and all stronger ones have together, 0 to 1. */
  readonly influence?: number;
  /** Attribution graphs: what pruning dropped of the node's input, as a sum of absolute direct effects. */
  readonly missing?: number;
  /** Of a token that is predicted. */
  readonly probability?: number;
}

/** A directed edge; `weight` estimates the effect on the metric that travels along it directly, with the sign of `CircuitNode.effect`. */
export interface CircuitEdge {
  readonly source: string;
  readonly target: string;
  readonly weight: number;
  /** Into a head, where the method tells them apart: the parts of `weight` that its queries, keys and values get. */
  readonly parts?: Readonly<Partial<Record<'q' | 'k' | 'v', number>>>;
}

/** A circuit: the computation of a model on a prompt, as a graph over layers and positions. */
export interface CircuitGraph {
  readonly version: 1;
  readonly prompt: string;
  readonly counterfactual?: string;
  readonly tokens: readonly Token[];
  readonly nLayers: number;
  readonly method: {
    readonly name: string;
    readonly parameters: Readonly<Record<string, string | number | boolean>>;
  };
  /** The metric on the prompt, and on the counterfactual (0 when the baseline is zero activation). */
  readonly metric: { readonly name: string; readonly clean: number; readonly baseline: number };
  /** What it was found on, when that was a task or a pair and not the prompt alone: needed to evaluate it again. */
  readonly pairs?: PromptPairs;
  readonly taskMetric?: TaskMetric;
  readonly contrast?: Contrast;
  /** Nodes stand for all positions; `position` is then the last one and means nothing. */
  readonly isAggregated?: true;
  readonly nodes: readonly CircuitNode[];
  readonly edges: readonly CircuitEdge[];
  readonly provenance: Provenance;
}

/** A group of nodes that is drawn as one. */
export interface Supernode {
  readonly id: string;
  readonly label: string;
  /** Node ids; a node is in one group at most. */
  readonly nodes: readonly string[];
}

/** What a person has added to a circuit. All of it can be undone. */
export interface CircuitAnnotations {
  readonly title?: string;
  /** Share of the nodes that the slider keeps, 0 to 1. */
  readonly keep: number;
  readonly pinned: readonly string[];
  /** Names given by hand, by node id; they stand before the node's own label. */
  readonly labels: Readonly<Record<string, string>>;
  readonly supernodes: readonly Supernode[];
}

/** A `*.circuit.json` file: the graph's own fields, and beside them what a person has added. */
export interface CircuitDocument extends CircuitGraph {
  readonly annotations?: CircuitAnnotations;
  /** What was measured for the nodes that are kept. */
  readonly evaluation?: CircuitEvaluation;
}

/** How well a part of the graph explains the metric (Marks et al. 2024): `(m(C) − m(∅)) / (m(M) − m(∅))`. */
export interface CircuitEvaluation {
  /**
   * `ablation` when left out. `graphScores`: nothing was run; the replacement score stands for faithfulness and the
   * completeness score, which is near 1 when little is missing, for completeness.
   */
  readonly kind?: 'ablation' | 'graphScores';
  readonly faithfulness: number;
  /** The same ratio for everything outside the circuit; near 0 when nothing was missed. */
  readonly completeness: number;
  /**
   * The metric of the whole model, and with everything ablated that may be. Sparse feature circuits: on the pairs that were
   * held out; a graph's `metric` is of those that it was found on.
   */
  readonly full: number;
  readonly empty: number;
  readonly circuit: number;
  readonly complement: number;
}
