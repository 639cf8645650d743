/** A loaded sparse autoencoder: its programs, compiled when first needed, over weights that stay in their file. */

import { malformed } from '../files/fileErrors.ts';
import type { DType } from '../graph/opAttributes.ts';
import { add, cast, exp, mul, sub } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { gather, topK } from '../graph/ops/picking.ts';
import { reduceSum } from '../graph/ops/reduction.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input, parameter } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type FloatValue, floatValue, intValue, type Value } from '../graph/value.ts';
import { decode, effectiveDecoder, encode, type SaeTensors } from './encode.ts';
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
    const kept = Math.min(k, this.config.dSae);
    const session = await this.program('strongest', kept);
    const { values, indices } = await session.run({ x: this.rows(x) });
    const activations = values?.data as Float32Array;
    const found = Int32Array.from(indices?.data as Int32Array);
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

  /** Directions that one unit of each feature writes along: `[feature, d_in]`. */
  async decoderRows(features: readonly number[]): Promise<FloatValue> {
    const session = await this.weightProgram('decoderRows', (weights) =>
      gather(effectiveDecoder(this.config, weights), input('features', 'int32', ['feature']), 0),
    );
    return (await session.run({ features: intValue(features) })).rows as FloatValue;
  }

  /** Directions that features read along: columns of the encoder, as rows `[feature, d_in]`. */
  async encoderRows(features: readonly number[]): Promise<FloatValue> {
    const session = await this.weightProgram('encoderRows', (weights) =>
      gather(weights.W_enc!, input('features', 'int32', ['feature']), 1),
    );
    const columns = (await session.run({ features: intValue(features) })).rows as FloatValue;
    const [dIn, count] = [this.config.dIn, features.length];
    const rows = new Float32Array(dIn * count);
    for (let f = 0; f < count; f++) {
      for (let d = 0; d < dIn; d++) rows[f * dIn + d] = columns.data[d * count + f]!;
    }
    return floatValue(rows, [count, dIn]);
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

  private weightProgram(name: string, build: (weights: SaeTensors) => Tensor): Promise<CompiledProgram> {
    return this.cached(name, () => ({ rows: build(this.tensors()) }));
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

/** Element types that the runtime reads in place. */
const dtypes: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

function storedTensor({ path, stored, dtype, shape, offset, length, transform }: SaeTensor): Tensor {
  const element = dtypes[dtype];
  if (!element) throw malformed(path, `${stored}.dtype`, 'a floating-point type', dtype);
  const tensor = cast(parameter(stored, element, shape, { file: path, offset, length }), 'float32');
  return transform === 'exp' ? exp(tensor) : tensor;
}
