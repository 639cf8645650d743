/** Rules for dimensions: which shapes go together, and what shape comes out. */

import type { Dim, Shape } from './tensor.ts';

/** The dimension that `a` and `b` broadcast to. Equal sizes or names match; 1 stretches. */
export function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b || b === 1) return a;
  return a === 1 ? b : undefined;
}

/** The shape that all `shapes` broadcast to, aligned at the last dimension. Throws when two do not go together. */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result: Dim[] = Array.from({ length: rank }, () => 1);
  for (const shape of shapes) {
    shape.forEach((dim, i) => {
      const axis = rank - shape.length + i;
      const joint = broadcastDim(result[axis]!, dim);
      if (joint === undefined) {
        throw new Error(`Shapes ${shapes.map(describeShape).join(' and ')} do not broadcast.`);
      }
      result[axis] = joint;
    });
  }
  return result;
}

/** The axes of `wide` along which a tensor of shape `narrow` was repeated to reach it. */
export function stretchedAxes(narrow: Shape, wide: Shape): number[] {
  const added = wide.length - narrow.length;
  const axes: number[] = [];
  wide.forEach((dim, axis) => {
    if (axis < added || (narrow[axis - added] === 1 && dim !== 1)) axes.push(axis);
  });
  return axes;
}

/** True when the shapes are the same, names and all. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** True when every dimension is a number. */
export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

/** The size after laying dimensions end to end: a number, or a name such as `past+position`. */
export function sumDims(dims: readonly Dim[]): Dim {
  if (isStatic(dims)) return dims.reduce((sum, dim) => sum + dim, 0);
  return dims.filter((dim) => dim !== 0).join('+');
}

/** The size after merging dimensions: a number, or a name such as `batch*position`. */
export function multiplyDims(dims: readonly Dim[]): Dim {
  const names = dims.filter((dim) => typeof dim === 'string');
  const size = dims.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
  if (names.length === 0 || size === 0) return size;
  return [...(size === 1 ? [] : [size]), ...names].join('*');
}

/** A shape as people read it: `[batch, position, 64]`. */
export function describeShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}
