/** The study of indirect objects (Wang et al. 2022): what can be asked, and the report that comes back. Plain data. */
import type { CallOptions } from './callOptions.ts';
import type { ModelId } from './domain.ts';
import type { TaskSource } from './task.ts';

/** The classes of heads of the paper; `direct` for a head with a strong direct effect that copies nothing. */
export type IoiHeadClass =
  | 'nameMover'
  | 'negativeNameMover'
  | 'backupNameMover'
  | 'direct'
  | 'sInhibition'
  | 'induction'
  | 'duplicateToken'
  | 'previousToken';

/** When a head is given a class. Effects are shares of the mean logit difference; scores and attention run from 0 to 1. */
export interface IoiThresholds {
  /** |effect| of path patching to the logits. */
  readonly directEffect: number;
  /** |effect| of path patching to queries, values and keys. */
  readonly pathEffect: number;
  /** −effect on the logits once the name movers are knocked out. */
  readonly backupEffect: number;
  /** Copy score, negative copy score. */
  readonly copyScore: number;
  /** Mean attention END → IO of name movers, END → S2 of S-inhibition heads. */
  readonly attention: number;
  /** Mean attention on the diagonal of repeated random tokens. */
  readonly repetition: number;
  /** Nodes whose removal changes less are taken out of the circuit, and every node should change as much for some set. */
  readonly nodeEffect: number;
  /** How far the circuit may stray from the model while nodes are taken out. */
  readonly faithfulness: number;
}

export interface IoiStudyRequest {
  readonly thresholds?: Partial<IoiThresholds>;
  readonly seed?: number;
  /** Pairs for path patching and the signals: the first ones. Default 200, as in the paper. */
  readonly pathPairs?: number;
  /** Pairs for the circuit, its completeness and minimality: the first ones. Default 40. Means are over all pairs. */
  readonly circuitPairs?: number;
  /** Pairs whose names give the copy scores. Default 60. */
  readonly copyPairs?: number;
  /** Random sets for completeness. Default 20. */
  readonly randomSets?: number;
  /** Greedy searches for completeness: how often, how many nodes, how many candidates for each. */
  readonly greedy?: { readonly runs: number; readonly steps: number; readonly candidates: number };
  /** False stops after the classes, without a circuit. Default true. */
  readonly circuit?: boolean;
}

export interface StudyHead {
  readonly layer: number;
  readonly head: number;
}

export interface StudyNode extends StudyHead {
  /** `other`: all positions that have no role. */
  readonly role: string;
}

/** All that is measured of one head. Effects of paths are 0 where a step had no receivers. */
export interface StudiedHead extends StudyHead {
  readonly class?: IoiHeadClass;
  readonly attention: { readonly IO: number; readonly S1: number; readonly S2: number };
  readonly copyScore: number;
  readonly negativeCopyScore: number;
  readonly previousToken: number;
  readonly duplicateToken: number;
  readonly induction: number;
  /** (F_D − F_orig) / |F_orig| through each path of the paper. */
  readonly effects: {
    readonly logits: number;
    readonly logitsKnockedOut: number;
    readonly queries: number;
    readonly values: number;
    readonly keys: number;
  };
  /** Change of the name movers' attention through their queries. */
  readonly inhibition: { readonly IO: number; readonly S1: number; readonly S2: number };
}

export interface StudySignals {
  readonly variants: readonly {
    readonly token: 1 | 0 | -1;
    readonly position: 1 | -1;
    readonly logitDifference: number;
  }[];
  readonly token: number;
  readonly position: number;
  readonly error: number;
  readonly pairs: number;
}

/** One set K: F(C∖K), F(M∖K), and how far they are apart as a share of |F(M)|. */
export interface StudyRemoval {
  readonly removed: readonly StudyNode[];
  readonly circuit: number;
  readonly model: number;
  readonly incompleteness: number;
}

export interface StudiedCircuit {
  readonly nodes: readonly StudyNode[];
  /** (head, role) nodes of the whole model. */
  readonly allNodes: number;
  /** F(M), F(C), and F of no node. */
  readonly model: number;
  readonly circuit: number;
  readonly empty: number;
  /** |F(M) − F(C)| / |F(M)|. */
  readonly unfaithfulness: number;
  readonly completeness: {
    readonly random: readonly StudyRemoval[];
    readonly byClass: readonly (StudyRemoval & { readonly class: IoiHeadClass | 'other' })[];
    /** The worst set that the searches found. */
    readonly greedy?: StudyRemoval;
  };
  /** By node: the set K for which it matters most, and |F(C∖(K∪v)) − F(C∖K)| / |F(M)|. */
  readonly minimality: readonly {
    readonly node: StudyNode;
    readonly removed: readonly StudyNode[];
    readonly effect: number;
  }[];
}

export interface IoiStudy {
  readonly task: string;
  readonly pairs: number;
  /** Fewest prompts behind a mean; below 5 they are noisy. */
  readonly smallestTemplate: number;
  readonly behaviour: {
    readonly logitDifference: number;
    readonly accuracy: number;
    readonly probability: number;
    readonly corruptedLogitDifference: number;
  };
  /** Mean logit difference with all name movers knocked out, when there are any. */
  readonly withoutNameMovers?: number;
  readonly thresholds: IoiThresholds;
  /** What each step of path patching was aimed at. */
  readonly receivers: {
    readonly queries: readonly StudyHead[];
    readonly values: readonly StudyHead[];
    readonly keys: readonly StudyHead[];
  };
  readonly heads: readonly StudiedHead[];
  readonly signals?: StudySignals;
  /** The circuit of the classes, each at the paper's position: its nodes and F. */
  readonly classCircuit?: {
    readonly nodes: readonly StudyNode[];
    readonly circuit: number;
    readonly unfaithfulness: number;
  };
  readonly circuit?: StudiedCircuit;
}

/** Before it starts: how many tokens run through how much of the model, and roughly how long that takes. */
export interface StudyEstimate {
  /** Tokens that go through the whole model, or as many as cost the same. */
  readonly tokens: number;
  readonly seconds: number;
}

export type IndirectObjectsRequest = IoiStudyRequest & { readonly model: ModelId; readonly task: TaskSource };

export interface StudyApi {
  /** Runs the study; long on large models. */
  studyIndirectObjects(request: IndirectObjectsRequest, options?: CallOptions): Promise<IoiStudy>;
  /** What the study would take, measured by a short run. */
  estimateIndirectObjects(request: IndirectObjectsRequest, options?: CallOptions): Promise<StudyEstimate>;
}

export const studyMethods: { readonly [M in keyof StudyApi]: true } = {
  studyIndirectObjects: true,
  estimateIndirectObjects: true,
};
