/** What a person does to a circuit: pin, name, group. Each goes to the host as one step that can be undone. */

import {
  addToGroup,
  groupNodes,
  groupOf,
  removeFromGroups,
  renameGroup,
  renameNode,
  retitle,
  togglePins,
  ungroup,
} from '../../src/shared/circuitAnnotations.ts';
import { say } from '../lib/strings.ts';
import type { Mark } from '../marks/circuitMark.ts';
import { groupOfMark, markOfGroup } from './circuitMarks.ts';
import type { CircuitStore } from './circuitStore.ts';
import { ownTitle } from './nodeName.ts';

/** Pins the marks' nodes, or unpins them when all are pinned. */
export function togglePin(store: CircuitStore, marks: readonly string[]): void {
  const nodes = nodesOf(store, marks);
  if (nodes.length > 0) store.edit((annotations) => togglePins(annotations, nodes, nameIn(store)));
}

/** Whether all nodes of a mark are pinned. */
export function isPinned(pinned: ReadonlySet<string>, mark: Mark): boolean {
  if (!mark.members) return pinned.has(mark.id);
  return mark.members.every(({ id }) => pinned.has(id));
}

/** Groups what is selected together, or the one mark; then its name can be written. */
export function groupChosen(store: CircuitStore, mark: string | undefined): void {
  const chosen = store.chosen.peek();
  const marks = chosen.size > 0 ? [...chosen] : [mark].filter((id) => id !== undefined);
  const nodes = nodesOf(store, marks);
  if (nodes.length < 2) return;
  // One group among single nodes takes them in; anything else makes a new group.
  const groups = marks.map(groupOfMark).filter((id) => id !== undefined);
  let id = groups.length === 1 ? groups[0] : undefined;
  store.edit((annotations) => {
    if (id !== undefined) return addToGroup(annotations, id, nodes, nameIn(store));
    const label = say('groupNew', { number: annotations.supernodes.length + 1 });
    const change = groupNodes(annotations, nodes, label);
    id = change?.id;
    return change;
  });
  if (id === undefined) return;
  store.chosen.value = new Set();
  store.select(markOfGroup(id));
  if (groups.length !== 1) store.renaming.value = markOfGroup(id);
}

/** Puts a node into a group that is there, and opens the group's card. */
export function addNode(store: CircuitStore, group: string, node: string): void {
  store.edit((annotations) => addToGroup(annotations, group, [node], nameIn(store)));
  store.select(markOfGroup(group));
}

/** Dissolves the group that a mark stands for, or takes a node out of its group. */
export function ungroupMark(store: CircuitStore, mark: string): void {
  const group = groupOfMark(mark);
  if (group !== undefined) {
    store.edit((annotations) => ungroup(annotations, group));
    store.select(undefined);
  } else if (groupOf(store.annotations.peek(), mark)) {
    store.edit((annotations) => removeFromGroups(annotations, [mark], nameIn(store)));
  }
}

/** Gives a node or a group its name. */
export function renameMark(store: CircuitStore, mark: string, name: string): void {
  const group = groupOfMark(mark);
  store.renaming.value = undefined;
  store.edit((annotations) =>
    group === undefined
      ? renameNode(annotations, mark, name, ownNameIn(store))
      : renameGroup(annotations, group, name),
  );
}

/** Titles the circuit. */
export function titleCircuit(store: CircuitStore, title: string): void {
  store.renaming.value = undefined;
  store.edit((annotations) => retitle(annotations, title));
}

/** The nodes of this circuit that marks stand for. */
function nodesOf(store: CircuitStore, marks: readonly string[]): readonly string[] {
  const nodes = store.nodes.peek();
  return marks
    .flatMap((id) => store.markOf(id)?.members?.map((member) => member.id) ?? [id])
    .filter((id) => nodes.has(id));
}

function nameIn(store: CircuitStore): (node: string) => string {
  return (node) => {
    const mark = store.nodes.peek().get(node);
    return mark ? (mark.given ?? ownTitle(mark)) : node;
  };
}

function ownNameIn(store: CircuitStore): (node: string) => string {
  return (node) => {
    const mark = store.nodes.peek().get(node);
    return mark ? ownTitle(mark) : node;
  };
}
