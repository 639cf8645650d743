// What the test of one op is made of.

import type { DType } from '../../../../../src/engine/graph/opAttributes.ts';
import type { Tensor } from '../../../../../src/engine/graph/tensor.ts';
import { seededRandom } from '../../../../../src/engine/random.ts';
import { from, type Plain } from '../plain.ts';

export interface OpInput extends Plain {
  readonly dtype: DType;
}

export interface OpCase {
  readonly title: string;
  readonly inputs: readonly OpInput[];
  /** The engine's way. */
  readonly build: (inputs: readonly Tensor[]) => Tensor | readonly Tensor[];
  /** The same by plain loops over doubles. */
  readonly reference: (inputs: readonly Plain[]) => Plain | readonly Plain[];
  /** Names for sizes: the case runs a second time with every dimension of such a size named. */
  readonly names?: Readonly<Record<number, string>>;
  /** The op hides its slope on purpose. */
  readonly stopsGradient?: boolean;
}

/** Random float32 numbers, away from 0 and from each other's whole values so that kinks are not hit. */
export function random(dims: readonly number[], seed = 1, low = -2, high = 2): OpInput {
  const generator = seededRandom(seed);
  const draw = () => Math.fround(low + (high - low) * generator.next());
  return { ...from(dims, draw), dtype: 'float32' };
}

export function integers(dims: readonly number[], data: readonly number[], dtype: DType = 'int32'): OpInput {
  return { dims, data, dtype };
}

export function bools(dims: readonly number[], data: readonly number[]): OpInput {
  return { dims, data, dtype: 'bool' };
}
