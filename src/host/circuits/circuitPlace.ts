/** What is asked of the shelf of circuits, and where its circuits are looked at. */

import type { OpenCircuit } from './openCircuit.ts';

/** What was asked for: how the circuit is to be called, and the document of its prompt. */
export interface CircuitQuestion {
  readonly name: string;
  readonly promptUri?: string;
}

/** A panel or editor that shows circuits. */
export interface CircuitPlace {
  readonly circuit: OpenCircuit | undefined;
  compare(other: OpenCircuit | undefined, as?: 'difference' | 'sideBySide'): void;
}
