/** What a gradient rule is, and the few shapes of rules that many ops share. */

import { stretchedAxes } from '../broadcast.ts';
import type { Op } from '../opAttributes.ts';
import { reshape } from '../ops/layout.ts';
import { reduceSum } from '../ops/reduction.ts';
import type { NodeOf, Tensor } from '../tensor.ts';

/**
 * Given the gradients that arrive at a node's outputs (undefined where none does), the gradients of its
 * inputs, in order; undefined where nothing flows.
 */
export type GradientRule<O extends Op> = (
  node: NodeOf<O>,
  arriving: readonly (Tensor | undefined)[],
) => readonly (Tensor | undefined)[];

/** A rule for every op of one family. */
export type GradientRules<Family extends Op> = { readonly [O in Family]: GradientRule<O> };

/** The rule of ops whose outputs do not change with small changes of their inputs, or are not numbers to vary. */
export const notDifferentiable = (): readonly undefined[] => [];

/** A rule for one input and one output: `g` times the derivative, with `y` the op's own output. */
export function oneToOne<O extends Op>(
  rule: (g: Tensor, x: Tensor, y: Tensor, node: NodeOf<O>) => Tensor,
): GradientRule<O> {
  return (node, [g]) => [rule(g!, node.inputs[0]!, outputOf(node), node)];
}

/** A rule for two broadcasting inputs; each gradient is summed back to its input's shape. */
export function twoToOne<O extends Op>(
  rule: (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [Tensor, Tensor],
): GradientRule<O> {
  return (node, [g]) => {
    const [a, b] = node.inputs as readonly [Tensor, Tensor];
    const [ga, gb] = rule(g!, a, b, outputOf(node));
    return [sumTo(ga, a), sumTo(gb, b)];
  };
}

/** Output `output` of `node` as a tensor. */
export function outputOf<O extends Op>(node: NodeOf<O>, output = 0): Tensor {
  const type = node.outputs[output]!;
  return { node: node as unknown as Tensor['node'], output, dtype: type.dtype, shape: type.shape };
}

/** `g` summed over the axes along which `x` was broadcast, so that it has the shape of `x`. */
export function sumTo(g: Tensor, x: Tensor): Tensor {
  const axes = stretchedAxes(x.shape, g.shape);
  if (axes.length === 0) return g;
  const summed = reduceSum(g, axes);
  return summed.shape.length === x.shape.length ? summed : reshape(summed, x.shape);
}
