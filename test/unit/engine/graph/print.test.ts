// The text of programs: what the engine builds, in a form that a person can check.

import { expect, test } from 'vitest';
import { gradients } from '../../../../src/engine/graph/backward.ts';
import { add, cast, gelu, mul } from '../../../../src/engine/graph/ops/elementwise.ts';
import { layerNormalization, matMul, softmax } from '../../../../src/engine/graph/ops/layer.ts';
import { reshape, transpose } from '../../../../src/engine/graph/ops/layout.ts';
import { reduceSum } from '../../../../src/engine/graph/ops/reduction.ts';
import { print } from '../../../../src/engine/graph/print.ts';
import { program } from '../../../../src/engine/graph/program.ts';
import { input, parameter } from '../../../../src/engine/graph/sources.ts';
import type { Tensor } from '../../../../src/engine/graph/tensor.ts';
import { expectGolden } from '../../golden.ts';

const weight = (name: string, shape: readonly number[], offset: number): Tensor =>
  parameter(name, 'float32', shape, {
    file: '/models/tiny/model.safetensors',
    offset,
    length: 4 * shape.reduce((count, dim) => count * dim, 1),
  });

/** Attention by one head over 8 numbers per position. */
function attend(x: Tensor): Tensor {
  const { y } = layerNormalization(x, weight('ln.weight', [8], 0), weight('ln.bias', [8], 32));
  const q = matMul(y, weight('q', [8, 4], 64));
  const k = matMul(y, weight('k', [8, 4], 192));
  return softmax(mul(matMul(q, transpose(k, [0, 2, 1])), 0.5));
}

test('a forward program prints one line per tensor', () => {
  const x = input('x', 'float32', ['batch', 'position', 8]);
  expectGolden('graph/attention.txt', print(program({ hook_pattern: attend(x) })));
});

test('a gradient prints only what it needs', () => {
  const x = input('x', 'float32', ['batch', 'position', 8]);
  const w = weight('w', [8, 8], 0);
  const unused = matMul(x, weight('unused', [8, 8], 256));
  const loss = reduceSum(gelu(matMul(x, w), 'tanh'));
  const [gw] = gradients([{ tensor: add(loss, reduceSum(unused)) }], [w]);
  const text = print(program({ gw: gw! }));
  expect(text).not.toContain('unused');
  expectGolden('graph/weightGradient.txt', text);
});

test('equal nodes and equal constants become one', () => {
  const x = input('x', 'float32', ['position', 8]);
  const text = print(program({ y: add(mul(x, 2), mul(input('x', 'float32', ['position', 8]), 2)) }));
  expect(text.match(/= Mul/g)).toHaveLength(1);
  expect(text.match(/^constant/gm)).toHaveLength(1);
});

test('constants that differ in type, shape or the sign of zero stay apart', () => {
  const x = input('x', 'float32', [1]);
  const zeros = mul(mul(x, 0), -0);
  const typed = cast(mul(cast(x, 'float64'), 0), 'float32');
  const text = print(program({ y: add(zeros, typed) }));
  expect(text.match(/^constant/gm)).toHaveLength(3);
});

test('a tensor may be an output twice, and an input may be an output', () => {
  const x = input('x', 'float32', [2]);
  const y = mul(x, 3);
  const text = print(program({ first: y, second: y, x_again: x }));
  expect(text).toContain('second: float32[2] = Identity(first)');
  expect(text).toContain('x_again: float32[2] = Identity(x)');
});

test('two different inputs of one name are refused', () => {
  const sum = add(input('x', 'float32', [2]), reshape(input('x', 'float32', [1, 2]), [2]));
  expect(() => program({ sum })).toThrow('called x');
});
