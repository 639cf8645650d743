/** Ablation against plain runs in which every component is put aside by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AblationKind,
  ablateEach,
  ablateTogether,
  replacerFor,
} from '../../../../src/engine/method/ablation.ts';
import { featureGrid, featureSite } from '../../../../src/engine/method/featureGrid.ts';
import { type PatchCell, sweepCells } from '../../../../src/engine/method/patchCells.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import type { TokenPair } from '../../../../src/engine/task/task.ts';
import type { PlainHook } from '../../../fixtures/plainGpt2.ts';
import { plainActivations, reluHook } from '../../../fixtures/tinyModel.ts';
import { meanMetric, meanOf, overwriting, placesOf, rememberedValues, tokenTask } from './plainPatching.ts';
import { adding, openTinyCircuit, type TinyCircuit } from './tinyCircuit.ts';

let circuit: TinyCircuit;
let valueAt: ReturnType<typeof rememberedValues>;
const task = tokenTask();
const metric = 'logitDifference';

beforeAll(async () => {
  circuit = await openTinyCircuit(6);
  valueAt = rememberedValues(circuit);
});

afterAll(() => circuit?.close());

/** What stands in for a hook's value of one pair, by plain loops. */
function plainReplacement(kind: AblationKind, name: string, pair: TokenPair): Float64Array {
  const length = pair.clean.length;
  const width = valueAt(name, pair.clean).length / length;
  if (kind.kind === 'zero') return new Float64Array(length * width);
  if (kind.kind === 'resample') throw new Error('The other prompt is not known here.');
  const side = kind.reference;
  const group = task.pairs.filter(
    (other) =>
      kind.over === 'task' ||
      (other.clean.length === length && (kind.over === 'position' || other.template === pair.template)),
  );
  return Float64Array.from({ length: length * width }, (_, i) => {
    const column = i % width;
    const values = group.flatMap((other) => {
      const value = valueAt(name, other[side]);
      if (kind.over !== 'task') return [value[i]!];
      return Array.from({ length: other.clean.length }, (_row, row) => value[row * width + column]!);
    });
    return meanOf(values);
  });
}

function plainHook(kind: AblationKind, cells: readonly PatchCell[], pair: TokenPair): PlainHook {
  const hooks = cells.map((cell) => {
    const name = `blocks.${cell.layer}.${cell.hook}`;
    return overwriting(
      name,
      placesOf(name, pair.clean.length, { head: cell.head }),
      plainReplacement(kind, name, pair),
    );
  });
  return (name, value) => {
    for (const hook of hooks) hook(name, value);
  };
}

const kinds: readonly AblationKind[] = [
  { kind: 'zero' },
  { kind: 'mean', over: 'task', reference: 'corrupted' },
  { kind: 'mean', over: 'position', reference: 'clean' },
  { kind: 'mean', over: 'template', reference: 'corrupted' },
];

describe.each(kinds)('ablation by $kind $over', (kind) => {
  it('of heads and MLPs one by one is what plain runs without them give', async () => {
    for (const sweep of ['attn_head_out_all_pos', 'mlp_out_all_pos'] as const) {
      const grid = sweepCells(sweep, circuit.model.config, task.pairs);
      const { state, clean } = await ablateEach({ model: circuit.model, task, metric, kind, grid });
      expect(clean).toBeCloseTo(meanMetric(circuit, task, 'clean'), 4);
      for (const cell of grid.cells) {
        const expected = meanMetric(circuit, task, 'clean', (pair) => plainHook(kind, [cell], pair));
        expect(state.values[cell.index], `${sweep} ${cell.index}`).toBeCloseTo(expected, 4);
        expect(Math.abs(expected - clean)).toBeGreaterThan(1e-4);
      }
    }
  });

  it('of several at once is what a plain run without all of them gives, pair by pair', async () => {
    const cells = [
      ...sweepCells('attn_head_out_all_pos', circuit.model.config, task.pairs).cells.filter(
        ({ index }) => index % 2 === 0,
      ),
      ...sweepCells('mlp_out_all_pos', circuit.model.config, task.pairs).cells.slice(1),
    ];
    const inputs = { model: circuit.model, task, metric, kind } as const;
    const replacer = await replacerFor(inputs, cells);
    const values = await ablateTogether({ ...inputs, replacer }, cells);
    task.pairs.forEach((pair, i) => {
      expect(values[i]).toBeCloseTo(circuit.metric([...pair.clean], plainHook(kind, cells, pair)), 4);
    });
  });
});

