/** The study of indirect objects (Wang et al. 2022) as plain data: what is asked, what is found, and how far it has come. */

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
  /** The same on pairs that elimination did not see; absent when too few were left. */
  readonly heldOut?: HeldOutCriteria & { readonly unfaithfulness: number };
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

/** The criteria on `pairs` pairs that no node was chosen by. */
export interface HeldOutCriteria {
  readonly pairs: number;
  /** F(M), F(C), and F of no node. */
  readonly model: number;
  readonly circuit: number;
  readonly empty: number;
  readonly completeness: StudiedCircuit['completeness'];
  readonly minimality: StudiedCircuit['minimality'];
}

/**
 * What fails. `notPositive`: the mean logit difference IO − S is 0 or less. `belowHalf`: IO is above S after fewer than half of the
 * prompts. `likeAbc`: after the ABC prompts, which hold no answer, at least half of the difference is there as well.
 */
export type StudyDoubt = 'notPositive' | 'belowHalf' | 'likeAbc';

export interface IoiStudy {
  /** What it was measured on, when the engine was asked. */
  readonly provenance?: StudyProvenance;
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
  /** Why the model does not do the task, when it does not: `studyDoubts` of the behaviour. */
  readonly doubts?: readonly StudyDoubt[];
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

/** Which model, read how. */
export interface StudyProvenance {
  readonly version: string;
  readonly model: { readonly name: string; readonly hash: string };
  readonly bos: 'none' | 'prepended';
  readonly precision: string;
  readonly seed: number;
}

/** The steps of the study, in their order. Those that a model gives no reason for are passed over. */
export const studyStages = [
  'behaviour',
  'attention',
  'copying',
  'repetition',
  'logits',
  'knockedOut',
  'queries',
  'inhibition',
  'values',
  'keys',
  'signals',
  'whole',
  'elimination',
  'minimality',
  'completeness',
  'heldOut',
] as const;

export type StudyStage = (typeof studyStages)[number];

/** `[head]` in the order layer · n_heads + head. */
type ByHead = readonly number[];

export interface ByRole {
  readonly IO: ByHead;
  readonly S1: ByHead;
  readonly S2: ByHead;
}

/** What finished stages have measured: all that a study needs to go on where it was stopped. JSON. */
export interface StudyParts {
  /** Of the model, the prompts and the request: parts of another study are not taken over. */
  readonly key: string;
  readonly behaviour?: IoiStudy['behaviour'];
  readonly attention?: ByRole;
  readonly copying?: { readonly positive: ByHead; readonly negative: ByHead };
  readonly repetition?: {
    readonly previousToken: ByHead;
    readonly duplicateToken: ByHead;
    readonly induction: ByHead;
  };
  readonly logits?: { readonly original: number; readonly effects: ByHead };
  readonly knockedOut?: { readonly logitDifference: number; readonly effects: ByHead };
  readonly queries?: ByHead;
  readonly inhibition?: ByRole;
  readonly values?: ByHead;
  readonly keys?: ByHead;
  readonly signals?: StudySignals;
  /** F(M), F of no node, F of the circuit of the classes. */
  readonly whole?: { readonly model: number; readonly empty: number; readonly ofClasses: number };
  readonly elimination?: EliminationState;
  readonly minimality?: {
    readonly nodes: readonly StudyNode[];
    readonly minimality: StudiedCircuit['minimality'];
    /** F(C). */
    readonly circuit: number;
  };
  readonly completeness?: StudiedCircuit['completeness'];
  readonly heldOut?: HeldOutCriteria;
}

/** How far nodes have been taken away; a node is its index among all nodes, `(layer · n_heads + head) · 6 + role`. */
export interface EliminationState {
  /** All nodes, those first whose removal from the whole model changes F least, and by how much. */
  readonly order: readonly number[];
  readonly effects: readonly number[];
  readonly kept: readonly number[];
  /** Still to be tried in this pass. */
  readonly open: readonly number[];
  /** How many nodes are tried together next. */
  readonly size: number;
  /** Nodes that were kept when the pass began; undefined once no more can go. */
  readonly before?: number;
}

/** A study that is not finished: what there is of it. Effects of paths are 0 until their stage is. */
export type StudySoFar = Partial<IoiStudy> &
  Pick<IoiStudy, 'task' | 'pairs' | 'smallestTemplate' | 'thresholds'>;

/** Comes with progress whenever a stage is finished, or has come a good way. */
export interface StudyProgress {
  readonly parts: StudyParts;
  /** Finished stages. */
  readonly finished: readonly StudyStage[];
  readonly soFar: StudySoFar;
}
