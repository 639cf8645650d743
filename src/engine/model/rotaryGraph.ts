/** Rotary position embedding (Su et al. 2021): turns pairs of a head's dimensions by angles that grow with the position. */
import { add, cast, cos, mul, sin, sub } from '../graph/ops/elementwise.ts';
import { concat, split, squeeze, unsqueeze } from '../graph/ops/layout.ts';
import { range } from '../graph/ops/picking.ts';
import { constant } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Rotary } from './config.ts';

/** Cosines and sines of every new position, `[position, 1, dims / 2]`. */
export interface Rotation {
  readonly cos: Tensor;
  readonly sin: Tensor;
  readonly dims: number;
}

/** The rotation of positions `start` up to (not including) `end`, both int64 `[1]`. */
export function rotation({ dims, inverseFrequencies, scale }: Rotary, start: Tensor, end: Tensor): Rotation {
  const positions = cast(range(squeeze(start, [0]), squeeze(end, [0]), 1, 'position', 'int64'), 'float32');
  const frequencies = constant(inverseFrequencies, [1, 1, inverseFrequencies.length]);
  const angles = mul(unsqueeze(positions, [1, 2]), frequencies);
  const scaled = (x: Tensor) => (scale === 1 ? x : mul(x, scale));
  return { cos: scaled(cos(angles)), sin: scaled(sin(angles)), dims };
}

/**
 * `x` `[batch, position, head, d_head]` with its first `dims` dimensions turned; dimension i is paired with i + dims/2, as
 * Hugging Face stores such weights. The other dimensions stay.
 */
export function rotate(x: Tensor, { cos: cosine, sin: sine, dims }: Rotation): Tensor {
  const rest = (x.shape[3] as number) - dims;
  const [first, second, still] = split(x, 3, [dims / 2, dims / 2, ...(rest > 0 ? [rest] : [])]);
  const turned = [sub(mul(first!, cosine), mul(second!, sine)), add(mul(second!, cosine), mul(first!, sine))];
  return concat(still ? [...turned, still] : turned, 3);
}