describe('resampling', () => {
  it('takes values of another prompt of the same length, the same ones for the same seed', async () => {
    const grid = sweepCells('attn_out_all_pos', circuit.model.config, task.pairs);
    const run = async (seed: number) => {
      const kind = { kind: 'resample', random: seededRandom(seed), reference: 'clean' } as const;
      return (await ablateEach({ model: circuit.model, task, metric, kind, grid })).state.values;
    };
    const values = await run(3);
    expect([...(await run(3))]).toEqual([...values]);
    const name = 'blocks.1.hook_attn_out';
    // Every choice of another prompt for every pair of six tokens; the one of five tokens has no other.
    const six = task.pairs.filter(({ clean }) => clean.length === 6);
    const outcomes = (pair: TokenPair) =>
      six
        .filter((other) => other !== pair)
        .map((other) =>
          circuit.metric([...pair.clean], overwriting(name, placesOf(name, 6), valueAt(name, other.clean))),
        );
    const [a, b, c] = six.map(outcomes);
    const five = task.pairs
      .filter(({ clean }) => clean.length !== 6)
      .map((pair) => circuit.metric([...pair.clean]));
    const means = a!.flatMap((x) => b!.flatMap((y) => c!.map((z) => meanOf([x, y, z, ...five]))));
    expect(Math.min(...means.map((mean) => Math.abs(mean - values[1]!)))).toBeLessThan(1e-4);
  });
});

describe('features and errors', () => {
  it.each([kinds[0]!, kinds[1]!])(
    'set to $kind, alone and together, change what the SAE writes',
    async (kind) => {
      const site = featureSite(circuit.model.config, circuit.saes[1]!.sae);
      const features = [2, 5, 9];
      const target = { kind: 'features', sae: '', features, error: true, by: 'all' } as const;
      const grid = await featureGrid(circuit.model, task, site, target);
      const inputs = { model: circuit.model, task, metric, kind, sites: [site] } as const;
      const { state } = await ablateEach({ ...inputs, grid });
      const deltas = (pair: TokenPair, cell: PatchCell) => plainDelta(kind, pair, cell.part!.feature);
      for (const cell of grid.cells) {
        const expected = meanMetric(circuit, task, 'clean', (pair) =>
          adding(reluHook, 0, deltas(pair, cell)),
        );
        expect(state.values[cell.index]).toBeCloseTo(expected, 4);
      }
      const together = await ablateTogether(inputs, grid.cells.slice(0, 3));
      task.pairs.forEach((pair, i) => {
        const all = grid.cells.slice(0, 3).map((cell) => deltas(pair, cell));
        const sum = all[0]!.map((_, d) => all.reduce((total, delta) => total + delta[d]!, 0));
        expect(together[i]).toBeCloseTo(circuit.metric([...pair.clean], adding(reluHook, 0, sum)), 3);
      });
    },
  );

  /** Activations and reconstruction error of every position, by plain loops. */
  function plainRows(ids: Int32Array): { features: number[]; error: number[] }[] {
    const sae = circuit.tiny.saes.get(reluHook)!;
    const value = valueAt(reluHook, ids);
    return Array.from(ids, (_, position) => {
      const row = value.subarray(position * 12, (position + 1) * 12);
      const features = plainActivations(sae, row);
      const error = Array.from(row, (x, d) =>
        features.reduce((sum, a, f) => sum - a * sae.W_dec[f * 12 + d]!, x - sae.b_dec[d]!),
      );
      return { features, error };
    });
  }

  function plainDelta(kind: AblationKind, pair: TokenPair, feature: number | 'error'): number[] {
    const sae = circuit.tiny.saes.get(reluHook)!;
    const references = task.pairs.flatMap((other) => plainRows(other.corrupted));
    const mean = (of: (row: (typeof references)[number]) => number) =>
      kind.kind === 'zero' ? 0 : meanOf(references.map(of));
    return plainRows(pair.clean).flatMap(({ features, error }) =>
      error.map((now, d) =>
        feature === 'error'
          ? mean((row) => row.error[d]!) - now
          : (mean((row) => row.features[feature]!) - features[feature]!) * sae.W_dec[feature * 12 + d]!,
      ),
    );
  }
});
