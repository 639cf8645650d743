/** Patching against plain loops that run every cell as a full forward pass of its own, for every pair. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchActivations, patchingPlan } from '../../../../src/engine/method/activationPatching.ts';
import { featureGrid, featureSite } from '../../../../src/engine/method/featureGrid.ts';
import { type CellGrid, positionIn, sweepCells } from '../../../../src/engine/method/patchCells.ts';
import type { SweepState } from '../../../../src/engine/method/patchSweep.ts';
import { estimateSweep } from '../../../../src/engine/method/sweepEstimate.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import { isEngineError } from '../../../../src/shared/errors.ts';
import type { SweepName } from '../../../../src/shared/patchingApi.ts';
import { plainActivations, reluHook, topKHook } from '../../../fixtures/tinyModel.ts';
import {
  meanMetric,
  overwriting,
  pairTexts,
  placesOf,
  rememberedValues,
  tokenTask,
} from './plainPatching.ts';
import { adding, openTinyCircuit, type TinyCircuit } from './tinyCircuit.ts';

let circuit: TinyCircuit;
let valueAt: ReturnType<typeof rememberedValues>;

beforeAll(async () => {
  circuit = await openTinyCircuit(5);
  valueAt = rememberedValues(circuit);
});

afterAll(() => circuit?.close());

const sixTokens = tokenTask(pairTexts.filter(({ clean }) => clean.length === 6));
const all = tokenTask();

/** Every cell by plain loops, normalised. */
function plainValues(grid: CellGrid, task: typeof all, direction: 'denoising' | 'noising'): number[] {
  const [base, source] =
    direction === 'denoising' ? (['corrupted', 'clean'] as const) : (['clean', 'corrupted'] as const);
  const [clean, corrupted] = [meanMetric(circuit, task, 'clean'), meanMetric(circuit, task, 'corrupted')];
  return grid.cells.map((cell) => {
    const name = `blocks.${cell.layer}.${cell.hook}`;
    const patched = meanMetric(circuit, task, base, (pair) => {
      const position = positionIn(cell, pair);
      const positions = position === undefined ? undefined : [position];
      const places = placesOf(name, pair.clean.length, { head: cell.head, positions, source: cell.source });
      return overwriting(name, places, valueAt(name, pair[source]));
    });
    return (patched - corrupted) / (clean - corrupted);
  });
}

function patch(
  grid: CellGrid,
  task = sixTokens,
  direction: 'denoising' | 'noising' = 'denoising',
  more = {},
) {
  return patchActivations({
    model: circuit.model,
    task,
    metric: 'logitDifference',
    direction,
    grid,
    ...more,
  });
}

function expectClose(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i], `cell ${i}`).toBeCloseTo(value, 4);
}

describe('patching activations', () => {
  const sweeps: SweepName[] = [
    'resid_pre',
    'resid_post',
    'resid_mid',
    'attn_head_out_by_pos',
    'attn_head_k_by_pos',
    'mlp_out',
    'attn_head_pattern_dest_src_pos',
  ];
  it.each(
    sweeps.flatMap((name) => (['denoising', 'noising'] as const).map((direction) => ({ name, direction }))),
  )('runs $name, $direction, as full runs one by one do', async ({ name, direction }) => {
    const grid = sweepCells(name, circuit.model.config, sixTokens.pairs);
    const { values } = await patch(grid, sixTokens, direction);
    const expected = plainValues(grid, sixTokens, direction);
    expectClose(values, expected);
    expect(new Set(expected.map((value) => value.toFixed(3))).size).toBeGreaterThan(3);
  });

  it('runs pairs of different lengths by head and by role', async () => {
    for (const options of [
      { name: 'attn_head_q_all_pos' },
      { name: 'attn_out', roles: ['MID', 'END'] },
    ] as const) {
      const grid = sweepCells(options.name, circuit.model.config, all.pairs, options);
      const { values } = await patch(grid, all);
      expectClose(values, plainValues(grid, all, 'denoising'));
    }
  });

  it('gives the same in small waves as in large ones', async () => {
    const grid = sweepCells('block_every', circuit.model.config, sixTokens.pairs);
    const [small, large] = [await patch(grid, sixTokens, 'denoising', { waveTokens: 1 }), await patch(grid)];
    expectClose(small.values, [...large.values]);
  });

  it('refuses positions when pairs differ in length, and layers, sweeps and roles that are not there', async () => {
    expect(() => sweepCells('resid_pre', circuit.model.config, all.pairs)).toThrow(/differ in length/);
    const { config } = circuit.model;
    expect(() => sweepCells('resid_pre', config, all.pairs, { layers: [2] })).toThrow(/Layer 2/);
    expect(() => sweepCells('toString' as SweepName, config, all.pairs)).toThrow(/"toString"/);
    const grid = sweepCells('resid_pre', circuit.model.config, all.pairs, { roles: ['IO'] });
    await expect(patch(grid, all)).rejects.toThrow(/The role IO/);
  });

  it('refuses pairs on which the metric does not differ', async () => {
    const [pair] = sixTokens.pairs;
    const same = { name: 'same', pairs: [{ ...pair!, corrupted: pair!.clean }] };
    await expect(patch(sweepCells('resid_pre', circuit.model.config, same.pairs), same)).rejects.toThrow(
      /counterfactual/,
    );
  });
});

