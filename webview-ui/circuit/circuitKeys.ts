/** The keys of the circuit panel that work wherever the focus is, and those for the node that has it. */

import { groupChosen, togglePin, ungroupMark } from './circuitEdits.ts';
import { groupOfMark } from './circuitMarks.ts';
import type { CircuitSearch } from './circuitSearch.ts';
import type { CircuitStore } from './circuitStore.ts';

/** Acts on a key of the panel. */
export function onPanelKey(store: CircuitStore, search: CircuitSearch, event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const key = event.key.toLowerCase();
  const command = event.ctrlKey || event.metaKey;
  if (event.defaultPrevented || !store.graph.peek()) return;
  if (command && key === 'f') {
    event.preventDefault();
    search.isOpen.value = true;
    return;
  }
  if (target.matches('input:not([type="range"]), textarea, select')) return;
  if (command) onCommandKey(store, event, key);
  else if (!event.altKey) onPlainKey(store, search, event, key);
}

function onCommandKey(store: CircuitStore, event: KeyboardEvent, key: string): void {
  // In a custom editor these keys are VS Code's own, and it would undo twice.
  if (store.state.peek()?.isFile) return;
  const isRedo = key === 'y' || (key === 'z' && event.shiftKey);
  if (key !== 'z' && !isRedo) return;
  event.preventDefault();
  if (isRedo) store.redo();
  else store.undo();
}

function onPlainKey(store: CircuitStore, search: CircuitSearch, event: KeyboardEvent, key: string): void {
  const focused = (event.target as HTMLElement).closest<HTMLElement>('[data-node]')?.dataset.node;
  const mark = focused ?? store.selected.peek();
  const done = plainActions(store, search, mark, event.shiftKey)[key];
  if (!done) return;
  event.preventDefault();
  done();
}

function plainActions(
  store: CircuitStore,
  search: CircuitSearch,
  mark: string | undefined,
  shift: boolean,
): Readonly<Record<string, () => void>> {
  const onMark = (act: (id: string) => void) => () => {
    if (mark !== undefined) act(mark);
  };
  return {
    '/': () => {
      search.isOpen.value = true;
    },
    p: () => {
      const chosen = [...store.chosen.peek()];
      if (chosen.length > 0) togglePin(store, chosen);
      else onMark((id) => togglePin(store, [id]))();
    },
    g: shift ? onMark((id) => ungroupMark(store, id)) : () => groupChosen(store, mark),
    e: onMark((id) => {
      const group = groupOfMark(id) ?? store.groupIdOf(id);
      if (group !== undefined) store.toggleGroup(group);
    }),
    f2: onMark((id) => startRename(store, id)),
    escape: () => {
      if (store.chosen.peek().size > 0) store.chosen.value = new Set();
      else if (store.selected.peek() !== undefined) store.select(undefined);
      else search.close();
    },
  };
}

/** Opens the card of a mark with its name ready to be written. */
export function startRename(store: CircuitStore, mark: string): void {
  const isHere = groupOfMark(mark) !== undefined || store.nodes.peek().has(mark);
  if (!isHere) return;
  store.select(mark);
  store.renaming.value = mark;
}

/** What a click on a mark does: with Ctrl it pins, with Shift it joins the selection, alone it opens the card. */
export function pickMark(store: CircuitStore, id: string | undefined, event?: MouseEvent): void {
  if (id !== undefined && (event?.ctrlKey || event?.metaKey)) togglePin(store, [id]);
  else if (id !== undefined && event?.shiftKey) store.choose(id);
  else {
    store.chosen.value = new Set();
    store.select(id);
  }
}
