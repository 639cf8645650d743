/**
 * All parameters of a training end to end in one vector: an optimizer step is then a dozen operations,
 * whatever the number of parameters, and a step feeds and fetches three arrays.
 */

import { concat, expand, reshape, split } from '../graph/ops/layout.ts';
import { scalar } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { elementCount, type FloatValue, floatValue } from '../graph/value.ts';

export interface TrainedParameter {
  readonly initial: FloatValue;
  /** Whether weight decay applies. */
  readonly decay: boolean;
}

/** Where each parameter lies in the vector. Those that decay come first. */
export class ParameterVector {
  readonly names: readonly string[];
  readonly size: number;
  private readonly decaying: number;

  constructor(private readonly parameters: Readonly<Record<string, TrainedParameter>>) {
    const names = Object.keys(parameters);
    const decaying = names.filter((name) => parameters[name]!.decay);
    this.names = [...decaying, ...names.filter((name) => !parameters[name]!.decay)];
    this.size = this.count(names);
    this.decaying = this.count(decaying);
  }

  dims(name: string): readonly number[] {
    return this.parameters[name]!.initial.dims;
  }

  /** The initial values `[size]`. */
  initial(): Float32Array {
    const initial = Object.entries(this.parameters).map(([name, { initial }]) => [name, initial] as const);
    return this.pack(Object.fromEntries(initial));
  }

  /** Named values laid into one array `[size]`. */
  pack(values: Readonly<Record<string, FloatValue>>): Float32Array {
    const vector = new Float32Array(this.size);
    let offset = 0;
    for (const name of this.names) {
      vector.set(values[name]!.data, offset);
      offset += values[name]!.data.length;
    }
    return vector;
  }

  /** The named parts of an array `[size]`; they share its memory. */
  unpack(vector: Float32Array): Record<string, FloatValue> {
    let offset = 0;
    const entries = this.names.map((name) => {
      const dims = this.dims(name);
      const start = offset;
      offset += elementCount(dims);
      return [name, floatValue(vector.subarray(start, offset), dims)] as const;
    });
    return Object.fromEntries(entries);
  }

  /** `split` and `join` are the same in the tensor program. */
  split(vector: Tensor): Record<string, Tensor> {
    const pieces = split(
      vector,
      0,
      this.names.map((name) => elementCount(this.dims(name))),
    );
    return Object.fromEntries(this.names.map((name, i) => [name, reshape(pieces[i]!, this.dims(name))]));
  }

  join(tensors: Readonly<Record<string, Tensor>>): Tensor {
    return concat(
      this.names.map((name) => reshape(tensors[name]!, [-1])),
      0,
    );
  }

  /** 1 where weight decay applies, `[size]`. */
  decayMask(): Tensor {
    const pieces = [
      [1, this.decaying],
      [0, this.size - this.decaying],
    ] as const;
    return concat(
      pieces.filter(([, count]) => count > 0).map(([value, count]) => expand(scalar(value), [count])),
      0,
    );
  }

  private count(names: readonly string[]): number {
    return names.reduce((sum, name) => sum + elementCount(this.dims(name)), 0);
  }
}
