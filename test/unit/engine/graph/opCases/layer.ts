// Cases for the matrix product, softmax and layer normalization.

import * as ops from '../../../../../src/engine/graph/ops/layer.ts';
import { at, from, lane, type Plain, sum } from '../plain.ts';
import { type OpCase, random } from './opCase.ts';

const names = { 2: 'batch', 3: 'position' };

function product(a: Plain, b: Plain, batch: readonly number[]): Plain {
  const [m, inner, n] = [a.dims.at(-2)!, a.dims.at(-1)!, b.dims.at(-1)!];
  return from([...batch, m, n], (index) => {
    const lead = index.slice(0, -2);
    const [row, column] = index.slice(-2);
    return sum(
      Array.from({ length: inner }, (_, k) => at(a, [...lead, row!, k]) * at(b, [...lead, k, column!])),
    );
  });
}

function matMulCase(
  title: string,
  a: readonly number[],
  b: readonly number[],
  batch: readonly number[],
): OpCase {
  return {
    title,
    inputs: [random(a, 1), random(b, 2)],
    names,
    build: ([x, y]) => ops.matMul(x!, y!),
    reference: ([x, y]) => product(x!, y!, batch),
  };
}

function transposedCase(title: string, a: readonly number[], b: readonly number[]): OpCase {
  return {
    title,
    inputs: [random(a, 1), random(b, 2)],
    names,
    build: ([x, y]) => ops.matMulTransposed(x!, y!),
    reference: ([x, y]) => {
      const turned = from([b[1]!, b[0]!], ([k, n]) => at(y!, [n!, k!]));
      return product(x!, turned, a.slice(0, -2));
    },
  };
}

function softmaxOf(x: Plain, axis: number, logarithm: boolean): Plain {
  return from(x.dims, (index) => {
    const total = sum(lane(x, index, axis).map(Math.exp));
    return logarithm ? at(x, index) - Math.log(total) : Math.exp(at(x, index)) / total;
  });
}

function statistics(x: Plain, index: readonly number[]) {
  const row = lane(x, index, x.dims.length - 1);
  const mean = sum(row) / row.length;
  const variance = sum(row.map((value) => (value - mean) ** 2)) / row.length;
  return { mean, inverseStd: 1 / Math.sqrt(variance + 1e-5) };
}

function normalized([x, scale, bias]: readonly Plain[]): Plain {
  return from(x!.dims, (index) => {
    const { mean, inverseStd } = statistics(x!, index);
    return (at(x!, index) - mean) * inverseStd * at(scale!, index) + at(bias!, index);
  });
}

export const layerCases = {
  MatMul: [
    matMulCase('of two matrices', [3, 4], [4, 5], []),
    matMulCase('of a batch and one matrix', [2, 3, 4], [4, 5], [2]),
    matMulCase('of two batches', [2, 6, 3, 4], [2, 6, 4, 5], [2, 6]),
    matMulCase('of batches that broadcast', [2, 1, 3, 4], [6, 4, 5], [2, 6]),
    matMulCase('of one matrix and a batch', [3, 4], [2, 4, 5], [2]),
  ],
  FusedMatMul: [
    transposedCase('of two matrices', [3, 4], [5, 4]),
    transposedCase('of a batch and one matrix', [2, 3, 4], [5, 4]),
    transposedCase('of batches and one matrix', [2, 6, 3, 4], [5, 4]),
  ],
  Softmax: [
    {
      title: 'over the last axis',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.softmax(x!),
      reference: ([x]) => softmaxOf(x!, 2, false),
    },
    {
      title: 'over the middle axis',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.softmax(x!, 1),
      reference: ([x]) => softmaxOf(x!, 1, false),
    },
  ],
  LogSoftmax: [
    {
      title: 'over the last axis',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.logSoftmax(x!),
      reference: ([x]) => softmaxOf(x!, 2, true),
    },
  ],
  LayerNormalization: [
    {
      title: 'of which only the result is used',
      inputs: [random([2, 3, 4], 1), random([4], 2), random([4], 3)],
      names,
      build: ([x, scale, bias]) => ops.layerNormalization(x!, scale!, bias!).y,
      reference: normalized,
    },
    {
      title: 'with its statistics',
      inputs: [random([2, 3, 4], 1), random([4], 2), random([4], 3)],
      names,
      build: ([x, scale, bias]) => {
        const { y, mean, inverseStd } = ops.layerNormalization(x!, scale!, bias!);
        return [y, mean, inverseStd];
      },
      reference: (plain) => [
        normalized(plain),
        from([2, 3, 1], (index) => statistics(plain[0]!, index).mean),
        from([2, 3, 1], (index) => statistics(plain[0]!, index).inverseStd),
      ],
    },
  ],
} as const satisfies Record<string, readonly [OpCase, ...OpCase[]]>;
