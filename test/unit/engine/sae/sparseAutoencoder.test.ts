/** Every kind of SAE against plain loops: features, reconstructions, the change that edits make, and directions. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../../src/engine/files/safetensors.ts';
import { floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import { seededRandom } from '../../../../src/engine/random.ts';
import type { SaeConfig, SaeFolder } from '../../../../src/engine/sae/format.ts';
import { openSaeLens } from '../../../../src/engine/sae/formats/saelens.ts';
import { type FeatureChange, SparseAutoencoder } from '../../../../src/engine/sae/sparseAutoencoder.ts';
import {
  largestGap,
  plainDecode,
  plainDirection,
  plainEncode,
  randomRow,
  randomSae,
  rowsOf,
  saeConfig,
} from './plainSae.ts';

const kinds: readonly (readonly [string, Partial<SaeConfig>])[] = [
  ['standard', {}],
  ['standard without b_dec at the input', { applyBDecToInput: false }],
  ['standard with layer norm', { normalizeActivations: 'layer_norm' }],
  ['standard with constant norm', { normalizeActivations: 'constant_norm_rescale' }],
  ['standard with a scaling factor', { finetuningScalingFactor: true }],
  ['topk', { architecture: 'topk', k: 3 }],
  ['topk of every feature', { architecture: 'topk', k: 10 }],
  ['topk ranked by decoder norm', { architecture: 'topk', k: 3, rescaleByDecoderNorm: true }],
  ['jumprelu', { architecture: 'jumprelu' }],
  [
    'jumprelu with a scaling factor and layer norm',
    {
      architecture: 'jumprelu',
      finetuningScalingFactor: true,
      normalizeActivations: 'layer_norm',
    },
  ],
  [
    'topk ranked by decoder norm with constant norm',
    {
      architecture: 'topk',
      k: 3,
      rescaleByDecoderNorm: true,
      normalizeActivations: 'constant_norm_rescale',
    },
  ],
  ['gated', { architecture: 'gated' }],
  ['gated with layer norm', { architecture: 'gated', normalizeActivations: 'layer_norm' }],
  ['gated with a scaling factor', { architecture: 'gated', finetuningScalingFactor: true }],
];

const rows = 7;

function opened(folder: SaeFolder): SparseAutoencoder {
  const sae = new SparseAutoencoder(folder);
  onTestFinished(() => sae.release());
  return sae;
}

async function example(changes: Partial<SaeConfig>, seed: string) {
  const config = saeConfig(changes);
  const { folder, weights } = await randomSae(config, seed);
  const x = floatValue(randomRow(rows * config.dIn, seededRandom(`${seed}/x`)), [rows, config.dIn]);
  const encoded = rowsOf(x.data, config.dIn).map((row) => plainEncode(row, config, weights));
  return { config, weights, x, encoded, sae: opened(folder) };
}

describe.each(kinds)('an SAE that is %s', (name, changes) => {
  it('encodes and reconstructs as plain loops do', async () => {
    const { config, weights, x, encoded, sae } = await example(changes, name);
    const features = encoded.flatMap((row) => row.features);
    expect(features.filter((f) => f > 0).length).toBeGreaterThan(rows);
    const activations = await sae.activations(x);
    expect(activations.dims).toEqual([rows, config.dSae]);
    expect(largestGap(activations.data, features)).toBeLessThan(1e-4);
    const expected = encoded.map((row) => plainDecode(row, config, weights));
    const reconstruction = await sae.reconstruct(x);
    expect(reconstruction.dims).toEqual([rows, config.dIn]);
    expect(largestGap(reconstruction.data, expected.flat())).toBeLessThan(1e-4);
    const quality = await sae.quality(x);
    const squares = rowsOf(x.data, config.dIn).map((row, r) =>
      row.reduce((sum, value, d) => sum + (value - expected[r]![d]!) ** 2, 0),
    );
    for (const [r, square] of squares.entries()) expect(quality.squares[r]! / square).toBeCloseTo(1, 4);
    expect(largestGap(quality.activations, features)).toBeLessThan(1e-4);
  });

  it('changes features and nothing else when told to, the error kept', async () => {
    const { config, weights, x, encoded, sae } = await example(changes, name);
    const told: FeatureChange[] = [
      { feature: 7, factor: 0, offset: 0 },
      { feature: 2, factor: -1.5, offset: 0.25 },
      { feature: 0, factor: 1, offset: 3 },
    ];
    const expected = encoded.flatMap((row) => {
      const features = [...row.features];
      for (const { feature, factor, offset } of told)
        features[feature] = features[feature]! * factor + offset;
      const [before, after] = [row, { ...row, features }].map((each) => plainDecode(each, config, weights));
      return after!.map((value, d) => value - before![d]!);
    });
    const change = await sae.change(x, told);
    expect(change.dims).toEqual([rows, config.dIn]);
    expect(largestGap(change.data, expected)).toBeLessThan(1e-4);
  });

  it('tells what a change of all features at once writes', async () => {
    const { config, weights, x, encoded, sae } = await example(changes, name);
    const delta = randomRow(rows * config.dSae, seededRandom(`${name}/delta`));
    const expected = encoded.flatMap((row, r) => {
      const features = row.features.map((value, f) => value + delta[r * config.dSae + f]!);
      const [before, after] = [row, { ...row, features }].map((each) => plainDecode(each, config, weights));
      return after!.map((value, d) => value - before![d]!);
    });
    const written = await sae.written(x, delta);
    expect(written.dims).toEqual([rows, config.dIn]);
    expect(largestGap(written.data, expected)).toBeLessThan(1e-4);
  });

  it('leads a gradient at the reconstruction back as finite differences say', async () => {
    const { config, weights, x, sae } = await example(changes, name);
    const gradient = randomRow(rows * config.dIn, seededRandom(`${name}/gradient`));
    const small = 1e-6;
    const expected = rowsOf(x.data, config.dIn).flatMap((row, r) => {
      const along = (d: number, by: number) =>
        plainDecode(plainEncode(row.with(d, row[d]! + by), config, weights), config, weights).reduce(
          (sum, value, i) => sum + value * gradient[r * config.dIn + i]!,
          0,
        );
      return row.map((_, d) => (along(d, small) - along(d, -small)) / (2 * small));
    });
    const found = await sae.pulledBack(x, floatValue(gradient, [rows, config.dIn]));
    expect(largestGap(found.data, expected)).toBeLessThan(1e-3 * Math.max(1, ...expected.map(Math.abs)));
  });

  it('gives the strongest and the chosen features and the directions they write along', async () => {
    const { config, weights, x, encoded, sae } = await example(changes, name);
    const k = 4;
    const strongest = await sae.strongest(x, k);
    encoded.forEach(({ features }, row) => {
      const ranked = features.map((value, f) => ({ value, f })).filter(({ value }) => value > 0);
      ranked.sort((a, b) => b.value - a.value);
      const expected = Array.from({ length: k }, (_, i) => ranked[i]?.f ?? -1);
      expect([...strongest.indices.subarray(row * k, row * k + k)]).toEqual(expected);
    });
    const features = [9, 0, 9, 4];
    const chosen = await sae.chosen(x, features);
    expect(chosen.dims).toEqual([rows, 4]);
    expect(
      largestGap(
        chosen.data,
        encoded.flatMap((row) => features.map((f) => row.features[f]!)),
      ),
    ).toBeLessThan(1e-4);
    const written = await sae.decoderRows(features);
    expect(written.dims).toEqual([4, config.dIn]);
    expect(
      largestGap(
        written.data,
        features.flatMap((f) => plainDirection(f, config, weights)),
      ),
    ).toBeLessThan(1e-5);
    const scales = await sae.writeScales(x);
    expect(
      largestGap(
        scales,
        encoded.map(({ scale }) => scale),
      ),
    ).toBeLessThan(1e-5);
    expect(sae.normalizes).toBe(encoded.some(({ scale }) => scale !== 1));
  });

  it('reads each row as finite differences of the activation say', async () => {
    const { config, weights, x, encoded, sae } = await example(changes, name);
    const all = encoded.flatMap(({ features }, row) =>
      features.map((value, feature) => ({ row, feature, value })),
    );
    const active = all.filter(({ value }) => value > 0);
    const pairs = [...active, all.find(({ value }) => value === 0)].filter((pair) => pair !== undefined);
    const small = 1e-6;
    const expected = pairs.flatMap(({ row, feature }) => {
      const values = Array.from(x.data.subarray(row * config.dIn, (row + 1) * config.dIn));
      const moved = (d: number, by: number) =>
        plainEncode(values.with(d, values[d]! + by), config, weights).features[feature]!;
      return values.map((_, d) => (moved(d, small) - moved(d, -small)) / (2 * small));
    });
    const read = await sae.readings(x, pairs);
    expect(read.dims).toEqual([pairs.length, config.dIn]);
    expect(largestGap(read.data, expected)).toBeLessThan(1e-3);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.5);
  });
});

describe('a SparseAutoencoder', () => {
  it('reads the heads of hook_z side by side', async () => {
    const { x, sae } = await example(
      { reshapeActivations: 'hook_z', hookName: 'blocks.0.attn.hook_z' },
      'heads',
    );
    const heads: Value = { ...x, dims: [1, rows, 2, 3] };
    expect((await sae.activations(heads)).data).toEqual((await sae.activations(x)).data);
  });

  it('keeps no more features than it has, and marks inactive ones', async () => {
    const { sae, config } = await example({}, 'few');
    const silent = floatValue(new Float32Array(config.dIn), [1, config.dIn]);
    const { k, indices, activations } = await sae.strongest(silent, 99);
    expect([k, indices.length, activations.length]).toEqual([10, 10, 10]);
    expect([...indices].map((index) => index >= 0)).toEqual(
      [...activations].map((activation) => activation > 0),
    );
    expect(indices.some((index) => index === -1)).toBe(true);
  });

  it('changes nothing when no feature is changed', async () => {
    const { x, sae, config } = await example({}, 'nothing');
    expect((await sae.change(x, [])).data).toEqual(new Float32Array(rows * config.dIn));
  });

  it('refuses a value that is no rows of its width', async () => {
    const { sae } = await example({}, 'refuses');
    await expect(sae.activations(floatValue(new Float32Array(8), [1, 8]))).rejects.toThrow(
      '[1, 8] has no rows of 6',
    );
  });

  it('works again after its memory was released', async () => {
    const { x, sae } = await example({}, 'again');
    const before = await sae.activations(x);
    await sae.release();
    expect((await sae.activations(x)).data).toEqual(before.data);
  });

  it('runs weights that are stored as bfloat16 and thresholds stored as logarithms', async () => {
    const config = saeConfig({ architecture: 'jumprelu' });
    const { folder, weights } = await randomSae(config, 'stored');
    const file = await openSafetensors(join(folder.path, 'sae_weights.safetensors'));
    const rounded: Record<string, Float32Array> = {};
    const stored: Record<string, Value> = {};
    for (const [name, { shape }] of file.tensors) {
      const logs = Float32Array.from(weights.threshold!, Math.log);
      const data = name === 'threshold' ? logs : await file.readFloat32(name);
      // The upper half of a float32 is the bfloat16 of that number, rounded towards zero.
      const bits = Uint16Array.from(new Uint32Array(data.slice().buffer), (word) => word >>> 16);
      rounded[name] = new Float32Array(Uint32Array.from(bits, (word) => word << 16).buffer);
      const key = name === 'threshold' ? 'log_threshold' : name;
      stored[key] = { dtype: 'bfloat16', dims: shape, data: bits };
    }
    await writeSafetensors(file.path, stored);
    const plain = { ...rounded, threshold: rounded.threshold!.map(Math.exp) };
    const x = floatValue(randomRow(rows * config.dIn, seededRandom('stored/x')), [rows, config.dIn]);
    const expected = rowsOf(x.data, config.dIn).flatMap((row) => plainEncode(row, config, plain).features);
    const found = await opened(await openSaeLens(folder.path)).activations(x);
    expect(largestGap(found.data, expected)).toBeLessThan(1e-4);
  });
});
