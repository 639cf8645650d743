// Cases for sums, means, maxima and running sums.

import * as ops from '../../../../../src/engine/graph/ops/reduction.ts';
import { at, from, indices, lane, type Plain, sum } from '../plain.ts';
import { type OpCase, random } from './opCase.ts';

const names = { 2: 'batch', 3: 'position' };
const mean = (numbers: readonly number[]) => sum(numbers) / numbers.length;
const largest = (numbers: readonly number[]) => Math.max(...numbers);

type Reduce = typeof ops.reduceSum;

/** Cases over one axis, over two, over all, and with the axes kept. */
function reduction(
  reduce: Reduce,
  f: (numbers: readonly number[]) => number,
): readonly [OpCase, ...OpCase[]] {
  const inputs = [random([2, 3, 4])];
  const overFirstTwo =
    ([x]: readonly Plain[]) =>
    (k: number) =>
      f(indices([2, 3]).map(([i, j]) => at(x!, [i!, j!, k])));
  return [
    {
      title: 'over the last axis',
      inputs,
      names,
      build: ([x]) => reduce(x!, [-1]),
      reference: ([x]) => from([2, 3], ([i, j]) => f(lane(x!, [i!, j!, 0], 2))),
    },
    {
      title: 'over two axes, removed',
      inputs,
      names,
      build: ([x]) => reduce(x!, [0, 1]),
      reference: (plain) => from([4], ([k]) => overFirstTwo(plain)(k!)),
    },
    {
      title: 'over two axes, kept',
      inputs,
      names,
      build: ([x]) => reduce(x!, [1, 0], { keepDims: true }),
      reference: (plain) => from([1, 1, 4], ([, , k]) => overFirstTwo(plain)(k!)),
    },
    {
      title: 'over everything',
      inputs,
      names,
      build: ([x]) => reduce(x!),
      reference: ([x]) => ({ dims: [], data: [f(x!.data)] }),
    },
  ];
}

function running(exclusive: boolean, reverse: boolean): OpCase {
  const counts = (own: number, other: number) => {
    if (own === other) return !exclusive;
    return reverse ? other > own : other < own;
  };
  return {
    title: `${exclusive ? 'without' : 'with'} the element, ${reverse ? 'from the end' : 'from the start'}`,
    inputs: [random([2, 3, 4])],
    names,
    build: ([x]) => ops.cumSum(x!, 1, { exclusive, reverse }),
    reference: ([x]) =>
      from([2, 3, 4], (index) =>
        sum(lane(x!, index, 1).filter((_, position) => counts(index[1]!, position))),
      ),
  };
}

export const reductionCases = {
  ReduceSum: reduction(ops.reduceSum, sum),
  ReduceMean: reduction(ops.reduceMean, mean),
  ReduceMax: reduction(ops.reduceMax, largest),
  CumSum: [running(false, false), running(true, false), running(false, true), running(true, true)],
} as const satisfies Record<string, readonly [OpCase, ...OpCase[]]>;
