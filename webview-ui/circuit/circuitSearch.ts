/** The search of the circuit panel: what is looked for, what is found, and which of it is stepped to. */

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Mark } from '../marks/circuitMark.ts';
import type { CircuitStore } from './circuitStore.ts';
import { searchNodes } from './searchNodes.ts';

/** One search. */
export class CircuitSearch {
  readonly isOpen = signal(false);
  readonly query = signal('');
  /** Number of the found node that was stepped to; −1 before the first step. */
  readonly at = signal(-1);
  readonly found: ReadonlySignal<readonly Mark[]>;
  /** Ids of what is found. */
  readonly ids: ReadonlySignal<ReadonlySet<string>>;

  constructor(readonly store: CircuitStore) {
    this.found = computed(() => {
      const difference = store.state.value?.compareAs === 'difference' ? store.difference.value : undefined;
      const graph = difference?.graph ?? store.graph.value;
      if (!this.isOpen.value || !graph) return [];
      const marks = difference?.drawing.marks ?? [...store.nodes.value.values()];
      const kept = difference ? new Set(marks.map(({ id }) => id)) : store.kept.value;
      return searchNodes(this.query.value, marks, graph, kept);
    });
    this.ids = computed(() => new Set(this.found.value.map(({ id }) => id)));
  }

  /** Looks for something else. */
  look(query: string): void {
    this.query.value = query;
    this.at.value = -1;
  }

  /** Goes to the next found node, or to the one before, around the ends. */
  step(by: 1 | -1): void {
    const count = this.found.value.length;
    if (count === 0) return;
    const from = this.at.value < 0 && by < 0 ? 0 : this.at.value;
    this.goTo((from + by + count) % count);
  }

  /** Goes to one of the found nodes. */
  goTo(index: number): void {
    const mark = this.found.value[index];
    if (!mark) return;
    this.at.value = index;
    this.store.bringOut(mark.id);
    this.store.select(mark.id);
  }

  close(): void {
    this.isOpen.value = false;
    this.look('');
  }
}
