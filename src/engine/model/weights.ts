/** A model's weights as tensors of programs: they stay in their files, and shapes are checked against the config. */
import { EngineError } from '../../shared/errors.ts';
import { malformed } from '../files/fileErrors.ts';
import type { LocatedTensor, WeightFiles } from '../files/safetensorsFolder.ts';
import type { DType } from '../graph/opAttributes.ts';
import { add, cast } from '../graph/ops/elementwise.ts';
import { gather } from '../graph/ops/picking.ts';
import { constant, parameter } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';

const floatDtypes: Readonly<Record<string, DType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The weights of one model, in one file or in several. Weights stored in 16 bits come out widened to float32. */
export class ModelWeights {
  readonly #source: WeightFiles;
  readonly #precision: string | undefined;
  readonly #used = new Map<string, Tensor>();

  /** `precision` says how most numbers were stored where the files were converted. */
  constructor(source: WeightFiles, precision?: string) {
    this.#source = source;
    this.#precision = precision;
  }

  /** For messages: real path of the file, or of the index of several ones. */
  get path(): string {
    return this.#source.path;
  }

  has(name: string): boolean {
    return this.#source.tensors.has(name);
  }

  /**
   * The weight `name` as a float32 tensor of `shape`.
   * @throws model.missingWeight, model.wrongShape, file.malformed when it holds no floating-point numbers.
   */
  tensor(name: string, shape: readonly number[]): Tensor {
    const known = this.#used.get(name);
    if (known) return known;
    const stored = this.#source.tensors.get(name);
    if (!stored) throw new EngineError('model.missingWeight', { path: this.path, tensor: name });
    const weight = putRight(cast(this.#stored(name, stored, shape), 'float32'), stored);
    this.#used.set(name, weight);
    return weight;
  }

  #stored(name: string, stored: LocatedTensor, shape: readonly number[]): Tensor {
    const { file, offset, length, stamp } = stored;
    if (stored.shape.length !== shape.length || stored.shape.some((dim, axis) => dim !== shape[axis])) {
      const expected = `[${shape.join(', ')}]`;
      const found = `[${stored.shape.join(', ')}]`;
      throw new EngineError('model.wrongShape', { path: file, tensor: name, expected, found });
    }
    const dtype = floatDtypes[stored.dtype];
    if (!dtype) throw malformed(file, `${name}.dtype`, 'F32, F16 or BF16', stored.dtype);
    return parameter(name, dtype, shape, { file, offset, length, stamp });
  }

  /** How many numbers the weights handed out so far hold. */
  get parameters(): number {
    return sum([...this.#used.keys()].map((name) => elements(this.#source.tensors.get(name)!)));
  }

  /** Bytes that all floating-point tensors of the files take once they are float32, used or not. */
  get float32Bytes(): number {
    const floats = [...this.#source.tensors.values()].filter(({ dtype }) =>
      Object.hasOwn(floatDtypes, dtype),
    );
    return 4 * sum(floats.map(elements));
  }

  /** As many of these bytes as belong to weights stored in 16 bits: every program holds a float32 copy of its own of them. */
  get widenedBytes(): number {
    const halves = [...this.#source.tensors.values()].filter(
      ({ dtype }) => dtype === 'F16' || dtype === 'BF16',
    );
    return 4 * sum(halves.map(elements));
  }

  /** How the largest of all weights is stored, for people: `float32`. */
  get storedPrecision(): string {
    const floats = [...this.#source.tensors.values()].filter(({ dtype }) =>
      Object.hasOwn(floatDtypes, dtype),
    );
    const largest = floats.sort((a, b) => elements(b) - elements(a))[0];
    return (largest && floatDtypes[largest.dtype]) ?? 'unknown';
  }

  /** How the largest of the weights handed out so far is stored, for people: `float32`. */
  get precision(): string {
    if (this.#precision !== undefined) return this.#precision;
    const stored = [...this.#used.keys()].map((name) => this.#source.tensors.get(name)!);
    const largest = stored.reduce((a, b) => (b.length > a.length ? b : a));
    return floatDtypes[largest.dtype] ?? 'unknown';
  }
}

/** Undoes what the format changed; the runtime does so once, when a program is compiled. */
function putRight(weight: Tensor, { rows, plusOne }: LocatedTensor): Tensor {
  const ordered = rows ? gather(weight, constant(rows, [rows.length])) : weight;
  return plusOne ? add(ordered, -1) : ordered;
}

function elements({ shape }: LocatedTensor): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
