/** Which searches can be made again with nothing but the prompt. */

import type { CircuitGraph } from '../../shared/circuit.ts';
import type { ViewCommand } from '../../shared/viewApi.ts';

/** By the method of a circuit, the command that finds another one like it. */
const searches: ReadonlyMap<string, ViewCommand> = new Map([
  ['gradient attribution', 'findCircuit'],
  ['attribution graph', 'attributionGraph'],
]);

/** The command that finds a circuit of this kind for the prompt as it is now; undefined where it would ask more. */
export function searchAgain({ method }: Pick<CircuitGraph, 'method'>): ViewCommand | undefined {
  return searches.get(method.name);
}
