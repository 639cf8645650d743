/** Stored activations: what the model computes at a hook, and batches that depend on seed and step alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatsOf } from '../../../../src/engine/graph/value.ts';
import { Transformer } from '../../../../src/engine/model/transformer.ts';
import { ActivationStore, collectActivations } from '../../../../src/engine/training/activationStore.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { type TinyModel, writeTinyModel } from '../../../fixtures/tinyModel.ts';
import { failure } from '../../temporaryFolder.ts';

/** Activations that tell their own number: row i is [i, −i]. */
function numbered(count: number): ActivationStore {
  return new ActivationStore(
    2,
    Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / 2 : -(i - 1) / 2)),
  );
}

/** The numbers of the rows that a batch holds. */
function rowsOf(batch: Float32Array): number[] {
  const rows = batch.filter((_, i) => i % 2 === 0);
  expect([...batch.filter((_, i) => i % 2 === 1)]).toEqual([...rows].map((row) => (row === 0 ? -0 : -row)));
  return [...rows];
}

describe('ActivationStore', () => {
  it('gives the same batch for the same seed and step, in whatever order they are asked for', () => {
    const store = numbered(50);
    const steps = [0, 7, 3, 12, 7, 0, 30];
    const first = steps.map((step) => rowsOf(store.batch(8, 'seed', step)));
    expect(first[4]).toEqual(first[1]);
    expect(first[5]).toEqual(first[0]);
    const fresh = numbered(50);
    steps.toReversed().forEach((step, i) => {
      expect(rowsOf(fresh.batch(8, 'seed', step))).toEqual(first.at(-1 - i));
    });
    expect(rowsOf(store.batch(8, 'other', 0))).not.toEqual(first[0]);
  });

  it('draws nothing twice within a pass, and takes each pass in another order', () => {
    const store = numbered(48);
    const pass = (n: number) =>
      Array.from({ length: 6 }, (_, i) => rowsOf(store.batch(8, 1, 6 * n + i))).flat();
    const everything = Array.from({ length: 48 }, (_, i) => i);
    for (const n of [0, 1, 5]) expect(pass(n).toSorted((a, b) => a - b)).toEqual(everything);
    expect(pass(1)).not.toEqual(pass(0));
    const uneven = numbered(50);
    const drawn = Array.from({ length: 6 }, (_, i) => rowsOf(uneven.batch(8, 1, i))).flat();
    expect(new Set(drawn).size).toBe(48);
  });

  it('refuses batches that it cannot fill', () => {
    expect(() => numbered(5).batch(6, 0, 0)).toThrow(RangeError);
    expect(rowsOf(numbered(5).batch(5, 0, 3)).toSorted()).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('collectActivations', () => {
  let tiny: TinyModel;
  let model: Transformer;

  beforeAll(async () => {
    tiny = await writeTinyModel(4);
    model = await Transformer.open(tiny.folder, { threads: 1 });
  });

  afterAll(async () => {
    await model?.release();
    await tiny?.remove();
  });

  it('leaves out the positions before the text', async () => {
    const hook = 'blocks.0.hook_resid_post';
    const rows = [Int32Array.of(1, 2, 3, 4), Int32Array.of(5, 6, 7, 8)];
    const all = (await collectActivations(model, [hook], rows)).get(hook)!;
    const kept = (await collectActivations(model, [hook], rows, { before: 1 })).get(hook)!;
    expect([all.count, kept.count]).toEqual([8, 6]);
    const row = (store: typeof all, i: number) => [
      ...store.data.subarray(i * store.width, (i + 1) * store.width),
    ];
    expect([0, 1, 2, 3, 4, 5].map((i) => row(kept, i))).toEqual([1, 2, 3, 5, 6, 7].map((i) => row(all, i)));
  });

  it('keeps every position of every row, in their order, for several hooks at once', async () => {
    const rows = Array.from({ length: 37 }, (_, r) =>
      Int32Array.from({ length: 5 }, (_x, i) => (r * 31 + i * 17) % 400),
    );
    const hooks = ['blocks.0.attn.hook_z', 'blocks.1.hook_resid_post', 'hook_embed'];
    const steps: Progress[] = [];
    const stores = await collectActivations(model, hooks, rows, { report: (step) => steps.push(step) });
    for (const hook of hooks) {
      const { data, width, count } = stores.get(hook)!;
      expect([width, count]).toEqual([12, 185]);
      for (const r of [0, 15, 16, 36]) {
        const alone = await model.run({ tokens: [rows[r]!], capture: [hook] });
        const expected = floatsOf(alone.hooks.get(hook)!);
        expected.forEach((x, i) => {
          expect(data[r * 60 + i]).toBeCloseTo(x, 4);
        });
      }
    }
    expect(steps.map(({ done }) => done)).toEqual([16, 32, 37]);
    const signal = AbortSignal.abort();
    expect((await failure(collectActivations(model, hooks, rows, { signal }))).code).toBe('cancelled');
  });
});
