/** Two circuits in one picture or in two: whose nodes are the same, and where those stand that only one circuit has. Pure. */

import type { CircuitAnnotations, CircuitGraph } from '../../src/shared/circuit.ts';
import {
  type CircuitDifference,
  compareCircuits,
  componentKeys,
  type NodeDifference,
} from '../../src/shared/circuitDifference.ts';
import type { Token } from '../../src/shared/domain.ts';
import type { Mark, MarkEdge } from '../marks/circuitMark.ts';
import { mergePositions } from './alignTokens.ts';
import { type Drawing, namedMark } from './circuitMarks.ts';
import { heldNodes, keepNodes } from './keepNodes.ts';

/** Begins the ids of nodes that only the other circuit has. */
const therePrefix = 'there:';

/** The other circuit, its nodes known by the ids that the same nodes have here. */
export interface LinkedCircuit {
  readonly title: string;
  readonly graph: CircuitGraph;
  readonly annotations: CircuitAnnotations;
  /** What its own slider keeps. */
  readonly kept: ReadonlySet<string>;
  /** `[position]`: the common column of each token here and there. */
  readonly columnsHere: readonly number[];
  readonly columnsThere: readonly number[];
  readonly columns: readonly Token[];
}

/** Both circuits at once. */
export interface DifferencePicture {
  readonly difference: CircuitDifference;
  readonly drawing: Drawing;
  /** What the picture's columns and bands are of. */
  readonly graph: CircuitGraph;
}

/** Gives the other circuit's nodes the ids of the same nodes here; what has none here gets an id of its own. */
export function linkCircuit(
  here: CircuitGraph,
  other: { readonly title: string; readonly graph: CircuitGraph; readonly annotations: CircuitAnnotations },
): LinkedCircuit {
  const { here: columnsHere, there: columnsThere, columns } = mergePositions(here.tokens, other.graph.tokens);
  const idByKey = new Map<string, string>();
  for (const [id, key] of componentKeys(here, rolesOf(columnsHere))) idByKey.set(key, id);
  const ids = new Map<string, string>();
  for (const [id, key] of componentKeys(other.graph, rolesOf(columnsThere))) {
    ids.set(id, idByKey.get(key) ?? `${therePrefix}${id}`);
  }
  const idOf = (id: string): string => ids.get(id) ?? `${therePrefix}${id}`;
  const graph: CircuitGraph = {
    ...other.graph,
    nodes: other.graph.nodes.map((node) => ({ ...node, id: idOf(node.id) })),
    edges: other.graph.edges.map((edge) => ({
      ...edge,
      source: idOf(edge.source),
      target: idOf(edge.target),
    })),
  };
  const { annotations } = other;
  const linked: CircuitAnnotations = {
    ...annotations,
    pinned: annotations.pinned.map(idOf),
    labels: Object.fromEntries(Object.entries(annotations.labels).map(([id, label]) => [idOf(id), label])),
    supernodes: annotations.supernodes.map((group) => ({
      ...group,
      id: `${therePrefix}${group.id}`,
      nodes: group.nodes.map(idOf),
    })),
  };
  const kept = keepNodes(graph, linked.keep, heldNodes(linked));
  return { title: other.title, graph, annotations: linked, kept, columnsHere, columnsThere, columns };
}

function rolesOf(columns: readonly number[]): ReadonlyMap<number, string> {
  return new Map(columns.map((column, position) => [position, `c${column}`]));
}

/** What of a circuit is compared. */
export interface ComparedHere {
  readonly graph: CircuitGraph;
  readonly annotations: CircuitAnnotations;
  readonly kept: ReadonlySet<string>;
}

/** One picture of what both keep: names and ids from here where a node is in both. */
export function differencePicture(here: ComparedHere, other: LinkedCircuit): DifferencePicture {
  const difference = compareCircuits(
    { graph: here.graph, kept: here.kept, roles: rolesOf(other.columnsHere) },
    { graph: other.graph, kept: other.kept, roles: rolesOf(other.columnsThere) },
  );
  const marks = difference.nodes.map((node) => differenceMark(node, here, other));
  const idByKey = new Map(difference.nodes.map(({ key }, i) => [key, marks[i]!.id]));
  const edges = difference.edges
    .map(({ source, target, change, before, after }): MarkEdge => {
      const weight = after ?? before ?? 0;
      return { source: idByKey.get(source)!, target: idByKey.get(target)!, weight, change, before };
    })
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const graph: CircuitGraph = {
    ...here.graph,
    nLayers: Math.max(here.graph.nLayers, other.graph.nLayers),
    tokens: other.columns,
    nodes: marks,
    edges,
  };
  return { difference, drawing: { marks, edges }, graph };
}

function differenceMark(difference: NodeDifference, here: ComparedHere, other: LinkedCircuit): Mark {
  const { before, after, change } = difference;
  const node = before ?? after!;
  const annotations = before ? here.annotations : other.annotations;
  const columns = before ? other.columnsHere : other.columnsThere;
  return {
    ...namedMark(node, annotations),
    position: columns[node.position] ?? node.position,
    effect: after?.effect ?? node.effect,
    change,
    ...(before && { otherEffect: before.effect }),
  };
}
