/** Operations on each element by itself: arithmetic, activation functions, comparisons. */

import { broadcastShapes } from '../broadcast.ts';
import type { DType, Op, OpAttributes } from '../opAttributes.ts';
import { toTensor } from '../sources.ts';
import { describeType, isFloating, makeTensor, type Operand, type Tensor } from '../tensor.ts';

/** The ops that carry no attributes. */
type PlainOp = { [O in Op]: Record<never, never> extends OpAttributes[O] ? O : never }[Op];

export const identity = (x: Tensor): Tensor => unary('Identity', x);

/** `x`, seen by `gradients` as a constant. */
export const stopGradient = (x: Tensor): Tensor => unary('StopGradient', x);

/** `x` with elements of another type. Returns `x` itself when it has that type already. */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : makeTensor('Cast', [x], { to }, to, x.shape);
}

export const neg = (x: Tensor): Tensor => unary('Neg', x);
export const abs = (x: Tensor): Tensor => unary('Abs', x);

/** −1, 0 or 1. */
export const sign = (x: Tensor): Tensor => unary('Sign', x);
export const floor = (x: Tensor): Tensor => floating('Floor', x);
export const exp = (x: Tensor): Tensor => floating('Exp', x);
export const log = (x: Tensor): Tensor => floating('Log', x);
export const sqrt = (x: Tensor): Tensor => floating('Sqrt', x);
export const reciprocal = (x: Tensor): Tensor => floating('Reciprocal', x);
export const sin = (x: Tensor): Tensor => floating('Sin', x);
export const cos = (x: Tensor): Tensor => floating('Cos', x);
export const tanh = (x: Tensor): Tensor => floating('Tanh', x);
export const erf = (x: Tensor): Tensor => floating('Erf', x);
export const relu = (x: Tensor): Tensor => unary('Relu', x);
export const sigmoid = (x: Tensor): Tensor => floating('Sigmoid', x);

/** log(1 + eˣ). */
export const softplus = (x: Tensor): Tensor => floating('Softplus', x);

/**
 * x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016). 'tanh' is GPT-2's
 * `gelu_new`: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
 */
export function gelu(x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor {
  return makeTensor('Gelu', [requireFloat('Gelu', x)], { approximate }, x.dtype, x.shape);
}

export const not = (x: Tensor): Tensor => unary('Not', requireType('Not', x, 'bool'));

export const add = (a: Operand, b: Operand): Tensor => binary('Add', a, b);
export const sub = (a: Operand, b: Operand): Tensor => binary('Sub', a, b);
export const mul = (a: Operand, b: Operand): Tensor => binary('Mul', a, b);
export const div = (a: Operand, b: Operand): Tensor => binary('Div', a, b);

/** aᵇ. */
export const pow = (a: Operand, b: Operand): Tensor => binary('Pow', a, b);

/** The larger of each pair. */
export const max = (a: Operand, b: Operand): Tensor => binary('Max', a, b);

/** The smaller of each pair. */
export const min = (a: Operand, b: Operand): Tensor => binary('Min', a, b);

export const equal = (a: Operand, b: Operand): Tensor => binary('Equal', a, b, 'bool');
export const less = (a: Operand, b: Operand): Tensor => binary('Less', a, b, 'bool');
export const lessOrEqual = (a: Operand, b: Operand): Tensor => binary('LessOrEqual', a, b, 'bool');
export const greater = (a: Operand, b: Operand): Tensor => binary('Greater', a, b, 'bool');
export const greaterOrEqual = (a: Operand, b: Operand): Tensor => binary('GreaterOrEqual', a, b, 'bool');
export const and = (a: Tensor, b: Tensor): Tensor => binary('And', requireType('And', a, 'bool'), b);
export const or = (a: Tensor, b: Tensor): Tensor => binary('Or', requireType('Or', a, 'bool'), b);

/** `a` where `condition` holds, else `b`; all three broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (condition.dtype !== 'bool')
    throw new Error(`where needs a bool condition, got ${describeType(condition)}.`);
  const [x, y] = pair('Where', a, b);
  const shape = broadcastShapes(condition.shape, x.shape, y.shape);
  return makeTensor('Where', [condition, x, y], {}, x.dtype, shape);
}

function unary(op: PlainOp, x: Tensor): Tensor {
  return makeTensor(op, [x], {}, x.dtype, x.shape);
}

function binary(op: PlainOp, a: Operand, b: Operand, result?: DType): Tensor {
  const [x, y] = pair(op, a, b);
  return makeTensor(op, [x, y], {}, result ?? x.dtype, broadcastShapes(x.shape, y.shape));
}

function pair(op: Op, a: Operand, b: Operand): readonly [Tensor, Tensor] {
  const like = typeof a === 'number' ? b : a;
  const dtype = typeof like === 'number' ? 'float32' : like.dtype;
  const [x, y] = [toTensor(a, dtype), toTensor(b, dtype)];
  if (x.dtype !== y.dtype) {
    throw new Error(`${op} needs operands of one type, got ${describeType(x)} and ${describeType(y)}.`);
  }
  return [x, y];
}

function floating(op: PlainOp, x: Tensor): Tensor {
  return unary(op, requireFloat(op, x));
}

function requireFloat(op: Op, x: Tensor): Tensor {
  if (isFloating(x.dtype)) return x;
  throw new Error(`${op} needs floating-point elements, got ${describeType(x)}.`);
}

function requireType(op: Op, x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  throw new Error(`${op} needs ${dtype} elements, got ${describeType(x)}.`);
}
