/** How much a search found, counted in one way wherever it is told: tokens and logits are no nodes that one finds. */

import type { CircuitGraph } from './circuit.ts';
import { isComponent } from './keepNodes.ts';

/** Numbers of nodes. */
export interface FoundCounts {
  /** All that the circuit holds. */
  readonly nodes: number;
  /** Those of them that may be ablated, and how many of that kind there were to choose from. */
  readonly tested?: number;
  readonly active?: number;
  /** Those of the circuit that no test ablates, since they belong to tokens rather than to the task. */
  readonly free?: number;
}

/** Counts a circuit's nodes; a file may not say among how many they were. */
export function countFound({ nodes, method }: Pick<CircuitGraph, 'nodes' | 'method'>): FoundCounts {
  const count = nodes.filter(isComponent).length;
  const { activeNodes: active, testedNodes } = method.parameters;
  if (!isCount(active)) return { nodes: count };
  const tested = isCount(testedNodes) ? testedNodes : count;
  if (tested > count || tested > active) return { nodes: count };
  return { nodes: count, tested, active, free: count - tested };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
