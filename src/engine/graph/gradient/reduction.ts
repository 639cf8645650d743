/** Gradients of sums, means, maxima and running sums. */

import { isStatic } from '../broadcast.ts';
import { cast, div, equal, mul } from '../ops/elementwise.ts';
import { expandLike, unsqueeze } from '../ops/layout.ts';
import { cumSum, reduceSum } from '../ops/reduction.ts';
import { sizeOf } from '../sources.ts';
import type { NodeOf, Shape, Tensor } from '../tensor.ts';
import { type GradientRules, oneToOne } from './rule.ts';

type Reducing = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'CumSum';

export const reductionRules: GradientRules<Reducing> = {
  ReduceSum: oneToOne((g, x, _y, node) => expandLike(keepAxes(g, node), x)),
  ReduceMean: oneToOne((g, x, _y, node) => expandLike(divideByCount(keepAxes(g, node), x, node), x)),
  // Elements that tie for the maximum share the gradient.
  ReduceMax: oneToOne((g, x, y, node) => {
    const winners = cast(equal(x, keepAxes(y, node)), x.dtype);
    const share = div(keepAxes(g, node), reduceSum(winners, node.attributes.axes, { keepDims: true }));
    return mul(winners, share);
  }),
  CumSum: oneToOne((g, _x, _y, { attributes: { axis, exclusive, reverse } }) =>
    cumSum(g, axis, { exclusive: exclusive === 1, reverse: reverse === 0 }),
  ),
};

type Reduce = NodeOf<'ReduceSum'> | NodeOf<'ReduceMean'> | NodeOf<'ReduceMax'>;

/** `y` with the reduced axes put back as size 1. */
function keepAxes(y: Tensor, { attributes: { axes, keepdims } }: Reduce): Tensor {
  return keepdims ? y : unsqueeze(y, axes);
}

/** `g` over the number of elements that each mean was taken of. */
function divideByCount(g: Tensor, x: Tensor, { attributes: { axes } }: Reduce): Tensor {
  const dims: Shape = axes.map((axis) => x.shape[axis]!);
  if (isStatic(dims)) return mul(g, 1 / dims.reduce((count, dim) => count * dim, 1));
  const count = axes.map((axis) => sizeOf(x, axis)).reduce((product, size) => mul(product, size));
  return div(g, cast(count, g.dtype));
}
