// How gradients flow through graphs; the rules of single ops are tested by the op table.

import { describe, expect, test } from 'vitest';
import { gradients, type Seed } from '../../../../src/engine/graph/backward.ts';
import { add, cast, mul, sin, stopGradient } from '../../../../src/engine/graph/ops/elementwise.ts';
import { matMul } from '../../../../src/engine/graph/ops/layer.ts';
import { split } from '../../../../src/engine/graph/ops/layout.ts';
import { reduceSum } from '../../../../src/engine/graph/ops/reduction.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { compile } from '../../../../src/engine/graph/session.ts';
import { input, parameter } from '../../../../src/engine/graph/sources.ts';
import type { Tensor } from '../../../../src/engine/graph/tensor.ts';
import { floatValue, toNumbers } from '../../../../src/engine/graph/value.ts';

const x = input('x', 'float32', ['position']);
const xs = [0.5, -1, 2];

async function evaluate(tensors: readonly Tensor[]): Promise<number[][]> {
  const outputs = Object.fromEntries(tensors.map((tensor, i) => [`y${i}`, tensor]));
  // x is fed even where only its size matters.
  const compiled = await compile(program({ ...outputs, keep: x }), { threads: 1 });
  const results = await compiled.run({ x: floatValue(xs) });
  await compiled.release();
  return tensors.map((_, i) => toNumbers(results[`y${i}`]!));
}

async function slopes(seeds: readonly Seed[], wrt: readonly Tensor[]): Promise<number[][]> {
  return evaluate(gradients(seeds, wrt));
}

describe('gradients', () => {
  test('add up over every use of a tensor', async () => {
    const [dx] = await slopes([{ tensor: add(mul(x, x), mul(x, 3)) }], [x]);
    expect(dx).toEqual(xs.map((value) => 2 * value + 3));
  });

  test('reach tensors in the middle of the graph', async () => {
    const middle = mul(x, 2);
    const [dMiddle, dx] = await slopes([{ tensor: mul(middle, middle) }], [middle, x]);
    expect(dMiddle).toEqual(xs.map((value) => 4 * value));
    expect(dx).toEqual(xs.map((value) => 8 * value));
  });

  test('start from given gradients at several places', async () => {
    const a = mul(x, 2);
    const b = mul(a, 3);
    const [dx] = await slopes([{ tensor: a, gradient: mul(x, 10) }, { tensor: b }], [x]);
    expect(dx).toEqual(xs.map((value) => 20 * value + 6));
  });

  test('are zero for what no seed depends on, and do not pass stopGradient', async () => {
    const other = mul(x, 5);
    const [dOther, dx] = await slopes([{ tensor: mul(x, stopGradient(x)) }], [other, x]);
    expect(dOther).toEqual([0, 0, 0]);
    expect(dx).toEqual(xs);
  });

  test('pass a joint projection by the columns that have a gradient alone', () => {
    const bytes = { file: '/weights', offset: 0, length: 4 * 3 * 6 };
    const weight = parameter('w', 'float32', [3, 6], bytes);
    const rows = input('rows', 'float32', ['row', 3]);
    const pieces = split(matMul(rows, weight), 1, [2, 1, 3]);
    const opsOf = (seeds: readonly Seed[]) => {
      const [gradient] = gradients(seeds, [rows]);
      return program({ result: gradient! }).nodes.map(({ node }) => node.op);
    };
    const gradient = input('gradient', 'float32', ['row', 3]);
    const one = opsOf([{ tensor: pieces[2]!, gradient }]);
    expect(one).toContain('Slice');
    expect(one).not.toContain('Concat');
    const two = opsOf([{ tensor: pieces[2]!, gradient }, { tensor: mul(pieces[0]!, 2) }]);
    expect(two).toContain('Concat');
    expect(two).not.toContain('Slice');
  });

  test('of a tensor with respect to itself are its seed', async () => {
    expect(await slopes([{ tensor: x, gradient: mul(x, 4) }], [x])).toEqual([[2, -4, 8]]);
  });

  test('can be taken again', async () => {
    const [first] = gradients([{ tensor: sin(x) }], [x]);
    const [second] = await slopes([{ tensor: first! }], [x]);
    second!.forEach((value, i) => {
      expect(value).toBeCloseTo(-Math.sin(xs[i]!), 5);
    });
  });

  test('tell the outputs of one node apart', async () => {
    const wide = input('x', 'float32', [3]);
    const [left, right] = split(wide, 0, [1, 2]) as [Tensor, Tensor];
    const [dRight, dx] = gradients(
      [{ tensor: add(reduceSum(mul(right, right)), reduceSum(left)) }],
      [right, wide],
    );
    const compiled = await compile(program({ dRight: dRight!, dx: dx! }));
    const results = await compiled.run({ x: floatValue(xs) });
    await compiled.release();
    expect(toNumbers(results.dRight!)).toEqual([-2, 4]);
    expect(toNumbers(results.dx!)).toEqual([1, -2, 4]);
  });

  test('of very deep graphs do not overflow the stack', () => {
    let deep = x;
    for (let i = 0; i < 20_000; i++) deep = add(deep, x);
    expect(gradients([{ tensor: deep }], [x])).toHaveLength(1);
  });

  test('refuse tensors that are not floating point, and seeds of another shape', () => {
    expect(() => gradients([{ tensor: cast(x, 'int32') }], [x])).toThrow('int32[position]');
    expect(() => gradients([{ tensor: x, gradient: reduceSum(x) }], [x])).toThrow('float32[]');
  });
});
