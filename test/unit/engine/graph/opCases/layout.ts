// Cases for ops that move elements.

import * as ops from '../../../../../src/engine/graph/ops/layout.ts';
import { sizeOf } from '../../../../../src/engine/graph/sources.ts';
import { makeTensor } from '../../../../../src/engine/graph/tensor.ts';
import { at, from, type Plain } from '../plain.ts';
import { type OpCase, random } from './opCase.ts';

const names = { 2: 'batch', 3: 'position' };
const same =
  (dims: readonly number[]) =>
  ([x]: readonly Plain[]) => ({ dims, data: x!.data });

/** The rows `start` to `end` of axis 1. */
const rows = (x: Plain, start: number, end: number) =>
  from([x.dims[0]!, end - start, x.dims[2]!], ([i, j, k]) => at(x, [i!, j! + start, k!]));

export const layoutCases = {
  Shape: [
    {
      title: 'of all axes, computed at run time',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => makeTensor('Shape', [x!], { start: 0, end: 3 }, 'int64', [3]),
      reference: ([x]) => ({ dims: [3], data: x!.dims }),
    },
  ],
  Reshape: [
    {
      title: 'to known sizes',
      inputs: [random([2, 12])],
      build: ([x]) => ops.reshape(x!, [2, 3, 4]),
      reference: same([2, 3, 4]),
    },
    {
      title: 'that splits the last axis into heads',
      inputs: [random([2, 3, 8])],
      names,
      build: ([x]) => ops.reshape(x!, [...x!.shape.slice(0, 2), 4, 2]),
      reference: same([2, 3, 4, 2]),
    },
    {
      title: 'that merges the leading axes',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.reshape(x!, [-1, 4]),
      reference: same([6, 4]),
    },
    {
      title: 'that moves two named axes',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.reshape(x!, [4, ...x!.shape.slice(0, 2)]),
      reference: same([4, 2, 3]),
    },
  ],
  Transpose: [
    {
      title: 'of three axes',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.transpose(x!, [1, 2, 0]),
      reference: ([x]) => from([3, 4, 2], ([j, k, i]) => at(x!, [i!, j!, k!])),
    },
    {
      title: 'of the last two axes',
      inputs: [random([2, 3, 4])],
      names,
      build: ([x]) => ops.transposeLast(x!),
      reference: ([x]) => from([2, 4, 3], ([i, k, j]) => at(x!, [i!, j!, k!])),
    },
  ],
  Unsqueeze: [
    {
      title: 'at both ends',
      inputs: [random([2, 3])],
      names,
      build: ([x]) => ops.unsqueeze(x!, [0, -1]),
      reference: same([1, 2, 3, 1]),
    },
  ],
  Squeeze: [
    {
      title: 'of two axes',
      inputs: [random([2, 1, 3, 1])],
      names,
      build: ([x]) => ops.squeeze(x!, [1, -1]),
      reference: same([2, 3]),
    },
  ],
  Expand: [
    {
      title: 'to the shape of another tensor',
      inputs: [random([3, 1]), random([2, 3, 4])],
      names,
      build: ([x, like]) => ops.expandLike(x!, like!),
      reference: ([x, like]) => from(like!.dims, (index) => at(x!, index)),
    },
    {
      title: 'to known sizes',
      inputs: [random([3, 1])],
      build: ([x]) => ops.expand(x!, [2, 3, 4]),
      reference: ([x]) => from([2, 3, 4], (index) => at(x!, index)),
    },
  ],
  Concat: [
    {
      title: 'of three tensors along the middle axis',
      inputs: [random([2, 3, 4], 1), random([2, 5, 4], 2), random([2, 1, 4], 3)],
      names: { ...names, 5: 'past' },
      build: (tensors) => ops.concat(tensors, 1),
      reference: ([a, b, c]) =>
        from([2, 9, 4], ([i, j, k]) => {
          if (j! < 3) return at(a!, [i!, j!, k!]);
          return j! < 8 ? at(b!, [i!, j! - 3, k!]) : at(c!, [i!, 0, k!]);
        }),
    },
  ],
  Slice: [
    {
      title: 'from the middle',
      inputs: [random([2, 5, 4])],
      names: { 2: 'batch', 5: 'position' },
      build: ([x]) => ops.slice(x!, 1, 1, 3),
      reference: ([x]) => rows(x!, 1, 3),
    },
    {
      title: 'of all but the first',
      inputs: [random([2, 5, 4])],
      names: { 2: 'batch', 5: 'position' },
      build: ([x]) => ops.slice(x!, 1, 1),
      reference: ([x]) => rows(x!, 1, 5),
    },
    {
      title: 'of the last element',
      inputs: [random([2, 5, 4])],
      names: { 2: 'batch', 5: 'position' },
      build: ([x]) => ops.slice(x!, -2, -1),
      reference: ([x]) => rows(x!, 4, 5),
    },
    {
      title: 'of all but the last',
      inputs: [random([2, 5, 4])],
      names: { 2: 'batch', 5: 'position' },
      build: ([x]) => ops.slice(x!, 1, 0, -1),
      reference: ([x]) => rows(x!, 0, 4),
    },
    {
      title: 'up to a size known at run time',
      inputs: [random([2, 5, 4]), random([3])],
      names: { 5: 'position', 3: 'short' },
      build: ([x, short]) => ops.slice(x!, 1, 0, sizeOf(short!, 0), short!.shape[0]!),
      reference: ([x]) => rows(x!, 0, 3),
    },
  ],
  Split: [
    {
      title: 'into query, key and value',
      inputs: [random([2, 3, 12])],
      names,
      build: ([x]) => ops.split(x!, -1, [4, 6, 2]),
      reference: ([x]) =>
        (
          [
            [0, 4],
            [4, 6],
            [10, 2],
          ] as const
        ).map(([start, size]) => from([2, 3, size], ([i, j, k]) => at(x!, [i!, j!, k! + start]))),
    },
    {
      title: 'of which only one piece is used',
      inputs: [random([2, 3, 6])],
      names,
      build: ([x]) => ops.split(x!, -1, [4, 2])[1]!,
      reference: ([x]) => from([2, 3, 2], ([i, j, k]) => at(x!, [i!, j!, k! + 4])),
    },
  ],
  Pad: [
    {
      title: 'on both sides',
      inputs: [random([2, 3])],
      names,
      build: ([x]) => ops.pad(x!, 1, 2, 1),
      reference: ([x]) => from([2, 6], ([i, j]) => (j! >= 2 && j! < 5 ? at(x!, [i!, j! - 2]) : 0)),
    },
    {
      title: 'by a size known at run time',
      inputs: [random([2, 3]), random([5])],
      names: { ...names, 5: 'past' },
      build: ([x, past]) => ops.pad(x!, 1, sizeOf(past!, 0), 0, 'past+position'),
      reference: ([x]) => from([2, 8], ([i, j]) => (j! >= 5 ? at(x!, [i!, j! - 5]) : 0)),
    },
  ],
  Trilu: [
    {
      title: 'that keeps the lower triangle',
      inputs: [random([2, 4, 4])],
      names: { 2: 'batch', 4: 'position' },
      build: ([x]) => ops.trilu(x!),
      reference: ([x]) => from(x!.dims, (index) => (index[2]! <= index[1]! ? at(x!, index) : 0)),
    },
    {
      title: 'that keeps what lies above the diagonal',
      inputs: [random([3, 4])],
      names: { 3: 'position' },
      build: ([x]) => ops.trilu(x!, { upper: true, k: 1 }),
      reference: ([x]) => from(x!.dims, (index) => (index[1]! > index[0]! ? at(x!, index) : 0)),
    },
  ],
} as const satisfies Record<string, readonly [OpCase, ...OpCase[]]>;
