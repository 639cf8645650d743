/** A circuit as it is sent to a view: its graph, which may be large, only when the view does not have it. */

import type { SentCircuit } from '../../shared/circuitViewApi.ts';
import type { OpenCircuit } from './openCircuit.ts';

/** `known`: versions that the view has. */
export function sentCircuit(
  { id, title, version, graph, annotations }: OpenCircuit,
  known: readonly string[],
): SentCircuit {
  return { id, title, version, annotations, ...(!known.includes(version) && { graph }) };
}
