/**
 * What a person adds to a circuit, as pure steps: pin, name, group, prune, title. Each step answers the new annotations and
 * what it did, in words for undo; undefined when it would change nothing.
 */

import type { CircuitAnnotations, Supernode } from './circuit.ts';

/** New annotations, and the change in a few words such as `Pin Head 2.3`. */
export interface AnnotationChange {
  readonly annotations: CircuitAnnotations;
  readonly what: string;
}

/** What nodes are called in the words of a change. */
export type NameOf = (node: string) => string;

/** Characters of a name at most; what is longer is cut. */
export const longestLabel = 120;

/** Groups of one circuit at most. */
export const mostSupernodes = 500;

/** Annotations of a circuit that nobody has touched; `keep` is where its slider begins. */
export function emptyAnnotations(keep = 1): CircuitAnnotations {
  return { keep: boundShare(keep), pinned: [], labels: {}, supernodes: [] };
}

/** A name as it is kept: one line without control characters, at most `longestLabel` characters. */
export function boundLabel(label: string): string {
  // Long names are cut before they are read character by character.
  const line = label
    .slice(0, 8 * longestLabel)
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return [...line].slice(0, longestLabel).join('').trim();
}

/** Pins nodes, in the order given, after those that are pinned. */
export function pinNodes(
  before: CircuitAnnotations,
  nodes: readonly string[],
  nameOf: NameOf,
): AnnotationChange | undefined {
  const added = distinct(nodes).filter((id) => !before.pinned.includes(id));
  if (added.length === 0) return undefined;
  return {
    annotations: { ...before, pinned: [...before.pinned, ...added] },
    what: `Pin ${nameNodes(added, nameOf)}`,
  };
}

/** Takes pins away. */
export function unpinNodes(
  before: CircuitAnnotations,
  nodes: readonly string[],
  nameOf: NameOf,
): AnnotationChange | undefined {
  const removed = distinct(nodes).filter((id) => before.pinned.includes(id));
  if (removed.length === 0) return undefined;
  return {
    annotations: { ...before, pinned: before.pinned.filter((id) => !removed.includes(id)) },
    what: `Unpin ${nameNodes(removed, nameOf)}`,
  };
}

/** Pins the nodes; when all of them are pinned, unpins them. */
export function togglePins(
  before: CircuitAnnotations,
  nodes: readonly string[],
  nameOf: NameOf,
): AnnotationChange | undefined {
  return pinNodes(before, nodes, nameOf) ?? unpinNodes(before, nodes, nameOf);
}

/** Names a node by hand; an empty name brings its own label back. */
export function renameNode(
  before: CircuitAnnotations,
  node: string,
  label: string,
  nameOf: NameOf,
): AnnotationChange | undefined {
  const next = boundLabel(label);
  const own = Object.hasOwn(before.labels, node) ? before.labels[node] : undefined;
  if (next === (own ?? '')) return undefined;
  const rest = Object.entries(before.labels).filter(([id]) => id !== node);
  const labels = Object.fromEntries(next === '' ? rest : [...rest, [node, next]]);
  const what = next === '' ? `Restore Name of ${nameOf(node)}` : `Rename ${nameOf(node)} to ${next}`;
  return { annotations: { ...before, labels }, what };
}

/**
 * Gathers nodes in a new group; they leave the groups they were in. Answers the group's id as well.
 * The id is `group-N` with the first number above those in use, so that it stays what it is.
 */
export function groupNodes(
  before: CircuitAnnotations,
  nodes: readonly string[],
  label: string,
): (AnnotationChange & { readonly id: string }) | undefined {
  const members = distinct(nodes);
  if (members.length === 0) return undefined;
  const without = takeOut(before.supernodes, members);
  if (without.length >= mostSupernodes) return undefined;
  const id = nextId(before.supernodes);
  const name = boundLabel(label) || id;
  const supernodes = [...without, { id, label: name, nodes: members }];
  return { annotations: { ...before, supernodes }, what: `Group ${members.length} Nodes as ${name}`, id };
}

