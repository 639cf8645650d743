/** What the circuit panel can ask of the host. The host keeps the document, its undo stack and its evaluation. */

import type { CircuitAnnotations, CircuitEvaluation, CircuitGraph } from './circuit.ts';
import type { Progress } from './domain.ts';
import type { CallOptions } from './engineApi.ts';
import type { FeatureExample } from './shiftApi.ts';
import type { ViewCommand, ViewMessage } from './viewApi.ts';

/** A circuit with its annotations and a name for people. */
export interface NamedCircuit {
  /** Identifies it among the open circuits. */
  readonly id: string;
  readonly title: string;
  readonly graph: CircuitGraph;
  readonly annotations: CircuitAnnotations;
}

/** A circuit on its way to the view, which has the graph already when it knows the version. */
export interface SentCircuit extends Omit<NamedCircuit, 'graph'> {
  /** Names the content of the graph: another content has another version. */
  readonly version: string;
  readonly graph?: CircuitGraph;
}

/** The state on its way to the view. */
export interface SentState extends Omit<CircuitState, 'circuit' | 'other'> {
  readonly circuit?: SentCircuit;
  readonly other?: SentCircuit;
}

/** Everything the circuit panel draws. */
export interface CircuitState {
  /** Stands where no circuit is. */
  readonly message?: ViewMessage;
  /** Why the last search found nothing; the circuit that was there stays. */
  readonly failure?: ViewMessage;
  readonly circuit?: NamedCircuit;
  /** The circuit beside it, and how both are shown: in one picture with what was added, removed and changed, or in two. */
  readonly other?: NamedCircuit;
  readonly compareAs?: 'difference' | 'sideBySide';
  /** Open circuits that it can be compared with. */
  readonly openCircuits: readonly { readonly id: string; readonly title: string }[];
  /** True for a file: it can be saved, and its edits are the editor's. */
  readonly isFile: boolean;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** True when the prompt has been edited since the circuit was found. */
  readonly stale: boolean;
  /** What else than the prompt has changed since, such as the BOS; absent when nothing has. */
  readonly staleReason?: string;
  /** Finds a circuit of this kind for the prompt as it is now; absent when more must be asked than the prompt tells. */
  readonly findAgain?: ViewCommand;
  /** Interventions that act on its prompt now; circuits are found and measured without them. */
  readonly interventions?: number;
  readonly selected?: string;
  /** The editor's selected token; −1 when there is none, or it is another prompt's. */
  readonly tokenSelected: number;
  /** Of the nodes that are kept now. */
  readonly evaluation?: CircuitEvaluation;
  readonly evaluating: boolean;
  /** Why it cannot be evaluated here, such as another model; absent when it can. */
  readonly cannotEvaluate?: string;
  readonly progress?: Progress;
}

/** What the card of a node tells beyond the graph. */
export interface NodeDetails {
  /** Stretches of text where the feature is strongest, strongest first. */
  readonly examples: readonly FeatureExample[];
  readonly topLogits: readonly { readonly text: string; readonly logit: number }[];
  readonly bottomLogits: readonly { readonly text: string; readonly logit: number }[];
  readonly density?: number;
}

/** The circuit panel's questions and wishes. */
export interface CircuitViewApi {
  /** `known`: versions of graphs that need not be sent. */
  state(request: { readonly known: readonly string[] }, options?: CallOptions): Promise<SentState>;
  selectNode(request: { readonly node?: string; readonly reveal: boolean }): Promise<void>;
  hoverNode(request: { readonly node?: string }): Promise<void>;
  /** New annotations; `what` names the change for undo, such as `Pin Head 2.3`. Those of one `stroke` are one step. */
  annotate(request: {
    readonly annotations: CircuitAnnotations;
    readonly what: string;
    readonly stroke?: number;
  }): Promise<void>;
  undo(request: Record<string, never>): Promise<void>;
  redo(request: Record<string, never>): Promise<void>;
  /** Asks for the faithfulness of these nodes; the newest question overtakes older ones. */
  evaluate(request: { readonly nodes: readonly string[] }): Promise<void>;
  nodeDetails(request: { readonly node: string }, options?: CallOptions): Promise<NodeDetails>;
  /** Sets another open circuit beside this one; none ends the comparison. */
  compare(request: { readonly with?: string; readonly as?: 'difference' | 'sideBySide' }): Promise<void>;
  ablateNode(request: { readonly node: string }): Promise<void>;
  steerNode(request: { readonly node: string }): Promise<void>;
  save(request: Record<string, never>): Promise<void>;
  /** Asks where to save and writes; pictures come from the view (`svg` as text, `png` as base64), the rest from the host. */
  exportGraph(request: {
    readonly kind: 'svg' | 'png' | 'fovea' | 'attributionGraph' | 'eapIg' | 'autoCircuit';
    readonly picture?: string;
  }): Promise<void>;
  cancel(request: Record<string, never>): Promise<void>;
  /** The reader has seen why the last search failed. */
  dismissFailure(request: Record<string, never>): Promise<void>;
  runCommand(request: { readonly command: ViewCommand }): Promise<void>;
}
