/** The SHIFT panel's store: features are fetched once for each number, and marks are the reader's at once. */
import { describe, expect, it } from 'vitest';
import type { ShiftFeature, ShiftOutcome } from '../../../../src/shared/shiftApi.ts';
import { type ShiftState, type ShiftViewApi, shiftKey } from '../../../../src/shared/shiftViewApi.ts';
import { SavedState } from '../../../../webview-ui/lib/savedState.ts';
import { ShiftStore } from '../../../../webview-ui/shift/shiftStore.ts';

function feature(index: number, isGender = false): ShiftFeature {
  const ref = { sae: '/saes/one', index };
  return {
    feature: ref,
    hook: 'blocks.1.hook_resid_post',
    info: ref,
    effect: 1 / (index + 1),
    tellsGender: 0,
    tellsProfession: 0,
    isGender,
    examples: [],
  };
}

function open(state: Partial<ShiftState> = {}) {
  const features = [feature(0), feature(1, true), feature(2, true)];
  const host = {
    state: { number: 1, marked: [], ...state } as ShiftState,
    fetched: 0,
    marks: [] as (readonly string[])[],
  };
  const api = {
    state: async () => host.state,
    features: async () => {
      host.fetched++;
      return features;
    },
    mark: async ({ keys }: { readonly keys: readonly string[] }) => {
      host.marks.push(keys);
      host.state = { ...host.state, marked: keys };
    },
  } as unknown as ShiftViewApi;
  const saved = new SavedState({ read: () => undefined, write: () => {} });
  return { host, features, store: new ShiftStore({ api, on: () => {} }, saved) };
}

/** Lets answers arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('ShiftStore', () => {
  it('fetches the features when their number changes, and only then', async () => {
    const { host, store } = open();
    await store.refresh();
    await settle();
    await store.refresh();
    await settle();
    expect([host.fetched, store.features.value.length]).toEqual([1, 3]);
    host.state = { ...host.state, number: 2 };
    await store.refresh();
    await settle();
    expect(host.fetched).toBe(2);
  });

  it('marks and unmarks one, all of gender, and none', async () => {
    const { host, features, store } = open();
    await store.refresh();
    await settle();
    const [a, b, c] = features.map((one) => shiftKey(one.feature));
    store.mark(a!, true);
    expect([...store.marked.value]).toEqual([a]);
    store.markKnown();
    expect([...store.marked.value]).toEqual([a, b, c]);
    store.mark(b!, false);
    expect([...store.marked.value]).toEqual([a, c]);
    store.clearMarks();
    await settle();
    expect(store.marked.value.size).toBe(0);
    expect(host.marks.at(-1)).toEqual([]);
  });

  it('knows when the numbers are of other marks', async () => {
    const { store } = open({
      marked: ['/saes/one:0'],
      outcome: { ablated: [{ sae: '/saes/one', index: 0 }] } as unknown as ShiftOutcome,
    });
    await store.refresh();
    expect(store.isStale.value).toBe(false);
    store.mark('/saes/one:1', true);
    expect(store.isStale.value).toBe(true);
    store.mark('/saes/one:1', false);
    expect(store.isStale.value).toBe(false);
  });

  it('never shows what the generator knows before it is asked, also when it was shown before a reload', () => {
    const saved = new SavedState({ read: () => ({ known: true }), write: () => {} });
    const api = {} as ShiftViewApi;
    expect(new ShiftStore({ api, on: () => {} }, saved).known.value).toBe(false);
  });

  it('narrows the list by label, site or number, and marks what it is narrowed to beside what is marked', async () => {
    const { store, features } = open();
    await store.refresh();
    await settle();
    store.features.value = features.map((one, i) => ({
      ...one,
      info: { ...one.info, label: ['She', 'ward', 'he'][i]! },
    }));
    const shown = (): number[] => store.shown.value.map(({ feature }) => feature.index);
    store.filter.value = ' HE';
    expect(shown()).toEqual([0, 2]);
    store.filter.value = '#1';
    expect(shown()).toEqual([1]);
    store.mark(shiftKey(features[0]!.feature), true);
    store.markShown();
    expect([...store.marked.value]).toEqual(
      [features[0]!, features[1]!].map(({ feature }) => shiftKey(feature)),
    );
    store.filter.value = 'resid_post';
    expect(shown()).toEqual([0, 1, 2]);
    store.filter.value = 'nothing';
    expect(shown()).toEqual([]);
  });
});
