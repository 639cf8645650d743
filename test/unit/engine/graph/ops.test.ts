// What builders refuse, and the shapes they work out: mistakes are told where they are made, not when a program runs.

import { describe, expect, test } from 'vitest';
import { add, and, gelu, where } from '../../../../src/engine/graph/ops/elementwise.ts';
import { layerNormalization, matMul } from '../../../../src/engine/graph/ops/layer.ts';
import {
  concat,
  expandLike,
  pad,
  reshape,
  slice,
  split,
  squeeze,
  transpose,
} from '../../../../src/engine/graph/ops/layout.ts';
import { gather, scatterElements, topK } from '../../../../src/engine/graph/ops/picking.ts';
import { reduceSum } from '../../../../src/engine/graph/ops/reduction.ts';
import { constant, input, parameter, sizeOf } from '../../../../src/engine/graph/sources.ts';
import type { Dim, Shape } from '../../../../src/engine/graph/tensor.ts';

const float = (...shape: Dim[]) => input('x', 'float32', shape);
const int = (...shape: Dim[]) => input('i', 'int32', shape);

describe('shapes', () => {
  const shapes: readonly [string, () => { readonly shape: Shape }, Shape][] = [
    [
      'names match themselves and stretch 1',
      () => add(float('batch', 1, 4), float('position', 1)),
      ['batch', 'position', 4],
    ],
    [
      'matMul keeps names',
      () => matMul(float('batch', 'position', 4), float(4, 8)),
      ['batch', 'position', 8],
    ],
    [
      'concat of names adds them',
      () => concat([float('past', 4), float('position', 4)], 0),
      ['past+position', 4],
    ],
    [
      'concat can name its result',
      () => concat([float('past', 4), float('position', 4)], 0, 'total'),
      ['total', 4],
    ],
    ['concat of numbers adds them', () => concat([float(2, 4), float(3, 4)], 0), [5, 4]],
    [
      'reshape splits an axis',
      () => reshape(float('batch', 'position', 8), ['batch', 'position', 2, 4]),
      ['batch', 'position', 2, 4],
    ],
    ['reshape works out a size', () => reshape(float(2, 3, 4), [-1, 4]), [6, 4]],
    ['reshape names a product', () => reshape(float('batch', 'position', 4), [-1, 4]), ['batch*position', 4]],
    [
      'reshape works out a number beside names',
      () => reshape(float('batch', 2, 6), ['batch', -1]),
      ['batch', 12],
    ],
    ['the last of a named axis is one', () => slice(float('position', 4), 0, -1), [1, 4]],
    ['a cut of a named axis is a new name', () => slice(float('position', 4), 0, 1), ['position[1:]', 4]],
    [
      'gather replaces an axis by the shape of indices',
      () => gather(float(9, 4), int('batch', 'position')),
      ['batch', 'position', 4],
    ],
    ['reductions remove axes', () => reduceSum(float('batch', 3, 4), [-1]), ['batch', 3]],
  ];

  test.each(shapes)('%s', (_, build, shape) => {
    expect(build().shape).toEqual(shape);
  });
});

describe('builders refuse', () => {
  const mistakes: readonly [string, () => unknown, string][] = [
    ['names that differ', () => add(float('batch'), float('position')), '[batch] and [position]'],
    ['a name and a number', () => add(float('batch'), float(4)), 'do not broadcast'],
    ['types that differ', () => add(float(2), int(2)), 'float32[2] and int32[2]'],
    ['a product whose inner sizes differ', () => matMul(float(2, 3), float(4, 5)), '[2, 3] by [4, 5]'],
    ['a product of vectors', () => matMul(float(3), float(3, 4)), '[3] by [3, 4]'],
    [
      'a reshape that loses elements',
      () => reshape(float(2, 3), [-1, 4]),
      '[2, 3] does not reshape to [-1, 4]',
    ],
    ['a reshape to two unknown names', () => reshape(float('all', 4), ['a', 'b', 4]), 'sizes a, b'],
    ['a transposition that forgets an axis', () => transpose(float(2, 3), [0, 0]), 'not an order'],
    ['an axis that is not there', () => reduceSum(float(2, 3), [2]), 'Axis 2'],
    ['a squeeze of an axis that is not 1', () => squeeze(float(2, 3), [0]), 'size 1 only'],
    ['a split that does not add up', () => split(float(2, 6), 1, [2, 3]), '[2, 3]'],
    ['an expansion that would shrink', () => expandLike(float(2, 3), float(3)), 'does not expand'],
    [
      'a slice of unknown size without a name',
      () => slice(float(4), 0, 0, sizeOf(float('n'), 0)),
      'needs a name',
    ],
    [
      'a pad of unknown size without a name',
      () => pad(float(4), 0, 0, sizeOf(float('n'), 0)),
      'needs a name',
    ],
    ['indices that are not whole numbers', () => gather(float(2, 3), float(2)), 'int32 or int64'],
    [
      'updates that do not match their indices',
      () => scatterElements(float(4), int(2), float(3), 0),
      'one update',
    ],
    ['more of the largest than there are', () => topK(float(2, 3), 4), '4 of 3'],
    ['a condition that is not bool', () => where(float(2), 1, 0), 'bool'],
    ['logic on numbers', () => and(float(2), float(2)), 'bool'],
    ['gelu of whole numbers', () => gelu(int(2)), 'floating-point'],
    ['a scale of another width', () => layerNormalization(float(2, 4), float(3), float(4)), '[3]'],
    ['a constant of too few elements', () => constant(Float32Array.of(1, 2), [3]), '2 elements'],
    [
      'a weight whose bytes do not fit',
      () => parameter('w', 'float32', [2], { file: 'f', offset: 0, length: 9 }),
      '8 bytes',
    ],
  ];

  test.each(mistakes)('%s', (_, build, message) => {
    expect(build).toThrow(message);
  });
});
