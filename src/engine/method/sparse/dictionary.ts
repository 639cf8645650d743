/** What a site's values are taken apart into: features and errors of an SAE, single coordinates, or nothing at all. */
import { floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { FeatureAtRow, SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';

/** A value `[…, d_in]` in parts; rows are its positions. */
export interface Code {
  /** `[row, feature]`. */
  readonly activations: Float32Array;
  /** What features leave out, `[row, d_in]`; absent where they leave out nothing. */
  readonly errors?: Float32Array;
  /** What a unit of a feature writes at a row, in lengths of its direction: `[row]`. */
  readonly scales: Float32Array;
}

/** Directions that some features write along. */
export interface Directions {
  /** `direction · vector[start …]`. */
  dot(feature: number, vector: Float32Array, start: number): number;
  /** Adds `by · direction` to `target[start …]`. */
  addTo(feature: number, by: number, target: Float32Array, start: number): void;
}

/** Takes values of a site apart and puts them together again: `x = scale · f W + bias + ε`. */
export interface Dictionary {
  /** Features; 0 when all of a value is error. */
  readonly width: number;
  readonly hasError: boolean;
  code(value: Value): Promise<Code>;
  directions(features: readonly number[]): Promise<Directions>;
  /** What a change of all features `[row, feature]` writes at each row of `value`: `[row, d_in]`. */
  write(value: Value, change: Float32Array): Promise<Float32Array>;
  /** The gradient of each pair's activation with respect to its row: `[pair, d_in]`. */
  readings(value: Value, pairs: readonly FeatureAtRow[]): Promise<Float32Array>;
  /** The gradient of `Σ gradient · ε` with respect to the value, through ε = x − x̂(x): `[row, d_in]`. */
  errorReading(value: Value, gradient: Float32Array): Promise<Float32Array>;
}

/** Features and errors of an SAE. */
export function saeDictionary(sae: SparseAutoencoder): Dictionary {
  const { dSae, dIn } = sae.config;
  return {
    width: dSae,
    hasError: true,
    async code(value) {
      const { activations, reconstruction } = await sae.coded(value);
      const errors = floatsOf(value).map((x, i) => x - reconstruction.data[i]!);
      return { activations: activations.data, errors, scales: await sae.writeScales(value) };
    },
    async directions(features) {
      const rows = features.length > 0 ? (await sae.decoderRows(features)).data : new Float32Array(0);
      const places = new Map(features.map((feature, i) => [feature, i * dIn]));
      return {
        dot(feature, vector, start) {
          const row = places.get(feature)!;
          let sum = 0;
          for (let d = 0; d < dIn; d++) sum += rows[row + d]! * vector[start + d]!;
          return sum;
        },
        addTo(feature, by, target, start) {
          const row = places.get(feature)!;
          for (let d = 0; d < dIn; d++) target[start + d]! += by * rows[row + d]!;
        },
      };
    },
    write: async (value, change) => (await sae.written(value, change)).data,
    readings: async (value, pairs) => (await sae.readings(value, pairs)).data,
    async errorReading(value, gradient) {
      const through = (await sae.pulledBack(value, floatValue(gradient, [gradient.length / dIn, dIn]))).data;
      return gradient.map((g, i) => g - through[i]!);
    },
  };
}

/** Every coordinate of a value `[…, d_in]` is a node: the identity dictionary, which leaves no error. */
export function coordinates(dIn: number): Dictionary {
  return {
    width: dIn,
    hasError: false,
    code: async (value) => ({ activations: floatsOf(value), scales: ones(floatsOf(value).length / dIn) }),
    directions: async () => ({
      dot: (feature, vector, start) => vector[start + feature]!,
      addTo(feature, by, target, start) {
        target[start + feature]! += by;
      },
    }),
    write: async (_value, change) => change,
    async readings(_value, pairs) {
      const rows = new Float32Array(pairs.length * dIn);
      pairs.forEach(({ feature }, i) => {
        rows[i * dIn + feature] = 1;
      });
      return rows;
    },
    errorReading: async (_value, gradient) => new Float32Array(gradient.length),
  };
}

/** No features: the error of a site without an SAE is its whole value. */
export function wholeValue(dIn: number): Dictionary {
  const none = async (value: Value) => new Float32Array(floatsOf(value).length);
  return {
    width: 0,
    hasError: true,
    async code(value) {
      const errors = floatsOf(value);
      return { activations: new Float32Array(0), errors, scales: ones(errors.length / dIn) };
    },
    directions: async () => ({ dot: () => 0, addTo: () => undefined }),
    write: none,
    readings: none,
    errorReading: async (_value, gradient) => gradient,
  };
}

function ones(rows: number): Float32Array {
  return new Float32Array(rows).fill(1);
}