/** Puts nodes into a group that is there; they leave the groups they were in. */
export function addToGroup(
  before: CircuitAnnotations,
  group: string,
  nodes: readonly string[],
  nameOf: NameOf,
): AnnotationChange | undefined {
  const target = before.supernodes.find(({ id }) => id === group);
  const added = distinct(nodes).filter((id) => !target?.nodes.includes(id));
  if (!target || added.length === 0) return undefined;
  const supernodes = takeOut(before.supernodes, added).map((supernode) =>
    supernode.id === group ? { ...supernode, nodes: [...supernode.nodes, ...added] } : supernode,
  );
  return {
    annotations: { ...before, supernodes },
    what: `Add ${nameNodes(added, nameOf)} to ${target.label}`,
  };
}

/** Takes nodes out of their groups; a group that has lost all of its nodes is gone. */
export function removeFromGroups(
  before: CircuitAnnotations,
  nodes: readonly string[],
  nameOf: NameOf,
): AnnotationChange | undefined {
  const removed = distinct(nodes).filter((id) => groupOf(before, id) !== undefined);
  if (removed.length === 0) return undefined;
  return {
    annotations: { ...before, supernodes: takeOut(before.supernodes, removed) },
    what: `Take ${nameNodes(removed, nameOf)} out of ${removed.length === 1 ? groupOf(before, removed[0]!)!.label : 'Groups'}`,
  };
}

/** Dissolves a group; its nodes stay. */
export function ungroup(before: CircuitAnnotations, group: string): AnnotationChange | undefined {
  const target = before.supernodes.find(({ id }) => id === group);
  if (!target) return undefined;
  const supernodes = before.supernodes.filter(({ id }) => id !== group);
  return { annotations: { ...before, supernodes }, what: `Ungroup ${target.label}` };
}

/** Names a group; it cannot be without a name, so an empty one brings its id back. */
export function renameGroup(
  before: CircuitAnnotations,
  group: string,
  label: string,
): AnnotationChange | undefined {
  const target = before.supernodes.find(({ id }) => id === group);
  const next = boundLabel(label) || group;
  if (!target || target.label === next) return undefined;
  const supernodes = before.supernodes.map((supernode) =>
    supernode.id === group ? { ...supernode, label: next } : supernode,
  );
  return { annotations: { ...before, supernodes }, what: `Rename ${target.label} to ${next}` };
}

/** Moves the slider; `kept` is how many nodes that leaves. */
export function keepShare(
  before: CircuitAnnotations,
  keep: number,
  kept: number,
): AnnotationChange | undefined {
  const next = boundShare(keep);
  if (next === before.keep) return undefined;
  return {
    annotations: { ...before, keep: next },
    what: `Prune to ${kept} ${kept === 1 ? 'Node' : 'Nodes'}`,
  };
}

/** Titles the circuit; an empty title brings its own back. */
export function retitle(before: CircuitAnnotations, title: string): AnnotationChange | undefined {
  const next = boundLabel(title);
  if (next === (before.title ?? '')) return undefined;
  const { title: _, ...rest } = before;
  return {
    annotations: next === '' ? rest : { ...rest, title: next },
    what: next === '' ? 'Restore Title' : `Title ${next}`,
  };
}

/** The group that a node is in. */
export function groupOf(annotations: CircuitAnnotations, node: string): Supernode | undefined {
  return annotations.supernodes.find(({ nodes }) => nodes.includes(node));
}

function takeOut(supernodes: readonly Supernode[], nodes: readonly string[]): readonly Supernode[] {
  const gone = new Set(nodes);
  return supernodes
    .map((supernode) =>
      supernode.nodes.some((id) => gone.has(id))
        ? { ...supernode, nodes: supernode.nodes.filter((id) => !gone.has(id)) }
        : supernode,
    )
    .filter((supernode) => supernode.nodes.length > 0);
}

function nextId(supernodes: readonly Supernode[]): string {
  let highest = 0;
  for (const { id } of supernodes) {
    const number = /^group-(\d{1,9})$/.exec(id)?.[1];
    if (number !== undefined) highest = Math.max(highest, Number(number));
  }
  return `group-${highest + 1}`;
}

function nameNodes(nodes: readonly string[], nameOf: NameOf): string {
  return nodes.length === 1 ? boundLabel(nameOf(nodes[0]!)) : `${nodes.length} Nodes`;
}

function distinct(nodes: readonly string[]): readonly string[] {
  return [...new Set(nodes)];
}

function boundShare(share: number): number {
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 1;
}
