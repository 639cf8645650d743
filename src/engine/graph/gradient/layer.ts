/** Gradients of the matrix product, softmax and layer normalization. */

import { add, exp, mul, neg, sub } from '../ops/elementwise.ts';
import { matMul, matMulTransposed } from '../ops/layer.ts';
import { reshape, slice, transposeLast } from '../ops/layout.ts';
import { reduceMean, reduceSum } from '../ops/reduction.ts';
import type { NodeOf, Tensor } from '../tensor.ts';
import { type GradientRules, oneToOne, outputOf, sumTo } from './rule.ts';

type Layer = 'MatMul' | 'FusedMatMul' | 'Softmax' | 'LogSoftmax' | 'LayerNormalization';

export const layerRules: GradientRules<Layer> = {
  // C = A·B: dA = dC·Bᵀ, dB = Aᵀ·dC.
  MatMul: (node, [g]) => {
    const [a, b] = node.inputs as readonly [Tensor, Tensor];
    return [sumTo(timesTransposed(g!, b), a), weightGradient(a, b, g!)];
  },
  // C = A·Bᵀ: dA = dC·B, dB = dCᵀ·A.
  FusedMatMul: (node, [g]) => {
    const [a, b] = node.inputs as readonly [Tensor, Tensor];
    return [matMul(g!, b), weightGradient(g!, b, a)];
  },
  // dx = y ⊙ (g − Σ g ⊙ y)
  Softmax: oneToOne((g, _x, y, { attributes: { axis } }) => {
    return mul(y, sub(g, reduceSum(mul(g, y), [axis], { keepDims: true })));
  }),
  // dx = g − softmax(x) · Σ g
  LogSoftmax: oneToOne((g, _x, y, { attributes: { axis } }) => {
    return sub(g, mul(exp(y), reduceSum(g, [axis], { keepDims: true })));
  }),
  LayerNormalization: (node, arriving) => layerNormalizationGradient(node, arriving),
};

/** dC·Bᵀ. A stored matrix is read where it lies, since transposing it would make a copy in every program. */
function timesTransposed(g: Tensor, b: Tensor): Tensor {
  const live = isStored(b) ? liveColumns(g) : undefined;
  if (live) return matMul(live.part, transposeLast(slice(b, 1, live.start, live.end)));
  return isStored(b) ? matMulTransposed(g, b) : matMul(g, transposeLast(b));
}

/**
 * The one part of `g` that is not zero by construction, when it is put together along its last axis: where queries and
 * keys get no gradient, as with frozen attention patterns, a joint projection is multiplied by its values' columns only.
 */
function liveColumns(g: Tensor): { part: Tensor; start: number; end: number } | undefined {
  if (g.node.op !== 'Concat' || g.node.attributes.axis !== g.shape.length - 1) return undefined;
  const parts = g.node.inputs;
  const live = parts.filter((part) => !isZero(part));
  const [part] = live;
  if (!part || live.length > 1 || parts.length === 1) return undefined;
  const widths = parts.map(({ shape }) => shape.at(-1)!);
  if (!widths.every((width) => typeof width === 'number')) return undefined;
  const start = widths.slice(0, parts.indexOf(part)).reduce((sum, width) => sum + width, 0);
  return { part, start, end: start + (part.shape.at(-1) as number) };
}

/** True for what `fullLike(…, 0)` makes. */
function isZero({ node }: Tensor): boolean {
  if (node.op === 'Expand') return isZero(node.inputs[0]!);
  return node.op === 'Constant' && node.attributes.data.length === 1 && Number(node.attributes.data[0]) === 0;
}

/** True for a float32 matrix that is a weight, or one widened from a weight. */
function isStored({ node, dtype, shape }: Tensor): boolean {
  const source = node.op === 'Cast' ? node.inputs[0]!.node : node;
  return source.op === 'Parameter' && dtype === 'float32' && shape.length === 2;
}

/** Aᵀ·dC. When `b` is one matrix for the whole batch, the batch is laid out as rows so that one product does it. */
function weightGradient(a: Tensor, b: Tensor, g: Tensor): Tensor {
  if (b.shape.length > 2 || a.shape.length === 2) return sumTo(matMul(transposeLast(a), g), b);
  const rows = (x: Tensor) => reshape(x, [-1, x.shape.at(-1)!]);
  return matMul(transposeLast(rows(a)), rows(g));
}

/**
 * With x̂ = (x − mean)·s, s = 1/√(variance + ε) and n the width:
 * through y: dx = s·(h − mean(h) − x̂·mean(h ⊙ x̂)), h = g ⊙ scale; through mean: g/n; through s: −g·s²·x̂/n.
 */
function layerNormalizationGradient(
  node: NodeOf<'LayerNormalization'>,
  [g, gMean, gInverseStd]: readonly (Tensor | undefined)[],
): readonly (Tensor | undefined)[] {
  const [x, scale, bias] = node.inputs as readonly [Tensor, Tensor, Tensor];
  const [mean, inverseStd] = [outputOf(node, 1), outputOf(node, 2)];
  const normalized = mul(sub(x, mean), inverseStd);
  const average = (t: Tensor) => reduceMean(t, [-1], { keepDims: true });
  const width = x.shape.at(-1) as number;
  const contributions: Tensor[] = [];
  if (g) {
    const h = mul(g, scale);
    contributions.push(
      mul(inverseStd, sub(sub(h, average(h)), mul(normalized, average(mul(h, normalized))))),
    );
  }
  if (gInverseStd) {
    contributions.push(mul(neg(mul(gInverseStd, mul(inverseStd, inverseStd))), mul(normalized, 1 / width)));
  }
  if (gMean) contributions.push(add(mul(gMean, 1 / width), mul(x, 0)));
  return [
    contributions.reduce((sum, term) => add(sum, term)),
    g && sumTo(mul(g, normalized), scale),
    g && sumTo(g, bias),
  ];
}
