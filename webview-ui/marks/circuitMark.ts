/** What is drawn of a circuit: nodes, groups of nodes, and what became of them between two circuits. */

import type { CircuitEdge, CircuitNode } from '../../src/shared/circuit.ts';
import type { Change } from '../../src/shared/circuitDifference.ts';

/** A node of the picture: one of the circuit's own, or a group that stands for several. */
export interface Mark extends CircuitNode {
  /** The name that was given by hand. */
  readonly given?: string;
  /** The nodes of a group that is drawn as one. */
  readonly members?: readonly CircuitNode[];
  /** Name of the open group that this node is in. */
  readonly groupLabel?: string;
  /** What became of it from one circuit to the other; absent where one circuit is drawn. */
  readonly change?: Change;
  /** Its effect in the other circuit: before a change, or beside it. */
  readonly otherEffect?: number;
}

/** An edge of the picture. */
export interface MarkEdge extends CircuitEdge {
  readonly change?: Change;
  /** Its weight before the change. */
  readonly before?: number;
}

/** Signs of changes, so that they do not hang on color. */
export const changeSigns: Readonly<Record<Change, string>> = {
  added: '+',
  removed: '−',
  changed: 'Δ',
  same: '',
};