describe('a sweep that is under way', () => {
  it('hands over cells as they come, stops at once, and goes on without what is known', async () => {
    const grid = sweepCells('attn_head_out_by_pos', circuit.model.config, all.pairs, {
      roles: ['MID', 'END'],
    });
    const whole = await patch(grid, all);
    const controller = new AbortController();
    let known: SweepState | undefined;
    let updates = 0;
    const update = (_cells: readonly number[], state: SweepState): void => {
      known = { values: state.values.slice(), pairs: state.pairs.slice() };
      if (++updates === 3) controller.abort();
    };
    const inputs = {
      model: circuit.model,
      task: all,
      metric: 'logitDifference',
      direction: 'denoising',
      grid,
    } as const;
    const stopped = patchActivations({ ...inputs, update, waveTokens: 40 }, { signal: controller.signal });
    await expect(stopped).rejects.toSatisfy((error) => isEngineError(error, 'cancelled'));
    expect(updates).toBe(3);
    const done = [...known!.pairs].filter((count) => count > 0).length;
    expect(done).toBeGreaterThan(0);
    const again: number[] = [];
    const finished = await patchActivations({
      ...inputs,
      resumeFrom: known,
      update: (cells) => again.push(...cells),
    });
    expectClose(finished.values, [...whole.values]);
    const firstPairs = Math.max(...known!.pairs);
    const complete = grid.cells.filter(({ index }) => known!.pairs[index] === firstPairs);
    // A cell that has run on the first batch runs on the others only: pairs have two lengths here.
    for (const { index } of complete) expect(again.filter((cell) => cell === index)).toHaveLength(1);
  });

  it('is told beforehand what it will take', async () => {
    const grid = sweepCells('resid_pre', circuit.model.config, sixTokens.pairs);
    const plan = patchingPlan({
      model: circuit.model,
      task: sixTokens,
      metric: 'logitDifference',
      direction: 'denoising',
      grid,
    });
    const estimate = await estimateSweep(plan);
    expect(estimate.cells).toBe(12);
    // The first position is the same in all pairs.
    expect(estimate.runs).toBe(10 * 3);
    expect(estimate.memory).toBeGreaterThan(4 * 3 * 6 * 12 * 3);
    expect(estimate.seconds).toBeGreaterThan(0);
  });
});

describe('features of an SAE', () => {
  it.each([
    { hook: topKHook, site: 0 },
    { hook: reluHook, site: 1 },
  ])('at $hook change the value by their decoder rows, and the error by itself', async ({ hook, site }) => {
    const { sae } = circuit.saes[site]!;
    const place = featureSite(circuit.model.config, sae);
    const features = [0, 4, 7, 11, 19];
    const grid = await featureGrid(circuit.model, sixTokens, place, {
      kind: 'features',
      sae: '',
      features,
      error: true,
      by: 'position',
    });
    const { values } = await patch(grid, sixTokens, 'denoising', { sites: [place] });
    const [clean, corrupted] = [
      meanMetric(circuit, sixTokens, 'clean'),
      meanMetric(circuit, sixTokens, 'corrupted'),
    ];
    const expected = grid.cells.map((cell) => {
      const patched = meanMetric(circuit, sixTokens, 'corrupted', (pair) => {
        const position = cell.position as number;
        return adding(hook, position * 12, plainDelta(hook, pair, position, cell.part!.feature));
      });
      return (patched - corrupted) / (clean - corrupted);
    });
    expectClose(values, expected);
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(1e-3);
  });

  it('are chosen by how much their activations differ', async () => {
    const place = featureSite(circuit.model.config, circuit.saes[1]!.sae);
    const target = { kind: 'features', sae: '', features: { strongest: 3 }, by: 'all' } as const;
    const { axes } = await featureGrid(circuit.model, sixTokens, place, target);
    const tiny = circuit.tiny.saes.get(reluHook)!;
    const differences = Array.from({ length: 20 }, (_, f) =>
      Math.max(
        ...sixTokens.pairs.flatMap((pair) =>
          [0, 1, 2, 3, 4, 5].map((p) =>
            Math.abs(
              rowActivations(reluHook, tiny, pair.clean, p)[f]! -
                rowActivations(reluHook, tiny, pair.corrupted, p)[f]!,
            ),
          ),
        ),
      ),
    );
    const order = differences.map((_, f) => f).sort((a, b) => differences[b]! - differences[a]!);
    expect(axes[0]!.labels).toEqual(order.slice(0, 3).map(String));
  });

  function rowActivations(
    hook: string,
    tiny: Parameters<typeof plainActivations>[0],
    ids: Int32Array,
    position: number,
  ): number[] {
    const row = valueAt(hook, ids).subarray(position * 12, (position + 1) * 12);
    return plainActivations(tiny, row, hook === topKHook ? 4 : undefined);
  }

  /** Δf · W_dec, or the change of what the SAE leaves out. */
  function plainDelta(hook: string, pair: TokenPair, position: number, feature: number | 'error'): number[] {
    const tiny = circuit.tiny.saes.get(hook)!;
    const row = (ids: Int32Array) => valueAt(hook, ids).subarray(position * 12, (position + 1) * 12);
    const [now, then] = [
      rowActivations(hook, tiny, pair.corrupted, position),
      rowActivations(hook, tiny, pair.clean, position),
    ];
    const written = (f: number, d: number) => (then[f]! - now[f]!) * tiny.W_dec[f * 12 + d]!;
    const columns = Array.from({ length: 12 }, (_, d) => d);
    if (feature !== 'error') return columns.map((d) => written(feature, d));
    const reconstructed = (d: number) => now.reduce((sum, _, f) => sum + written(f, d), 0);
    return columns.map((d) => row(pair.clean)[d]! - row(pair.corrupted)[d]! - reconstructed(d));
  }
});
