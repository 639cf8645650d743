/** The circuit panel's store against a host that remembers: edits, undo, measuring, and what is newer than an answer. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CircuitAnnotations } from '../../../../src/shared/circuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import type { CircuitViewApi, SentState } from '../../../../src/shared/circuitViewApi.ts';
import {
  groupChosen,
  renameMark,
  togglePin,
  ungroupMark,
} from '../../../../webview-ui/circuit/circuitEdits.ts';
import { markOfGroup } from '../../../../webview-ui/circuit/circuitMarks.ts';
import { CircuitSearch } from '../../../../webview-ui/circuit/circuitSearch.ts';
import { CircuitStore } from '../../../../webview-ui/circuit/circuitStore.ts';
import { SavedState } from '../../../../webview-ui/lib/savedState.ts';
import { smallCircuit } from './smallCircuit.ts';

interface Fake {
  readonly store: CircuitStore;
  /** The steps of the host's history. */
  readonly what: string[];
  readonly evaluated: (readonly string[])[];
  readonly annotations: () => CircuitAnnotations;
}

/** A store and its host, which keeps annotations with an undo stack. */
async function open(first: Partial<SentState> = {}): Promise<Fake> {
  let annotations = emptyAnnotations();
  const past: CircuitAnnotations[] = [];
  let lastStroke: number | undefined;
  const what: string[] = [];
  const evaluated: (readonly string[])[] = [];
  const nothing = async (): Promise<void> => {};
  const api: CircuitViewApi = {
    state: async ({ known }) => ({
      circuit: {
        id: 'c',
        title: 'c',
        version: 'c.0',
        annotations,
        ...(!known.includes('c.0') && { graph: structuredClone(smallCircuit) }),
      },
      openCircuits: [],
      isFile: false,
      canUndo: past.length > 0,
      canRedo: false,
      stale: false,
      tokenSelected: -1,
      evaluating: false,
      ...first,
    }),
    annotate: async (request) => {
      const goesOn = request.stroke !== undefined && request.stroke === lastStroke;
      if (goesOn) what.pop();
      else past.push(annotations);
      lastStroke = request.stroke;
      annotations = request.annotations;
      what.push(request.what);
    },
    undo: async () => {
      annotations = past.pop() ?? annotations;
    },
    evaluate: async ({ nodes }) => {
      evaluated.push(nodes);
    },
    nodeDetails: async () => ({ examples: [], topLogits: [], bottomLogits: [] }),
    selectNode: nothing,
    hoverNode: nothing,
    redo: nothing,
    compare: nothing,
    ablateNode: nothing,
    steerNode: nothing,
    save: nothing,
    exportGraph: nothing,
    cancel: nothing,
    dismissFailure: nothing,
    runCommand: nothing,
  };
  const store = new CircuitStore(
    { api, on: () => {} },
    new SavedState({ read: () => undefined, write: () => {} }),
  );
  await store.refresh();
  return { store, what, evaluated, annotations: () => annotations };
}

