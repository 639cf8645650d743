/** Gradients of ops that move elements: each moves them back. */

import { isStatic } from '../broadcast.ts';
import { add, less, sub, where } from '../ops/elementwise.ts';
import {
  concat,
  fullLike,
  pad,
  reshapeLike,
  slice,
  split,
  squeeze,
  transpose,
  trilu,
  unsqueeze,
} from '../ops/layout.ts';
import { int64List, sizeOf } from '../sources.ts';
import type { NodeOf, Tensor } from '../tensor.ts';
import { type GradientRules, notDifferentiable, oneToOne, outputOf, sumTo } from './rule.ts';

type Layout =
  | 'Shape'
  | 'Reshape'
  | 'Transpose'
  | 'Unsqueeze'
  | 'Squeeze'
  | 'Expand'
  | 'Concat'
  | 'Slice'
  | 'Split'
  | 'Pad'
  | 'Trilu';

export const layoutRules: GradientRules<Layout> = {
  Shape: notDifferentiable,
  Reshape: oneToOne((g, x) => reshapeLike(g, x)),
  Transpose: oneToOne((g, _x, _y, { attributes: { perm } }) =>
    transpose(
      g,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ),
  Unsqueeze: oneToOne((g, _x, _y, { attributes: { axes } }) => squeeze(g, axes)),
  Squeeze: oneToOne((g, _x, _y, { attributes: { axes } }) => unsqueeze(g, axes)),
  Expand: oneToOne((g, x) => sumTo(g, x)),
  Concat: (node, [g]) => cutApart(node, g!),
  Slice: (node, [g]) => [padBack(node, g!)],
  Split: (node, arriving) => {
    const pieces = arriving.map((g, i) => g ?? fullLike(outputOf(node, i), 0));
    return [concat(pieces, node.attributes.axis, node.inputs[0]!.shape[node.attributes.axis]!)];
  },
  Pad: oneToOne((g, x, _y, node) => {
    const axis = node.attributes.axes[0]!;
    const before = slice(node.inputs[1]!, 0, 0, 1);
    return slice(g, axis, before, add(before, sizeOf(x, axis)), x.shape[axis]!);
  }),
  Trilu: oneToOne((g, _x, _y, { attributes: { upper, k } }) => trilu(g, { upper: upper === 1, k })),
};

/** The piece of `g` that belongs to each concatenated tensor. */
function cutApart({ inputs, attributes: { axis } }: NodeOf<'Concat'>, g: Tensor): readonly Tensor[] {
  const dims = inputs.map((x) => x.shape[axis]!);
  if (isStatic(dims)) return split(g, axis, dims);
  let start = int64List([0]);
  return inputs.map((x, i) => {
    const end = add(start, sizeOf(x, axis));
    const piece = slice(g, axis, start, end, dims[i]!);
    start = end;
    return piece;
  });
}

/** `g` with zeros where the slice left elements out. */
function padBack({ inputs, attributes }: NodeOf<'Slice'>, g: Tensor): Tensor {
  const [x, start] = inputs as readonly [Tensor, Tensor];
  const axis = attributes.axes[0]!;
  const size = sizeOf(x, axis);
  const before = where(less(start, 0), add(start, size), start);
  return pad(g, axis, before, sub(sub(size, before), sizeOf(g, axis)), x.shape[axis]!);
}
