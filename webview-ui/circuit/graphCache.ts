/** Remembers the graphs that the host has sent, so that it sends each content once. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import type { CircuitState, NamedCircuit, SentCircuit, SentState } from '../../src/shared/circuitViewApi.ts';

/** The graphs of the state that is shown. */
export class GraphCache {
  #graphs = new Map<string, CircuitGraph>();

  /** Versions that need not be sent again. */
  get known(): readonly string[] {
    return [...this.#graphs.keys()];
  }

  /** The state with the graphs that were left out. @throws when the host leaves out one that was never sent */
  complete(sent: SentState): CircuitState {
    const { circuit, other, ...rest } = sent;
    const graphs = new Map<string, CircuitGraph>();
    const whole = (one: SentCircuit): NamedCircuit => {
      const graph = one.graph ?? this.#graphs.get(one.version);
      if (!graph) throw new Error('The circuit was not sent.');
      graphs.set(one.version, graph);
      return { id: one.id, title: one.title, annotations: one.annotations, graph };
    };
    const state = {
      ...rest,
      ...(circuit && { circuit: whole(circuit) }),
      ...(other && { other: whole(other) }),
    };
    this.#graphs = graphs;
    return state;
  }
}
