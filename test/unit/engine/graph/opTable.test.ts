// One test for every op: its result against plain loops, its gradient against finite differences of those loops.

import { describe, expect, test } from 'vitest';
import { gradients, topologicalOrder } from '../../../../src/engine/graph/backward.ts';
import type { Op } from '../../../../src/engine/graph/opAttributes.ts';
import { add, cast, mul } from '../../../../src/engine/graph/ops/elementwise.ts';
import { reduceSum } from '../../../../src/engine/graph/ops/reduction.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { input } from '../../../../src/engine/graph/sources.ts';
import { isFloating, type Tensor } from '../../../../src/engine/graph/tensor.ts';
import { toNumbers, typedArray, type Value } from '../../../../src/engine/graph/value.ts';
import { elementwiseCases } from './opCases/elementwise.ts';
import { layerCases } from './opCases/layer.ts';
import { layoutCases } from './opCases/layout.ts';
import type { OpCase, OpInput } from './opCases/opCase.ts';
import { random } from './opCases/opCase.ts';
import { pickingCases } from './opCases/picking.ts';
import { reductionCases } from './opCases/reduction.ts';
import { type Plain, sum } from './plain.ts';

/** The type makes the table total: an op without a case does not compile. */
const cases: { readonly [O in Op]: readonly [OpCase, ...OpCase[]] } = {
  ...elementwiseCases,
  ...layoutCases,
  ...pickingCases,
  ...reductionCases,
  ...layerCases,
};

for (const [op, list] of Object.entries(cases)) {
  describe(op, () => {
    for (const opCase of list) {
      test(`${opCase.title}: result and gradient`, () => check(op, opCase, {}));
      if (opCase.names)
        test(`${opCase.title}: with named dimensions`, () => check(op, opCase, opCase.names!));
    }
  });
}

type Names = Readonly<Record<number, string>>;

async function check(op: string, opCase: OpCase, names: Names): Promise<void> {
  const inputs = opCase.inputs.map((x, i) =>
    input(
      `x${i}`,
      x.dtype,
      x.dims.map((dim) => names[dim] ?? dim),
    ),
  );
  const outputs = list(opCase.build(inputs));
  const expected = list(opCase.reference(opCase.inputs));
  expect(topologicalOrder(outputs.map((y) => y.node)).map((node) => node.op)).toContain(op);

  // Any change of any output shows in this weighted sum.
  const weights = expected.map((y, i) => random(y.dims, 100 + i));
  const loss = outputs
    .map((y, i) => weightedSum(y, input(`w${i}`, 'float32', y.shape)))
    .reduce((a, b) => add(a, b));
  const varied = inputs.filter((x) => isFloating(x.dtype));
  const slopes = gradients([{ tensor: loss }], varied);

  const results = await evaluate({ ...numbered('y', outputs), ...numbered('g', slopes) }, [
    ...opCase.inputs.map((x, i) => [`x${i}`, x] as const),
    ...weights.map((w, i) => [`w${i}`, w] as const),
  ]);
  expected.forEach((y, i) => {
    expect(results[`y${i}`]!.dims).toEqual(y.dims);
    expectClose(toNumbers(results[`y${i}`]!), y.data, 1e-5);
  });
  varied.forEach((x, i) => {
    const number = inputs.indexOf(x);
    const differences = opCase.stopsGradient
      ? opCase.inputs[number]!.data.map(() => 0)
      : finiteDifferences(opCase, number, weights);
    expect(results[`g${i}`]!.dims).toEqual(opCase.inputs[number]!.dims);
    expectClose(toNumbers(results[`g${i}`]!), differences, 1e-4);
  });
}

function weightedSum(y: Tensor, weights: Tensor): Tensor {
  return reduceSum(mul(cast(y, 'float32'), weights));
}

/** Central differences of the reference's weighted sum, in double precision. */
function finiteDifferences(opCase: OpCase, varied: number, weights: readonly Plain[]): number[] {
  const step = 1e-5;
  const loss = (inputs: readonly Plain[]) =>
    sum(
      list(opCase.reference(inputs)).map((y, i) =>
        sum(y.data.map((value, j) => value * weights[i]!.data[j]!)),
      ),
    );
  const moved = (at: number, by: number) =>
    opCase.inputs.map((x, i) =>
      i === varied ? { dims: x.dims, data: x.data.map((value, j) => (j === at ? value + by : value)) } : x,
    );
  return opCase.inputs[varied]!.data.map(
    (_, at) => (loss(moved(at, step)) - loss(moved(at, -step))) / (2 * step),
  );
}

async function evaluate(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: readonly (readonly [string, OpInput])[],
): Promise<Record<string, Value>> {
  // A program needs an output even when the case has nothing to vary.
  const compiled = await compile(program(outputs), { threads: 1 });
  try {
    return await compiled.run(Object.fromEntries(feeds.map(([name, x]) => [name, toValue(x)])));
  } finally {
    await compiled.release();
  }
}

function toValue({ dtype, dims, data }: OpInput): Value {
  return { dtype, dims, data: typedArray(dtype, data) };
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  const scale = Math.max(1, ...expected.map(Math.abs));
  const worst = Math.max(0, ...expected.map((value, i) => Math.abs(value - actual[i]!)));
  expect(actual.length).toBe(expected.length);
  if (!(worst <= tolerance * scale)) expect(actual).toEqual(expected);
}

function list<T>(one: T | readonly T[]): readonly T[] {
  return Array.isArray(one) ? one : [one as T];
}

function numbered(prefix: string, tensors: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(tensors.map((tensor, i) => [`${prefix}${i}`, tensor]));
}
