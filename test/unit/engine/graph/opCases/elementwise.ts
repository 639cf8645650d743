// Cases for ops on each element by itself.

import * as ops from '../../../../../src/engine/graph/ops/elementwise.ts';
import type { Tensor } from '../../../../../src/engine/graph/tensor.ts';
import { at, broadcastDims, erf, from, type Plain } from '../plain.ts';
import { bools, integers, type OpCase, type OpInput, random } from './opCase.ts';

const names = { 2: 'batch', 3: 'position' };
const yes = (truth: boolean): number => (truth ? 1 : 0);

/** A case for y = f(x), with named dimensions too. */
function unary(
  build: (x: Tensor) => Tensor,
  f: (x: number) => number,
  input: OpInput = random([2, 3, 4]),
): OpCase {
  return {
    title: 'of every element',
    inputs: [input],
    names,
    build: ([x]) => build(x!),
    reference: ([x]) => from(x!.dims, (index) => f(at(x!, index))),
  };
}

type BinaryBuild = (a: Tensor, b: Tensor) => Tensor;
type BinaryReference = (a: number, b: number) => number;

/** Cases for y = f(a, b): equal shapes, a row stretched over a batch, and both operands stretched. */
function binary(build: BinaryBuild, f: BinaryReference, draw = random): readonly [OpCase, ...OpCase[]] {
  const pairs = (a: OpInput, b: OpInput, title: string): OpCase => ({
    title,
    inputs: [a, b],
    names,
    build: ([x, y]) => build(x!, y!),
    reference: ([x, y]) => from(broadcastDims(x!, y!), (index) => f(at(x!, index), at(y!, index))),
  });
  return [
    pairs(draw([2, 3], 1), draw([2, 3], 2), 'of equal shapes'),
    pairs(draw([2, 3, 4], 3), draw([4], 4), 'of a batch and a row'),
    pairs(draw([2, 1, 4], 5), draw([3, 1], 6), 'of two stretched operands'),
    pairs(draw([], 7), draw([2, 3], 8), 'of a scalar and a matrix'),
  ];
}

const positive = (dims: readonly number[], seed?: number): OpInput => random(dims, seed, 0.5, 2);
const ties = (dims: readonly number[], seed?: number): OpInput => {
  const input = random(dims, seed);
  return { ...input, dtype: 'int32', data: input.data.map(Math.round) };
};
const logical = (dims: readonly number[], seed?: number): OpInput =>
  bools(
    dims,
    random(dims, seed).data.map((x) => yes(x > 0)),
  );

export const elementwiseCases = {
  Identity: [unary(ops.identity, (x) => x)],
  StopGradient: [{ ...unary(ops.stopGradient, (x) => x), stopsGradient: true }],
  Cast: [
    unary(
      (x) => ops.cast(x, 'float64'),
      (x) => x,
    ),
    { ...unary((x) => ops.cast(x, 'int32'), Math.trunc), title: 'to whole numbers cuts the fraction' },
    {
      ...unary(
        (x) => ops.cast(x, 'float32'),
        (x) => x,
        integers([2, 3], [1, 0, -7, 4, 5, 6]),
      ),
      title: 'from int32',
    },
  ],
  Neg: [unary(ops.neg, (x) => -x)],
  Abs: [unary(ops.abs, Math.abs)],
  Sign: [unary(ops.sign, Math.sign)],
  Floor: [unary(ops.floor, Math.floor)],
  Exp: [unary(ops.exp, Math.exp)],
  Log: [unary(ops.log, Math.log, positive([2, 3]))],
  Sqrt: [unary(ops.sqrt, Math.sqrt, positive([2, 3]))],
  Reciprocal: [unary(ops.reciprocal, (x) => 1 / x, positive([2, 3]))],
  Sin: [unary(ops.sin, Math.sin)],
  Cos: [unary(ops.cos, Math.cos)],
  Tanh: [unary(ops.tanh, Math.tanh)],
  Erf: [unary(ops.erf, erf)],
  Relu: [unary(ops.relu, (x) => Math.max(x, 0))],
  Sigmoid: [unary(ops.sigmoid, (x) => 1 / (1 + Math.exp(-x)))],
  Softplus: [unary(ops.softplus, (x) => Math.log(1 + Math.exp(x)))],
  Gelu: [
    {
      ...unary(
        (x) => ops.gelu(x),
        (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
      ),
      title: 'exactly',
    },
    {
      ...unary(
        (x) => ops.gelu(x, 'tanh'),
        (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
      ),
      title: "by GPT-2's tanh formula",
    },
  ],
  Not: [unary(ops.not, (x) => 1 - x, logical([2, 3]))],
  Add: binary(ops.add, (a, b) => a + b),
  Sub: binary(ops.sub, (a, b) => a - b),
  Mul: binary(ops.mul, (a, b) => a * b),
  Div: binary(ops.div, (a, b) => a / b, positive),
  Pow: binary(ops.pow, (a, b) => a ** b, positive),
  Max: binary(ops.max, Math.max),
  Min: binary(ops.min, Math.min),
  Equal: binary(ops.equal, (a, b) => yes(a === b), ties),
  Less: binary(ops.less, (a, b) => yes(a < b), ties),
  LessOrEqual: binary(ops.lessOrEqual, (a, b) => yes(a <= b), ties),
  Greater: binary(ops.greater, (a, b) => yes(a > b)),
  GreaterOrEqual: binary(ops.greaterOrEqual, (a, b) => yes(a >= b), ties),
  And: binary(ops.and, (a, b) => a * b, logical),
  Or: binary(ops.or, Math.max, logical),
  Where: [
    {
      title: 'of three broadcasting operands',
      inputs: [bools([3], [1, 0, 1]), random([2, 1], 1), random([2, 3], 2)],
      names,
      build: ([condition, a, b]) => ops.where(condition!, a!, b!),
      reference: ([condition, a, b]) =>
        from([2, 3], (index) => at((at(condition!, index) ? a : b) as Plain, index)),
    },
  ],
} as const satisfies Record<string, readonly [OpCase, ...OpCase[]]>;
