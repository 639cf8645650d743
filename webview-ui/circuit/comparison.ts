/** Two circuits in one picture or in two: whose nodes are the same, and where those stand that only one circuit has. Pure. */

import type { CircuitAnnotations, CircuitGraph } from '../../src/shared/circuit.ts';
import {
  type CircuitDifference,
  compareCircuits,
  componentKeys,
  type NodeDifference,
} from '../../src/shared/circuitDifference.ts';
import type { Token } from '../../src/shared/domain.ts';
import { heldNodes, keepNodes } from '../../src/shared/keepNodes.ts';
import { type SummedCircuit, sumPositions } from '../../src/shared/sumPositions.ts';
import type { Mark, MarkEdge } from '../marks/circuitMark.ts';
import { mergePositions } from './alignTokens.ts';
import { type Drawing, namedMark } from './circuitMarks.ts';

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
  /** What stands here for each node, where only the circuit here is by position: the sum over positions. */
  readonly summedHere?: SummedCircuit;
  /** One of both is by position, and its nodes are summed to be matched. */
  readonly isSummed: boolean;
}

/** Both circuits at once. */
export interface DifferencePicture {
  readonly difference: CircuitDifference;
  readonly drawing: Drawing;
  /** What the picture's columns and bands are of. */
  readonly graph: CircuitGraph;
}

/** The other circuit where one of both is by position alone: then that one is summed, so that components are matched. */
export function linkCircuit(
  here: CircuitGraph,
  other: { readonly title: string; readonly graph: CircuitGraph; readonly annotations: CircuitAnnotations },
): LinkedCircuit {
  const isSummed = (here.isAggregated ?? false) !== (other.graph.isAggregated ?? false);
  if (!isSummed) return { ...linkAlike(here, other), isSummed };
  if (other.graph.isAggregated) {
    const summedHere = sumPositions(here);
    return { ...linkAlike(summedHere.graph, other), summedHere, isSummed };
  }
  const { graph, owners } = sumPositions(other.graph);
  return {
    ...linkAlike(here, { ...other, graph, annotations: ownedBy(other.annotations, owners) }),
    isSummed,
  };
}

function ownedBy(annotations: CircuitAnnotations, owners: ReadonlyMap<string, string>): CircuitAnnotations {
  const ownersOf = (ids: readonly string[]): readonly string[] => [
    ...new Set(ids.map((id) => owners.get(id) ?? id)),
  ];
  return {
    ...annotations,
    pinned: ownersOf(annotations.pinned),
    supernodes: annotations.supernodes.map((group) => ({ ...group, nodes: ownersOf(group.nodes) })),
  };
}

/** Gives the other circuit's nodes the ids of the same nodes here; what has none here gets an id of its own. */
function linkAlike(
  here: CircuitGraph,
  other: { readonly title: string; readonly graph: CircuitGraph; readonly annotations: CircuitAnnotations },
): Omit<LinkedCircuit, 'isSummed'> {
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
export function differencePicture(all: ComparedHere, other: LinkedCircuit): DifferencePicture {
  const here = other.summedHere ? summed(all, other.summedHere) : all;
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

function summed({ annotations, kept }: ComparedHere, { graph, owners }: SummedCircuit): ComparedHere {
  return { graph, annotations, kept: new Set([...kept].map((id) => owners.get(id) ?? id)) };
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
