/** A model's weights as tensors of programs: they stay in their file, and shapes are checked against the config. */
import { join } from 'node:path';
import { EngineError } from '../../shared/errors.ts';
import { malformed } from '../files/fileErrors.ts';
import { openSafetensors, type Safetensors } from '../files/safetensors.ts';
import type { DType } from '../graph/opAttributes.ts';
import { cast } from '../graph/ops/elementwise.ts';
import { parameter } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';

const floatDtypes: Readonly<Record<string, DType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The weights of one file. Weights stored in 16 bits come out widened to float32. */
export class ModelWeights {
  readonly #file: Safetensors;
  readonly #used = new Map<string, Tensor>();

  constructor(file: Safetensors) {
    this.#file = file;
  }

  /** Real path of the file. */
  get path(): string {
    return this.#file.path;
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /**
   * The weight `name` as a float32 tensor of `shape`.
   * @throws model.missingWeight, model.wrongShape, file.malformed when it holds no floating-point numbers.
   */
  tensor(name: string, shape: readonly number[]): Tensor {
    const known = this.#used.get(name);
    if (known) return known;
    const stored = this.#file.tensors.get(name);
    const { path, stamp } = this.#file;
    if (!stored) throw new EngineError('model.missingWeight', { path, tensor: name });
    if (stored.shape.length !== shape.length || stored.shape.some((dim, axis) => dim !== shape[axis])) {
      const [expected, found] = [shape, stored.shape].map((dims) => `[${dims.join(', ')}]`) as [
        string,
        string,
      ];
      throw new EngineError('model.wrongShape', { path, tensor: name, expected, found });
    }
    const dtype = floatDtypes[stored.dtype];
    if (!dtype) throw malformed(path, `${name}.dtype`, 'F32, F16 or BF16', stored.dtype);
    const { offset, length } = stored;
    const weight = cast(parameter(name, dtype, shape, { file: path, offset, length, stamp }), 'float32');
    this.#used.set(name, weight);
    return weight;
  }

  /** How many numbers the weights handed out so far hold. */
  get parameters(): number {
    let count = 0;
    for (const { shape } of this.#used.values()) {
      count += shape.reduce<number>((product, dim) => product * (dim as number), 1);
    }
    return count;
  }

  /** How the largest of the weights handed out so far is stored, for people: `float32`. */
  get precision(): string {
    const stored = [...this.#used.keys()].map((name) => this.#file.tensors.get(name)!);
    const largest = stored.reduce((a, b) => (b.length > a.length ? b : a));
    return floatDtypes[largest.dtype] ?? 'unknown';
  }
}

/**
 * Opens `model.safetensors` of `folder`; no weight is read yet.
 * @throws file.missing, file.unreadable, file.malformed.
 */
export async function openWeights(folder: string): Promise<ModelWeights> {
  return new ModelWeights(await openSafetensors(join(folder, 'model.safetensors')));
}
