/** Gradients of element-by-element ops. The formula of each derivative stands beside its rule. */

import {
  abs,
  add,
  cast,
  cos,
  div,
  equal,
  erf,
  exp,
  greater,
  greaterOrEqual,
  log,
  mul,
  neg,
  pow,
  sigmoid,
  sign,
  sin,
  sub,
  where,
} from '../ops/elementwise.ts';
import { isFloating, type Tensor } from '../tensor.ts';
import { type GradientRules, notDifferentiable, oneToOne, sumTo, twoToOne } from './rule.ts';

type Elementwise =
  | 'Identity'
  | 'StopGradient'
  | 'Cast'
  | 'Neg'
  | 'Abs'
  | 'Sign'
  | 'Floor'
  | 'Exp'
  | 'Log'
  | 'Sqrt'
  | 'Reciprocal'
  | 'Sin'
  | 'Cos'
  | 'Tanh'
  | 'Erf'
  | 'Relu'
  | 'Sigmoid'
  | 'Softplus'
  | 'Gelu'
  | 'Not'
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
  | 'Pow'
  | 'Max'
  | 'Min'
  | 'Equal'
  | 'Less'
  | 'LessOrEqual'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'And'
  | 'Or'
  | 'Where';

export const elementwiseRules: GradientRules<Elementwise> = {
  Identity: oneToOne((g) => g),
  StopGradient: notDifferentiable,
  Cast: (node, [g]) => {
    const from = node.inputs[0]!.dtype;
    return isFloating(from) && isFloating(g!.dtype) ? [cast(g!, from)] : [];
  },
  Neg: oneToOne((g) => neg(g)),
  Abs: oneToOne((g, x) => mul(g, sign(x))),
  Sign: notDifferentiable,
  Floor: notDifferentiable,
  Exp: oneToOne((g, _x, y) => mul(g, y)),
  Log: oneToOne((g, x) => div(g, x)),
  // d√x = 1 / (2√x)
  Sqrt: oneToOne((g, _x, y) => div(mul(g, 0.5), y)),
  // d(1/x) = −1/x²
  Reciprocal: oneToOne((g, _x, y) => neg(mul(g, mul(y, y)))),
  Sin: oneToOne((g, x) => mul(g, cos(x))),
  Cos: oneToOne((g, x) => neg(mul(g, sin(x)))),
  // d tanh x = 1 − tanh² x
  Tanh: oneToOne((g, _x, y) => mul(g, sub(1, mul(y, y)))),
  // d erf x = 2/√π · exp(−x²)
  Erf: oneToOne((g, x) => mul(g, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  Relu: oneToOne((g, _x, y) => where(greater(y, 0), g, 0)),
  // dσ = σ(1 − σ)
  Sigmoid: oneToOne((g, _x, y) => mul(g, mul(y, sub(1, y)))),
  Softplus: oneToOne((g, x) => mul(g, sigmoid(x))),
  Gelu: oneToOne((g, x, y, node) =>
    mul(g, node.attributes.approximate === 'tanh' ? tanhGeluSlope(x, y) : exactGeluSlope(x)),
  ),
  Not: notDifferentiable,
  Add: twoToOne((g) => [g, g]),
  Sub: twoToOne((g) => [g, neg(g)]),
  Mul: twoToOne((g, a, b) => [mul(g, b), mul(g, a)]),
  // d(a/b) = da/b − a/b · db/b
  Div: twoToOne((g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))]),
  // d(aᵇ) = b·aᵇ⁻¹ da + aᵇ·ln|a| db. Where a is 0 the second term is taken as 0.
  Pow: twoToOne((g, a, b, y) => [
    mul(g, mul(b, pow(a, sub(b, 1)))),
    mul(g, mul(y, where(equal(a, 0), 0, log(where(equal(a, 0), 1, abs(a)))))),
  ]),
  // Of equal operands the first one counts as chosen.
  Max: twoToOne((g, a, b) => chosen(g, greaterOrEqual(a, b))),
  Min: twoToOne((g, a, b) => chosen(g, greaterOrEqual(b, a))),
  Equal: notDifferentiable,
  Less: notDifferentiable,
  LessOrEqual: notDifferentiable,
  Greater: notDifferentiable,
  GreaterOrEqual: notDifferentiable,
  And: notDifferentiable,
  Or: notDifferentiable,
  Where: (node, [g]) => {
    const [condition, a, b] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const [ga, gb] = chosen(g!, condition);
    return [undefined, sumTo(ga, a), sumTo(gb, b)];
  },
};

function chosen(g: Tensor, firstIsChosen: Tensor): readonly [Tensor, Tensor] {
  return [where(firstIsChosen, g, 0), where(firstIsChosen, 0, g)];
}

/** Φ(x) + x·φ(x), with φ the normal density. */
function exactGeluSlope(x: Tensor): Tensor {
  const distribution = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(distribution, mul(x, density));
}

/**
 * The formula is y = x·s with s = σ(2u), u = c(x + 0.044715x³), c = √(2/π); so its slope is
 * s + y·(1 − s)·2u′, 2u′ = 2c(1 + 3·0.044715x²): fewer passes over the data than by tanh.
 */
function tanhGeluSlope(x: Tensor, y: Tensor): Tensor {
  const twoC = 2 * Math.sqrt(2 / Math.PI);
  const square = mul(x, x);
  const s = sigmoid(mul(x, add(mul(square, twoC * 0.044715), twoC)));
  const slope = add(mul(square, 3 * twoC * 0.044715), twoC);
  return add(s, mul(mul(y, sub(1, s)), slope));
}
