/** A loaded sparse autoencoder: its programs, compiled when first needed, over weights that stay in their file. */

import { gradients } from '../graph/backward.ts';
import { add, cast, mul, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { gather, oneHot, topK } from '../graph/ops/picking.ts';
import { reduceSum } from '../graph/ops/reduction.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type FloatValue, floatValue, intValue, type Value } from '../graph/value.ts';
import { decode, decoderRowsOf, encode, restoreOf, skipOf, written } from './encode.ts';
import { outputWidth, type SaeConfig, type SaeFolder } from './format.ts';
import { graphWeights, loadFeeds, type SaeTensors } from './tensors.ts';

/** The strongest features of each row. */
export interface StrongestFeatures {
  readonly k: number;
  /** `[row, k]`, strongest first; −1 where fewer than k are active. */
  readonly indices: Int32Array;
  /** `[row, k]`. */
  readonly activations: Float32Array;
}

/** A change of one feature: its activation f becomes `f · factor + offset`. */
export interface FeatureChange {
  readonly feature: number;
  readonly factor: number;
  readonly offset: number;
}

/** A feature at one row. */
export interface FeatureAtRow {
  readonly row: number;
  readonly feature: number;
}

/** What a program computes with: the SAE, and which rows show features when the first position shows none. */
interface Coder {
  readonly config: SaeConfig;
  readonly weights: SaeTensors;
  readonly shown?: Tensor;
}

const encoded = (x: Tensor, { config, weights, shown }: Coder) => encode(x, config, weights, shown);

const programs = {
  /** features: the strongest of each row. */
  strongest: (x: Tensor, coder: Coder, k: number) => {
    const { values, indices } = topK(encoded(x, coder).activations, k);
    return { values, indices: cast(indices, 'int32') };
  },
  activations: (x: Tensor, coder: Coder) => ({ activations: encoded(x, coder).activations }),
  chosen: (x: Tensor, coder: Coder) => ({
    activations: gather(encoded(x, coder).activations, input('features', 'int32', ['feature']), 1),
  }),
  reconstruction: (x: Tensor, coder: Coder) => ({
    reconstruction: decode(encoded(x, coder), coder.config, coder.weights),
  }),
  coded: (x: Tensor, coder: Coder) => {
    const found = encoded(x, coder);
    return { activations: found.activations, reconstruction: decode(found, coder.config, coder.weights) };
  },
  /** The change of the output when features change: Δf · W_dec, through the output normalisation. */
  change: (x: Tensor, coder: Coder) => {
    const features = input('features', 'int32', ['feature']);
    const { activations, restore } = encoded(x, coder);
    const before = gather(activations, features, 1);
    const after = add(
      mul(before, input('factor', 'float32', ['feature'])),
      input('offset', 'float32', ['feature']),
    );
    const delta = coder.shown ? mul(sub(after, before), coder.shown) : sub(after, before);
    const plain = matMul(delta, decoderRowsOf(features, coder.config, coder.weights));
    return { change: restore.scale ? mul(plain, restore.scale) : plain };
  },
  /** What a change of all activations changes in the output. */
  written: (x: Tensor, { config, weights }: Coder) => ({
    written: written(input('delta', 'float32', ['row', config.dSae]), x, config, weights),
  }),
  /** A gradient at the reconstruction, led back to the input. */
  pulledBack: (x: Tensor, coder: Coder) => {
    const reconstruction = decode(encoded(x, coder), coder.config, coder.weights);
    const gradient = input('gradient', 'float32', ['row', outputWidth(coder.config)]);
    return { pulledBack: gradients([{ tensor: reconstruction, gradient }], [x])[0]! };
  },
  /** By how much each row's output is stretched, by an SAE that normalises: `[row, 1]`. */
  writeScales: (x: Tensor, { config }: Coder) => ({ scales: restoreOf(x, config).scale! }),
  /** The encoder's gradient, one row for each pair. */
  readings: (x: Tensor, { config, weights }: Coder) => {
    const rows = gather(x, input('rows', 'int32', ['pair']), 0);
    const { activations } = encode(rows, config, weights);
    const gradient = oneHot(input('features', 'int32', ['pair']), config.dSae);
    return { readings: gradients([{ tensor: activations, gradient }], [rows])[0]! };
  },
  /** Quality of reconstruction, summed over rows: residual and total squares, active features. */
  quality: (x: Tensor, coder: Coder) => {
    const found = encoded(x, coder);
    const error = sub(
      input('y', 'float32', ['row', outputWidth(coder.config)]),
      decode(found, coder.config, coder.weights),
    );
    return { squares: reduceSum(mul(error, error), [1]), activations: found.activations };
  },
} as const;

type ProgramName = keyof typeof programs;

/** The input of programs that leaves out the first position. */
const shownInput = 'shown';

/** A compiled program, and numbers of weights that cannot be mapped: fed to each run. */
interface ReadyProgram {
  readonly session: CompiledProgram;
  readonly weights: Readonly<Record<string, Value>>;
}

/**
 * A sparse autoencoder on one hook, or a transcoder from one hook to others. Rows are positions; a `hook_z` value
 * counts its heads side by side. Where the first position shows no features, it is told from values
 * `[batch, position, …]`; values `[row, d_in]` have no positions. `firstPosition` says at which position they start.
 */
export class SparseAutoencoder {
  readonly config: SaeConfig;
  /** Numbers in a row of the output. */
  readonly dOut: number;
  private readonly compiled = new Map<string, Promise<ReadyProgram>>();
  private feeds: ReturnType<typeof loadFeeds> | undefined;

  constructor(
    readonly folder: SaeFolder,
    private readonly threads?: number,
  ) {
    this.config = folder.config;
    this.dOut = outputWidth(folder.config);
  }

  /** The `k` strongest features of each row of `x`. */
  async strongest(x: Value, k: number, { firstPosition = 0 } = {}): Promise<StrongestFeatures> {
    const { dSae } = this.config;
    const kept = Math.min(k, dSae);
    // Programs for powers of two serve all k, so that few are compiled whatever is asked.
    const width = Math.min(2 ** Math.ceil(Math.log2(kept)), dSae);
    const ready = await this.program('strongest', width);
    const { values, indices } = await run(ready, this.rowFeeds(x, firstPosition));
    const activations = Float32Array.from(firstColumns(values?.data as Float32Array, width, kept));
    const found = Int32Array.from(firstColumns(indices?.data as Int32Array, width, kept));
    for (let i = 0; i < found.length; i++) if (!(activations[i]! > 0)) found[i] = -1;
    return { k: kept, indices: found, activations };
  }

  /** All activations: `[row, d_sae]`. */
  async activations(x: Value): Promise<FloatValue> {
    const ready = await this.program('activations');
    return (await run(ready, this.rowFeeds(x))).activations as FloatValue;
  }

  /** Activations of chosen features: `[row, feature]`. */
  async chosen(x: Value, features: readonly number[]): Promise<FloatValue> {
    const ready = await this.program('chosen');
    const feeds = { ...this.rowFeeds(x), features: intValue(features) };
    return (await run(ready, feeds)).activations as FloatValue;
  }

  /** The reconstruction of `x`, or of what a transcoder imitates: `[row, d_out]`. */
  async reconstruct(x: Value): Promise<FloatValue> {
    const ready = await this.program('reconstruction');
    return (await run(ready, this.rowFeeds(x))).reconstruction as FloatValue;
  }

  /** All activations `[row, d_sae]` and the reconstruction `[row, d_out]`, encoded once for both. */
  async coded(x: Value): Promise<{ activations: FloatValue; reconstruction: FloatValue }> {
    const ready = await this.program('coded');
    const { activations, reconstruction } = await run(ready, this.rowFeeds(x));
    return { activations: activations as FloatValue, reconstruction: reconstruction as FloatValue };
  }

  /**
   * What to add to the output hook so that features of `x` change as told while the SAE's error stays as it is:
   * `Δf · W_dec` (Templeton et al. 2024). `[row, d_out]`.
   */
  async change(x: Value, changes: readonly FeatureChange[]): Promise<FloatValue> {
    const ready = await this.program('change');
    const feeds = {
      ...this.rowFeeds(x),
      features: intValue(changes.map((change) => change.feature)),
      factor: floatValue(changes.map((change) => change.factor)),
      offset: floatValue(changes.map((change) => change.offset)),
    };
    return (await run(ready, feeds)).change as FloatValue;
  }

  /**
   * Squared error of each row, and all activations `[row, d_sae]`. `y` `[row, d_out]` is what the output imitates:
   * `x` itself unless this is a transcoder.
   */
  async quality(x: Value, y: Value = x): Promise<{ squares: Float32Array; activations: Float32Array }> {
    const ready = await this.program('quality');
    const feeds = { ...this.rowFeeds(x), y: rowsOf(y, this.dOut) };
    const { squares, activations } = await run(ready, feeds);
    return { squares: squares?.data as Float32Array, activations: activations?.data as Float32Array };
  }

  /**
   * What to add to the output hook when all activations on `x` change by `delta` `[row, d_sae]` while the SAE's error
   * stays: `delta · W_dec`, with the row's own scale where the SAE normalises. `[row, d_out]`.
   */
  async written(x: Value, delta: Float32Array): Promise<FloatValue> {
    const ready = await this.program('written');
    const rows = rowsOf(x, this.config.dIn);
    const feeds = { x: rows, delta: floatValue(delta, [rows.dims[0]!, this.config.dSae]) };
    return (await run(ready, feeds)).written as FloatValue;
  }

  /** The gradient of `Σ gradient · x̂(x)` with respect to `x`, through encoder and decoder: `[row, d_in]`. */
  async pulledBack(x: Value, gradient: Value): Promise<FloatValue> {
    const ready = await this.program('pulledBack');
    const feeds = { ...this.rowFeeds(x), gradient: rowsOf(gradient, this.dOut) };
    return (await run(ready, feeds)).pulledBack as FloatValue;
  }

  /** True when the input's scale is taken out and put back: what a unit of a feature writes then depends on the row. */
  get normalizes(): boolean {
    const { normalizeActivations } = this.config;
    return normalizeActivations === 'layer_norm' || normalizeActivations === 'constant_norm_rescale';
  }

  /** True when the first position shows no features. */
  get masksFirst(): boolean {
    return this.config.maskFirst === true;
  }

  /** What one unit of a feature adds at each row of `x` is the row's scale times the decoder row: `[row]`. */
  async writeScales(x: Value): Promise<Float32Array> {
    const rows = rowsOf(x, this.config.dIn);
    if (!this.normalizes) return new Float32Array(rows.dims[0]!).fill(1);
    const ready = await this.program('writeScales');
    return Float32Array.from((await run(ready, { x: rows })).scales?.data as Float32Array);
  }

  /**
   * How features read `x` `[row, d_in]`: the gradient of each pair's activation with respect to its row,
   * `[pair, d_in]`. It passes gates, decoder norms and the input's normalisation; inactive features give zeros.
   */
  async readings(x: Value, pairs: readonly FeatureAtRow[]): Promise<FloatValue> {
    const ready = await this.program('readings');
    const feeds = {
      x: rowsOf(x, this.config.dIn),
      rows: intValue(pairs.map(({ row }) => row)),
      features: intValue(pairs.map(({ feature }) => feature)),
    };
    return (await run(ready, feeds)).readings as FloatValue;
  }

  /** The gradient `[row, d_in]` that reaches the input through the skip connection alone from `gradient` `[row, d_out]`. */
  async skipGradient(gradient: FloatValue): Promise<FloatValue> {
    const ready = await this.cached('skipGradient', (weights) => {
      const x = input('x', 'float32', ['row', this.config.dIn]);
      const arriving = input('gradient', 'float32', ['row', this.dOut]);
      const tensor = skipOf(x, this.config, weights);
      return { skipped: gradients([{ tensor, gradient: arriving }], [x])[0]! };
    });
    // The skip connection is linear: its gradient is the same for any input.
    const rows = gradient.dims[0]!;
    const x = floatValue(new Float32Array(rows * this.config.dIn), [rows, this.config.dIn]);
    return (await run(ready, { x, gradient })).skipped as FloatValue;
  }

  /** Directions that features write along, before the output normalisation (see `writeScales`): `[feature, d_out]`. */
  async decoderRows(features: readonly number[]): Promise<FloatValue> {
    const ready = await this.cached('decoderRows', (weights) => ({
      rows: decoderRowsOf(input('features', 'int32', ['feature']), this.config, weights),
    }));
    return (await run(ready, { features: intValue(features) })).rows as FloatValue;
  }

  /** Frees the native memory. The object can be used again: programs compile anew. */
  async release(): Promise<void> {
    const programs = [...this.compiled.values()];
    this.compiled.clear();
    this.feeds = undefined;
    for (const ready of programs) await (await ready).session.release();
  }

  private program(name: ProgramName, k = 0): Promise<ReadyProgram> {
    return this.cached(`${name}.${k}`, (weights) => {
      const { config } = this;
      const shown = config.maskFirst ? input(shownInput, 'float32', ['row', 1]) : undefined;
      return programs[name](input('x', 'float32', ['row', config.dIn]), { config, weights, shown }, k);
    });
  }

  private cached(
    key: string,
    build: (weights: SaeTensors) => Readonly<Record<string, Tensor>>,
  ): Promise<ReadyProgram> {
    let ready = this.compiled.get(key);
    if (!ready) {
      ready = this.compile(build);
      this.compiled.set(key, ready);
      ready.catch(() => this.compiled.delete(key));
    }
    return ready;
  }

  private async compile(
    build: (weights: SaeTensors) => Readonly<Record<string, Tensor>>,
  ): Promise<ReadyProgram> {
    const { tensors } = this.folder;
    this.feeds ??= loadFeeds(tensors);
    const loaded = await this.feeds.catch((error) => {
      this.feeds = undefined;
      throw error;
    });
    // Weights laid out anew would double the memory of the largest matrices for little speed at few rows.
    const session = await compile(program(build(graphWeights(tensors))), {
      threads: this.threads,
      prepacking: false,
    });
    const needed = Object.entries(loaded).filter(([name]) => session.inputNames.includes(name));
    return { session, weights: Object.fromEntries(needed) };
  }

  private rowFeeds(x: Value, firstPosition = 0): Record<string, Value> {
    const rows = rowsOf(x, this.config.dIn);
    if (!this.config.maskFirst) return { x: rows };
    const shown = new Float32Array(rows.dims[0]!).fill(1);
    if (x.dims.length > 2 && firstPosition === 0) {
      for (let row = 0; row < shown.length; row += x.dims[1]!) shown[row] = 0;
    }
    return { x: rows, [shownInput]: floatValue(shown, [shown.length, 1]) };
  }
}

/** Runs a program on the feeds it has inputs for. */
function run({ session, weights }: ReadyProgram, feeds: Readonly<Record<string, Value>>) {
  return session.run({ ...feeds, ...weights });
}

/** Any `[…, width]` or `[…, head, d_head]` value as rows of `width`. */
function rowsOf(x: Value, width: number): FloatValue {
  if (!(x.data instanceof Float32Array) || x.data.length % width !== 0) {
    throw new Error(`A value of dimensions [${x.dims.join(', ')}] has no rows of ${width}.`);
  }
  return floatValue(x.data, [x.data.length / width, width]);
}

/** The first `kept` numbers of each row of `[row, width]`. */
function firstColumns<A extends Float32Array | Int32Array>(data: A, width: number, kept: number): A {
  return width === kept ? data : (data.filter((_, i) => i % width < kept) as A);
}
