// Cases for ops that choose elements.

import * as ops from '../../../../../src/engine/graph/ops/picking.ts';
import { argMax } from '../../../../../src/engine/graph/ops/reduction.ts';
import { at, from, type Index, indices, lane, moved, type Plain } from '../plain.ts';
import { integers, type OpCase, random } from './opCase.ts';

const names = { 2: 'batch', 3: 'position' };

/** Axis 1 of `x`, sorted downwards: positions and values. */
function ranked(x: Plain, index: Index, k: number): { value: number; position: number }[] {
  const row = lane(x, index, 1).map((value, position) => ({ value, position }));
  return row.sort((a, b) => b.value - a.value).slice(0, k);
}

function scattered(x: Plain, index: Plain, updates: Plain, add: boolean): Plain {
  const data = [...x.data];
  for (const place of indices(index.dims)) {
    const row = at(index, place);
    const offset = row * x.dims[1]! + place[1]!;
    data[offset] = at(updates, place) + (add ? data[offset]! : 0);
  }
  return { dims: x.dims, data };
}

export const pickingCases = {
  Range: [
    {
      title: 'from 2 up to 9 in steps of 3',
      inputs: [],
      build: () => ops.range(2, 9, 3, 3),
      reference: () => ({ dims: [3], data: [2, 5, 8] }),
    },
  ],
  OneHot: [
    {
      title: 'of a batch of ids',
      inputs: [integers([2, 3], [0, 4, 1, 3, 3, 2])],
      names,
      build: ([ids]) => ops.oneHot(ids!, 5),
      reference: ([ids]) => from([2, 3, 5], ([i, j, k]) => (at(ids!, [i!, j!]) === k ? 1 : 0)),
    },
  ],
  Gather: [
    {
      title: 'of rows, some of them twice',
      inputs: [random([5, 4]), integers([2, 3], [0, 4, 1, 4, 4, 2])],
      names,
      build: ([x, ids]) => ops.gather(x!, ids!),
      reference: ([x, ids]) => from([2, 3, 4], ([i, j, k]) => at(x!, [at(ids!, [i!, j!]), k!])),
    },
    {
      title: 'along the middle axis',
      inputs: [random([2, 3, 4]), integers([5], [0, 2, 2, 1, 0])],
      names,
      build: ([x, ids]) => ops.gather(x!, ids!, 1),
      reference: ([x, ids]) => from([2, 5, 4], ([i, j, k]) => at(x!, [i!, at(ids!, [j!]), k!])),
    },
    {
      title: 'of one element, which removes the axis',
      inputs: [random([2, 3]), integers([], [2], 'int64')],
      names,
      build: ([x, id]) => ops.gather(x!, id!, 1),
      reference: ([x]) => from([2], ([i]) => at(x!, [i!, 2])),
    },
  ],
  GatherElements: [
    {
      title: 'along the last axis',
      inputs: [random([2, 5]), integers([2, 3], [0, 4, 0, 3, 3, 2])],
      names,
      build: ([x, ids]) => ops.gatherElements(x!, ids!, -1),
      reference: ([x, ids]) => from([2, 3], (index) => at(x!, moved(index, 1, at(ids!, index)))),
    },
  ],
  ScatterElements: [
    {
      title: 'that overwrites',
      inputs: [random([5, 3], 1), integers([2, 3], [0, 4, 1, 3, 2, 2]), random([2, 3], 2)],
      names,
      build: ([x, ids, updates]) => ops.scatterElements(x!, ids!, updates!, 0),
      reference: ([x, ids, updates]) => scattered(x!, ids!, updates!, false),
    },
    {
      title: 'that adds, twice to one place',
      inputs: [random([5, 3], 1), integers([2, 3], [0, 4, 1, 0, 2, 1]), random([2, 3], 2)],
      names,
      build: ([x, ids, updates]) => ops.scatterElements(x!, ids!, updates!, 0, 'add'),
      reference: ([x, ids, updates]) => scattered(x!, ids!, updates!, true),
    },
  ],
  TopK: [
    {
      title: 'values and positions',
      inputs: [random([3, 6])],
      names: { 3: 'position' },
      build: ([x]) => {
        const { values, indices: positions } = ops.topK(x!, 2);
        return [values, positions];
      },
      reference: ([x]) => [
        from([3, 2], ([i, j]) => ranked(x!, [i!, 0], 2)[j!]!.value),
        from([3, 2], ([i, j]) => ranked(x!, [i!, 0], 2)[j!]!.position),
      ],
    },
  ],
  ArgMax: [
    {
      title: 'along the last axis',
      inputs: [random([3, 6])],
      names: { 3: 'position' },
      build: ([x]) => argMax(x!, -1),
      reference: ([x]) => from([3], ([i]) => ranked(x!, [i!, 0], 1)[0]!.position),
    },
  ],
} as const satisfies Record<string, readonly [OpCase, ...OpCase[]]>;
