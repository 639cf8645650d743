/** A loaded sparse autoencoder: its programs, compiled when first needed, over weights that stay in their file. */

import { malformed } from '../files/fileErrors.ts';
import { gradients } from '../graph/backward.ts';
import type { DType } from '../graph/opAttributes.ts';
import { add, cast, exp, mul, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { gather, oneHot, topK } from '../graph/ops/picking.ts';
import { reduceSum } from '../graph/ops/reduction.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input, parameter } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type FloatValue, floatValue, intValue, type Value } from '../graph/value.ts';
import { decode, effectiveDecoder, encode, restoreOf, type SaeTensors } from './encode.ts';
import type { SaeConfig, SaeFolder, SaeTensor } from './format.ts';

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

const programs = {
  /** features: the strongest of each row. */
  strongest: (x: Tensor, config: SaeConfig, weights: SaeTensors, k: number) => {
    const { values, indices } = topK(encode(x, config, weights).activations, k);
    return { values, indices: cast(indices, 'int32') };
  },
  activations: (x: Tensor, config: SaeConfig, weights: SaeTensors) => ({
    activations: encode(x, config, weights).activations,
  }),
  chosen: (x: Tensor, config: SaeConfig, weights: SaeTensors) => ({
    activations: gather(encode(x, config, weights).activations, input('features', 'int32', ['feature']), 1),
  }),
  reconstruction: (x: Tensor, config: SaeConfig, weights: SaeTensors) => ({
    reconstruction: decode(encode(x, config, weights), config, weights),
  }),
  /** The change of x when features change: Δf · W_dec, through the output normalisation. */
  change: (x: Tensor, config: SaeConfig, weights: SaeTensors) => {
    const features = input('features', 'int32', ['feature']);
    const encoded = encode(x, config, weights);
    const before = gather(encoded.activations, features, 1);
    const after = add(
      mul(before, input('factor', 'float32', ['feature'])),
      input('offset', 'float32', ['feature']),
    );
    const plain = matMul(sub(after, before), gather(effectiveDecoder(config, weights), features, 0));
    const { scale } = encoded.restore;
    return { change: scale ? mul(plain, scale) : plain };
  },
  /** By how much each row's output is stretched, by an SAE that normalises: `[row, 1]`. */
  writeScales: (x: Tensor, config: SaeConfig) => ({ scales: restoreOf(x, config).scale! }),
  /** The encoder's gradient, one row for each pair. */
  readings: (x: Tensor, config: SaeConfig, weights: SaeTensors) => {
    const rows = gather(x, input('rows', 'int32', ['pair']), 0);
    const { activations } = encode(rows, config, weights);
    const gradient = oneHot(input('features', 'int32', ['pair']), config.dSae);
    return { readings: gradients([{ tensor: activations, gradient }], [rows])[0]! };
  },
  /** Quality of reconstruction, summed over rows: residual and total squares, active features. */
  quality: (x: Tensor, config: SaeConfig, weights: SaeTensors) => {
    const encoded = encode(x, config, weights);
    const error = sub(x, decode(encoded, config, weights));
    return { squares: reduceSum(mul(error, error), [1]), activations: encoded.activations };
  },
} as const;

type ProgramName = keyof typeof programs;

/** A sparse autoencoder on one hook. Rows are positions; a `hook_z` value counts its heads side by side. */
export class SparseAutoencoder {
  readonly config: SaeConfig;
  private readonly compiled = new Map<string, Promise<CompiledProgram>>();

  constructor(
    readonly folder: SaeFolder,
    private readonly threads?: number,
  ) {
    this.config = folder.config;
  }

  /** The `k` strongest features of each row of `x` `[row, d_in]`. */
  async strongest(x: Value, k: number): Promise<StrongestFeatures> {
    const { dSae } = this.config;
    const kept = Math.min(k, dSae);
    // Programs for powers of two serve all k, so that few are compiled whatever is asked.
    const width = Math.min(2 ** Math.ceil(Math.log2(kept)), dSae);
    const session = await this.program('strongest', width);
    const { values, indices } = await session.run({ x: this.rows(x) });
    const activations = Float32Array.from(firstColumns(values?.data as Float32Array, width, kept));
    const found = Int32Array.from(firstColumns(indices?.data as Int32Array, width, kept));
    for (let i = 0; i < found.length; i++) if (!(activations[i]! > 0)) found[i] = -1;
    return { k: kept, indices: found, activations };
  }

  /** All activations: `[row, d_sae]`. */
  async activations(x: Value): Promise<FloatValue> {
    const session = await this.program('activations');
    return (await session.run({ x: this.rows(x) })).activations as FloatValue;
  }

  /** Activations of chosen features: `[row, feature]`. */
  async chosen(x: Value, features: readonly number[]): Promise<FloatValue> {
    const session = await this.program('chosen');
    const feeds = { x: this.rows(x), features: intValue(features) };
    return (await session.run(feeds)).activations as FloatValue;
  }

  /** The reconstruction of `x`: `[row, d_in]`. */
  async reconstruct(x: Value): Promise<FloatValue> {
    const session = await this.program('reconstruction');
    return (await session.run({ x: this.rows(x) })).reconstruction as FloatValue;
  }

  /**
   * What to add to `x` so that its features change as told while the SAE's error stays as it is:
   * `x' = x + Δf · W_dec` (Templeton et al. 2024). `[row, d_in]`.
   */
  async change(x: Value, changes: readonly FeatureChange[]): Promise<FloatValue> {
    const session = await this.program('change');
    const feeds = {
      x: this.rows(x),
      features: intValue(changes.map((change) => change.feature)),
      factor: floatValue(changes.map((change) => change.factor)),
      offset: floatValue(changes.map((change) => change.offset)),
    };
    return (await session.run(feeds)).change as FloatValue;
  }

  /** Squared error of each row, and all activations `[row, d_sae]`. */
  async quality(x: Value): Promise<{ squares: Float32Array; activations: Float32Array }> {
    const session = await this.program('quality');
    const { squares, activations } = await session.run({ x: this.rows(x) });
    return { squares: squares?.data as Float32Array, activations: activations?.data as Float32Array };
  }

  /** True when the input's scale is taken out and put back: what a unit of a feature writes then depends on the row. */
  get normalizes(): boolean {
    const { normalizeActivations } = this.config;
    return normalizeActivations === 'layer_norm' || normalizeActivations === 'constant_norm_rescale';
  }

  /** What one unit of a feature adds at each row of `x` is the row's scale times the decoder row: `[row]`. */
  async writeScales(x: Value): Promise<Float32Array> {
    const rows = this.rows(x);
    if (!this.normalizes) return new Float32Array(rows.dims[0]!).fill(1);
    const session = await this.program('writeScales');
    return Float32Array.from((await session.run({ x: rows })).scales?.data as Float32Array);
  }

  /**
   * How features read `x` `[row, d_in]`: the gradient of each pair's activation with respect to its row,
   * `[pair, d_in]`. It passes gates, decoder norms and the input's normalisation; inactive features give zeros.
   */
  async readings(x: Value, pairs: readonly FeatureAtRow[]): Promise<FloatValue> {
    const session = await this.program('readings');
    const feeds = {
      x: this.rows(x),
      rows: intValue(pairs.map(({ row }) => row)),
      features: intValue(pairs.map(({ feature }) => feature)),
    };
    return (await session.run(feeds)).readings as FloatValue;
  }

  /** Directions that features write along, before the output normalisation (see `writeScales`): `[feature, d_in]`. */
  async decoderRows(features: readonly number[]): Promise<FloatValue> {
    const session = await this.cached('decoderRows', () => ({
      rows: gather(effectiveDecoder(this.config, this.tensors()), input('features', 'int32', ['feature']), 0),
    }));
    return (await session.run({ features: intValue(features) })).rows as FloatValue;
  }

  /** Frees the native memory. The object can be used again: programs compile anew. */
  async release(): Promise<void> {
    const sessions = [...this.compiled.values()];
    this.compiled.clear();
    for (const session of sessions) await (await session).release();
  }

  private program(name: ProgramName, k = 0): Promise<CompiledProgram> {
    return this.cached(`${name}.${k}`, () => {
      const x = input('x', 'float32', ['row', this.config.dIn]);
      return programs[name](x, this.config, this.tensors(), k);
    });
  }

  private cached(key: string, build: () => Readonly<Record<string, Tensor>>): Promise<CompiledProgram> {
    let session = this.compiled.get(key);
    if (!session) {
      // Weights laid out anew would double the memory of the largest matrices for little speed at few rows.
      session = compile(program(build()), { threads: this.threads, prepacking: false });
      this.compiled.set(key, session);
      session.catch(() => this.compiled.delete(key));
    }
    return session;
  }

  private tensors(): SaeTensors {
    const tensors: Record<string, Tensor> = {};
    for (const [name, stored] of this.folder.tensors) tensors[name] = storedTensor(stored);
    return tensors;
  }

  /** Any `[…, d_in]` or `[…, head, d_head]` value as rows of d_in. */
  private rows(x: Value): FloatValue {
    const { dIn } = this.config;
    if (!(x.data instanceof Float32Array) || x.data.length % dIn !== 0) {
      throw new Error(`A value of dimensions [${x.dims.join(', ')}] has no rows of ${dIn}.`);
    }
    return floatValue(x.data, [x.data.length / dIn, dIn]);
  }
}

/** The first `kept` numbers of each row of `[row, width]`. */
function firstColumns<A extends Float32Array | Int32Array>(data: A, width: number, kept: number): A {
  return width === kept ? data : (data.filter((_, i) => i % width < kept) as A);
}

/** Element types that the runtime reads in place. */
const dtypes: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

function storedTensor({ path, stored, dtype, shape, offset, length, stamp, transform }: SaeTensor): Tensor {
  const element = dtypes[dtype];
  if (!element) throw malformed(path, `${stored}.dtype`, 'a floating-point type', dtype);
  const tensor = cast(parameter(stored, element, shape, { file: path, offset, length, stamp }), 'float32');
  return transform === 'exp' ? exp(tensor) : tensor;
}