const measured: SentState['evaluation'] = {
  faithfulness: 1,
  completeness: 0,
  full: 1,
  empty: 0,
  circuit: 1,
  complement: 0,
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('measuring', () => {
  it('asks for a circuit that comes unmeasured, and not for one that comes measured', async () => {
    const bare = await open();
    await vi.advanceTimersByTimeAsync(1000);
    expect(bare.evaluated).toHaveLength(1);
    expect(bare.evaluated[0]).toHaveLength(smallCircuit.nodes.length);
    const known = await open({ evaluation: measured });
    await vi.advanceTimersByTimeAsync(1000);
    expect(known.evaluated).toHaveLength(0);
  });

  it('waits until the slider rests, and asks for the newest nodes only', async () => {
    const { store, evaluated, what } = await open({ evaluation: measured });
    for (const keep of [0.8, 0.6, 0.4, 0.2]) {
      store.slider.move(keep);
      await vi.advanceTimersByTimeAsync(40);
    }
    expect(evaluated).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(2000);
    expect(evaluated.map((nodes) => [...nodes].sort())).toEqual([['h1', 'y']]);
    expect(what).toEqual(['Prune to 1 Node']);
  });

  it('asks again after a pin and after its undo', async () => {
    const { store, evaluated } = await open({ evaluation: measured });
    store.slider.move(0.2);
    await vi.advanceTimersByTimeAsync(2000);
    togglePin(store, ['h2']);
    await vi.advanceTimersByTimeAsync(2000);
    expect(evaluated.at(-1)).toContain('h2');
    store.undo();
    await vi.advanceTimersByTimeAsync(2000);
    expect(evaluated.at(-1)).not.toContain('h2');
  });
});

describe('edits', () => {
  it('are seen at once and reach the host as one step each', async () => {
    const { store, what, annotations } = await open({ evaluation: measured });
    togglePin(store, ['h1']);
    expect(store.annotations.value.pinned).toEqual(['h1']);
    renameMark(store, 'h1', 'name mover');
    expect(store.nodes.value.get('h1')?.given).toBe('name mover');
    await vi.advanceTimersByTimeAsync(100);
    expect(what).toEqual(['Pin Head 1.0', 'Rename Head 1.0 to name mover']);
    expect(annotations().labels).toEqual({ h1: 'name mover' });
    store.undo();
    await vi.advanceTimersByTimeAsync(100);
    expect(store.nodes.value.get('h1')?.given).toBeUndefined();
    expect(store.annotations.value.pinned).toEqual(['h1']);
  });

  it('take the slider along that has not been told of yet', async () => {
    const { store, what, annotations } = await open({ evaluation: measured });
    store.slider.move(0.4);
    togglePin(store, ['h2']);
    await vi.advanceTimersByTimeAsync(2000);
    expect(what).toEqual(['Prune to 2 Nodes', 'Pin Head 1.2']);
    expect(annotations()).toMatchObject({ keep: 0.4, pinned: ['h2'] });
  });

  it('group what is selected together, add to a group, and dissolve it', async () => {
    const { store, annotations } = await open({ evaluation: measured });
    store.select('h1');
    store.choose('m1');
    expect([...store.chosen.value]).toEqual(['h1', 'm1']);
    groupChosen(store, undefined);
    const mark = markOfGroup('group-1');
    expect(store.selected.value).toBe(mark);
    expect(store.renaming.value).toBe(mark);
    renameMark(store, mark, 'movers');
    store.chosen.value = new Set([mark, 'h2']);
    groupChosen(store, undefined);
    await vi.advanceTimersByTimeAsync(100);
    expect(annotations().supernodes).toEqual([{ id: 'group-1', label: 'movers', nodes: ['h1', 'm1', 'h2'] }]);
    expect(store.markOf(mark)?.members).toHaveLength(3);
    ungroupMark(store, 'h2');
    ungroupMark(store, mark);
    expect(store.annotations.value.supernodes).toEqual([]);
  });

  it('keep the graph the same object while its content is the same', async () => {
    const { store } = await open({ evaluation: measured });
    const { graph } = store;
    const before = graph.value;
    await store.refresh();
    expect(graph.value).toBe(before);
  });
});

describe('search', () => {
  it('steps around the ends and opens the group of what it finds', async () => {
    const { store } = await open({ evaluation: measured });
    const search = new CircuitSearch(store);
    store.chosen.value = new Set(['h0', 'h1']);
    groupChosen(store, undefined);
    search.isOpen.value = true;
    search.look('head');
    const steps = [1, 1, 1, 1, -1].map((by) => {
      search.step(by === 1 ? 1 : -1);
      return store.selected.value;
    });
    expect(steps).toEqual(['h1', 'h0', 'h2', 'h1', 'h2']);
    expect(store.openGroups.value).toEqual(new Set(['group-1']));
  });
});
