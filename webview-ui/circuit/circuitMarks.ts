/** From a circuit to what is drawn of it: names given by hand, closed groups as one mark with their members' edges. Pure. */

import type {
  CircuitAnnotations,
  CircuitEdge,
  CircuitGraph,
  CircuitNode,
  Supernode,
} from '../../src/shared/circuit.ts';
import { keepEdges } from '../../src/shared/keepNodes.ts';
import type { Mark, MarkEdge } from '../marks/circuitMark.ts';

/** Marks and the edges among them, heaviest first. */
export interface Drawing {
  readonly marks: readonly Mark[];
  readonly edges: readonly MarkEdge[];
}

/** Begins the ids of marks that are groups; no node of the circuit is meant by them. */
const groupPrefix = 'supernode:';

/** The id of the mark that stands for a group. */
export function markOfGroup(group: string): string {
  return `${groupPrefix}${group}`;
}

/** The group that a mark stands for; undefined for a node's own mark. */
export function groupOfMark(mark: string | undefined): string | undefined {
  return mark?.startsWith(groupPrefix) ? mark.slice(groupPrefix.length) : undefined;
}

/** A node with the name that was given to it. */
export function namedMark(node: CircuitNode, annotations: CircuitAnnotations, groupLabel?: string): Mark {
  const given = Object.hasOwn(annotations.labels, node.id) ? annotations.labels[node.id] : undefined;
  if (given === undefined && groupLabel === undefined) return node;
  return { ...node, ...(given !== undefined && { given }), ...(groupLabel !== undefined && { groupLabel }) };
}

/** The shown nodes with closed groups as one mark each. Groups that are in `open` show their members. */
export function drawMarks(
  graph: CircuitGraph,
  annotations: CircuitAnnotations,
  shown: ReadonlySet<string>,
  open: ReadonlySet<string>,
): Drawing {
  const groups = new Map<string, Supernode>();
  for (const group of annotations.supernodes) for (const id of group.nodes) groups.set(id, group);
  const closed = new Map<string, CircuitNode[]>();
  const owners = new Map<string, string>();
  const marks: Mark[] = [];
  for (const node of graph.nodes) {
    if (!shown.has(node.id)) continue;
    const group = groups.get(node.id);
    if (!group || open.has(group.id)) {
      marks.push(namedMark(node, annotations, group?.label));
      continue;
    }
    owners.set(node.id, markOfGroup(group.id));
    const members = closed.get(group.id);
    if (members) members.push(node);
    else closed.set(group.id, [node]);
  }
  for (const [id, members] of closed) {
    marks.push(groupMark(annotations.supernodes.find((group) => group.id === id)!, members));
  }
  const edges = keepEdges(graph.edges, shown);
  return { marks, edges: owners.size > 0 ? mergeEdges(edges, owners) : edges };
}

/** One mark for several nodes: it stands at the middle of their layers, on the token of the strongest, and has all of their effect. */
export function groupMark(group: Supernode, members: readonly CircuitNode[]): Mark {
  let strongest = members[0]!;
  let weight = 0;
  let layers = 0;
  let effect = 0;
  for (const member of members) {
    const size = Math.abs(member.effect) + 1e-12;
    weight += size;
    layers += size * member.layer;
    effect += member.effect;
    if (Math.abs(member.effect) > Math.abs(strongest.effect)) strongest = member;
  }
  return {
    id: markOfGroup(group.id),
    kind: 'other',
    label: group.label,
    layer: Math.round(layers / weight),
    position: strongest.position,
    ...(strongest.hook !== undefined && { hook: strongest.hook }),
    effect,
    members,
  };
}

/** Edges between marks: those of a group's members together, those inside a group left out. Heaviest first. */
export function mergeEdges(
  edges: readonly CircuitEdge[],
  owners: ReadonlyMap<string, string>,
): readonly CircuitEdge[] {
  const merged = new Map<string, CircuitEdge>();
  for (const edge of edges) {
    const source = owners.get(edge.source) ?? edge.source;
    const target = owners.get(edge.target) ?? edge.target;
    if (source === target) continue;
    const key = `${source}→${target}`;
    merged.set(key, { source, target, weight: (merged.get(key)?.weight ?? 0) + edge.weight });
  }
  return [...merged.values()].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** Every node by its id, under the name it was given. */
export function namedNodes(
  graph: CircuitGraph | undefined,
  annotations: CircuitAnnotations,
): ReadonlyMap<string, Mark> {
  const groups = new Map<string, string>();
  for (const { nodes, label } of annotations.supernodes) for (const id of nodes) groups.set(id, label);
  return new Map(
    graph?.nodes.map((node) => [node.id, namedMark(node, annotations, groups.get(node.id))]) ?? [],
  );
}

/** The mark of a group whose nodes are looked up; none when none of them is there. */
export function markOfMembers(group: Supernode, nodes: ReadonlyMap<string, Mark>): Mark | undefined {
  const members = group.nodes.map((id) => nodes.get(id)).filter((mark) => mark !== undefined);
  return members.length > 0 ? groupMark(group, members) : undefined;
}
