/** Gradients of ops that choose elements: they flow back to what was chosen. */

import { expandLike, fullLike, reshape, reshapeLike, transpose, unsqueeze } from '../ops/layout.ts';
import { gatherElements, scatterElements } from '../ops/picking.ts';
import type { NodeOf, Tensor } from '../tensor.ts';
import { type GradientRules, notDifferentiable, oneToOne } from './rule.ts';

type Picking = 'Range' | 'OneHot' | 'Gather' | 'GatherElements' | 'ScatterElements' | 'TopK' | 'ArgMax';

export const pickingRules: GradientRules<Picking> = {
  Range: notDifferentiable,
  OneHot: notDifferentiable,
  Gather: (node, [g]) => [scatterRows(node, g!)],
  GatherElements: oneToOne((g, x, _y, node) => {
    return scatterElements(fullLike(x, 0), node.inputs[1]!, g, node.attributes.axis, 'add');
  }),
  ScatterElements: (node, [g]) => {
    const [, indices, updates] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const { axis, reduction } = node.attributes;
    const kept = reduction === 'add' ? g! : scatterElements(g!, indices, fullLike(updates, 0), axis);
    return [kept, undefined, gatherElements(g!, indices, axis)];
  },
  TopK: (node, [g]) => {
    if (!g) return [];
    const indices: Tensor = { node, output: 1, ...node.outputs[1]! };
    return [scatterElements(fullLike(node.inputs[0]!, 0), indices, g, node.attributes.axis)];
  },
  ArgMax: notDifferentiable,
};

/** The gradient of `gather`: rows of `g` added into zeros at their indices. */
function scatterRows({ inputs, attributes: { axis } }: NodeOf<'Gather'>, g: Tensor): Tensor {
  const [x, indices] = inputs as readonly [Tensor, Tensor];
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const rank = indices.shape.length;
  const picked = indices.shape.map((_, i) => axis + i);
  const kept = g.shape.map((_, i) => i).filter((i) => i < axis || i >= axis + rank);
  // Everything with the gathered axis first and the rest flattened: rows.
  const front = axis === 0 ? x : transpose(x, [axis, ...others]);
  const rows = reshape(front, [x.shape[axis]!, -1]);
  const updates = rowsOf(axis === 0 ? g : transpose(g, [...picked, ...kept]), indices, rows);
  const index = expandLike(unsqueeze(reshape(indices, [-1]), [1]), updates);
  const summed = reshapeLike(scatterElements(fullLike(rows, 0), index, updates, 0, 'add'), front);
  // Undoes the transposition above; it is the identity when the gathered axis was first already.
  const perm = [...others.keys()].map((i) => i + 1);
  perm.splice(axis, 0, 0);
  return axis === 0 ? summed : transpose(summed, perm);
}

/** `g` as one row per index. */
function rowsOf(g: Tensor, indices: Tensor, rows: Tensor): Tensor {
  const flat = reshape(indices, [-1]);
  return reshape(g, [flat.shape[0]!, rows.shape[1]!]);
}
