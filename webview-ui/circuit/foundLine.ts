/** How much was found and how much of it is shown, in one line. Pure. */

import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { countFound } from '../../src/shared/foundCounts.ts';
import { formatCount, say, strings } from '../lib/strings.ts';

/** Such as `Found 250 of 2,699 active nodes and 157 below that are never ablated · shown: the 34 strongest`. */
export function foundLine(
  graph: Pick<CircuitGraph, 'nodes' | 'method'>,
  kept: number,
  isHeld: boolean,
): string {
  return `${found(graph)} · ${shown(graph, kept, isHeld)}`;
}

function found(graph: Pick<CircuitGraph, 'nodes' | 'method'>): string {
  const { nodes, tested, active, free } = countFound(graph);
  if (tested === undefined || active === undefined) return say('foundNodes', { nodes: formatCount(nodes) });
  const text = say('foundOfActive', { tested: formatCount(tested), active: formatCount(active) });
  return free ? `${text} ${say('foundFree', { free: formatCount(free) })}` : text;
}

function shown(graph: Pick<CircuitGraph, 'nodes' | 'method'>, kept: number, isHeld: boolean): string {
  if (kept === countFound(graph).nodes) return strings.shownAll;
  // What is pinned stays whatever its strength.
  return say(isHeld ? 'shownPinned' : 'shownStrongest', { kept: formatCount(kept) });
}
