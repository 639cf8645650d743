/** The order of nodes side by side, so that edges cross little: each node goes toward the middle of those it is joined to. Pure. */

import type { CircuitEdge } from '../../src/shared/circuit.ts';
import type { Mark } from './circuitMark.ts';

/** Nodes that stand side by side in one column, from left to right. */
export interface OrderedGroup {
  /** Which column from the left. */
  readonly column: number;
  readonly nodes: Mark[];
}

/** Rounds of the barycenter method (Sugiyama et al. 1981); more change little. */
const rounds = 6;

/**
 * Sorts the nodes of each group by the weighted mean place of their neighbours; equal ones stay in the order given. Heavy
 * edges count more, since they are what the eye follows.
 */
export function orderGroups(groups: readonly OrderedGroup[], edges: readonly CircuitEdge[]): void {
  const places = new Map<string, number>();
  for (const group of groups) notePlaces(group, places);
  const neighbors = joined(edges, places);
  for (let round = 0; round < rounds; round++) {
    // Up and down in turn, so that both ends of an edge give way.
    for (const group of round % 2 === 0 ? groups : [...groups].reverse()) {
      const wanted = new Map(group.nodes.map(({ id }) => [id, middle(id, neighbors, places)]));
      group.nodes.sort((a, b) => wanted.get(a.id)! - wanted.get(b.id)!);
      notePlaces(group, places);
    }
  }
}

/** A node's place in units of columns; lines of a group are told apart by height, not by place. */
function notePlaces({ column, nodes }: OrderedGroup, places: Map<string, number>): void {
  for (const [i, { id }] of nodes.entries()) places.set(id, column + (i + 0.5) / nodes.length - 0.5);
}

type Neighbors = ReadonlyMap<string, readonly { readonly id: string; readonly weight: number }[]>;

function joined(edges: readonly CircuitEdge[], places: ReadonlyMap<string, number>): Neighbors {
  const neighbors = new Map<string, { id: string; weight: number }[]>();
  const note = (from: string, id: string, weight: number): void => {
    const list = neighbors.get(from);
    if (list) list.push({ id, weight });
    else neighbors.set(from, [{ id, weight }]);
  };
  for (const { source, target, weight } of edges) {
    if (!places.has(source) || !places.has(target) || source === target) continue;
    const size = Math.abs(weight);
    note(source, target, size);
    note(target, source, size);
  }
  return neighbors;
}

/** Where a node wants to be; nodes without edges want to stay. */
function middle(id: string, neighbors: Neighbors, places: ReadonlyMap<string, number>): number {
  let sum = 0;
  let total = 0;
  for (const { id: other, weight } of neighbors.get(id) ?? []) {
    sum += weight * places.get(other)!;
    total += weight;
  }
  return total > 0 ? sum / total : places.get(id)!;
}
