/** Sparse autoencoders by plain loops over doubles, written from the formulas of SAELens, and small random ones saved as folders. */
import { floatValue, type Value } from '../../../../src/engine/graph/value.ts';
import { type Random, seededRandom } from '../../../../src/engine/random.ts';
import {
  expectedShape,
  requiredTensors,
  type SaeConfig,
  type SaeFolder,
  type SaeTensorName,
} from '../../../../src/engine/sae/format.ts';
import { openSaeLens, writeSaeLens } from '../../../../src/engine/sae/formats/saelens.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

/** The weights as flat lists, row-major. */
export type PlainWeights = Readonly<Partial<Record<SaeTensorName, ArrayLike<number>>>>;

/** One encoded row: features, and what undoes the normalisation of the input. */
export interface PlainRow {
  readonly features: number[];
  readonly scale: number;
  readonly shift: number;
}

/** A config with everything left out that a test does not speak of. */
export function saeConfig(changes: Partial<SaeConfig> = {}): SaeConfig {
  return {
    architecture: 'standard',
    dIn: 6,
    dSae: 10,
    rescaleByDecoderNorm: false,
    applyBDecToInput: true,
    normalizeActivations: 'none',
    reshapeActivations: 'none',
    finetuningScalingFactor: false,
    dtype: 'float32',
    hookName: 'blocks.1.hook_resid_post',
    metadata: {},
    extra: {},
    ...changes,
  };
}

/** An SAE with random weights, as a folder that was opened, and its weights. */
export async function randomSae(
  config: SaeConfig,
  seed: string,
): Promise<{ readonly folder: SaeFolder; readonly weights: PlainWeights }> {
  const random = seededRandom(seed);
  const names: SaeTensorName[] = [...requiredTensors[config.architecture]];
  if (config.finetuningScalingFactor) names.push('scaling_factor');
  const values: Partial<Record<SaeTensorName, Value>> = {};
  for (const name of names) {
    const dims = expectedShape(name, config);
    values[name] = floatValue(
      randomRow(
        dims.reduce((a, b) => a * b, 1),
        random,
      ),
      dims,
    );
  }
  // Thresholds and factors are positive.
  for (const name of ['threshold', 'scaling_factor'] as const) {
    const value = values[name];
    if (value) values[name] = floatValue((value.data as Float32Array).map((x) => Math.abs(x) + 0.1));
  }
  const path = await temporaryFolder();
  await writeSaeLens(path, config, values);
  const weights = Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data]));
  return { folder: await openSaeLens(path), weights: weights as PlainWeights };
}

/** Normal random numbers. */
export function randomRow(length: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.normal());
}

/** Features of one row. */
export function plainEncode(row: ArrayLike<number>, config: SaeConfig, weights: PlainWeights): PlainRow {
  const { x, scale, shift } = normalized(Array.from(row), config);
  const input = config.applyBDecToInput ? x.map((value, d) => value - weights.b_dec![d]!) : x;
  const products: number[] = [];
  for (let f = 0; f < config.dSae; f++) {
    let product = 0;
    for (let d = 0; d < config.dIn; d++) product += input[d]! * weights.W_enc![d * config.dSae + f]!;
    products.push(product);
  }
  return { features: activated(products, config, weights), scale, shift };
}

/** The reconstruction of one row from its features. */
export function plainDecode(row: PlainRow, config: SaeConfig, weights: PlainWeights): number[] {
  const out: number[] = [];
  for (let d = 0; d < config.dIn; d++) {
    let value = weights.b_dec![d]!;
    for (let f = 0; f < config.dSae; f++) value += row.features[f]! * plainDirection(f, config, weights)[d]!;
    out.push(value * row.scale + row.shift);
  }
  return out;
}

/** What one unit of feature `f` writes. */
export function plainDirection(f: number, config: SaeConfig, weights: PlainWeights): number[] {
  const stored = Array.from({ length: config.dIn }, (_, d) => weights.W_dec![f * config.dIn + d]!);
  const tuned = config.finetuningScalingFactor ? weights.scaling_factor![f]! : 1;
  const norm = config.rescaleByDecoderNorm ? Math.hypot(...stored) : 1;
  return stored.map((value) => (value * tuned) / norm);
}

/** Rows of a flat matrix. */
export function rowsOf(data: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: data.length / width }, (_, row) =>
    Array.from({ length: width }, (_, column) => data[row * width + column]!),
  );
}

/** The largest difference of two lists of numbers; NaN when any is. */
export function largestGap(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.NaN;
  let gap = 0;
  for (let i = 0; i < found.length; i++) gap = Math.max(gap, Math.abs(found[i]! - expected[i]!));
  return gap;
}

function activated(products: readonly number[], config: SaeConfig, weights: PlainWeights): number[] {
  if (config.architecture === 'gated') {
    return products.map((product, f) => {
      const magnitude = product * Math.exp(weights.r_mag![f]!) + weights.b_mag![f]!;
      return product + weights.b_gate![f]! > 0 && magnitude > 0 ? magnitude : 0;
    });
  }
  const pre = products.map((product, f) => product + weights.b_enc![f]!);
  if (config.architecture === 'jumprelu')
    return pre.map((p, f) => (p > weights.threshold![f]! && p > 0 ? p : 0));
  if (config.architecture === 'standard') return pre.map((p) => Math.max(p, 0));
  const ranked = config.rescaleByDecoderNorm
    ? pre.map(
        (p, f) =>
          p *
          Math.hypot(...Array.from({ length: config.dIn }, (_, d) => weights.W_dec![f * config.dIn + d]!)),
      )
    : pre;
  const bound = [...ranked].sort((a, b) => b - a)[config.k! - 1]!;
  return ranked.map((p) => (p >= bound && p > 0 ? p : 0));
}

function normalized(row: number[], config: SaeConfig): { x: number[]; scale: number; shift: number } {
  if (config.normalizeActivations === 'constant_norm_rescale') {
    const scale = Math.hypot(...row) / Math.sqrt(row.length);
    return { x: row.map((value) => value / scale), scale, shift: 0 };
  }
  if (config.normalizeActivations === 'layer_norm') {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const squares = row.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = Math.sqrt(squares / (row.length - 1));
    return { x: row.map((value) => (value - mean) / (deviation + 1e-5)), scale: deviation, shift: mean };
  }
  return { x: row, scale: 1, shift: 0 };
}
