/**
 * The closed set of tensor operations. Every op is named as ONNX names it and carries the attributes
 * listed here; a new op starts as a new row of `OpAttributes`, and the compiler then asks for the rest.
 */

/** Element types. `float16` and `bfloat16` occur only as stored weights and are cast before use. */
export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int32' | 'int64' | 'uint8' | 'bool';

type None = Record<never, never>;
interface Axis {
  readonly axis: number;
}
/** Axes that a reduction removes, or keeps as 1 when `keepdims` is 1. */
interface Reduction {
  readonly axes: readonly number[];
  readonly keepdims: 0 | 1;
}

/**
 * Attributes of each op. Lists of integers that ONNX takes as constant inputs (axes, split, k) are
 * attributes here; the encoder turns them into inputs.
 */
export interface OpAttributes {
  // Element by element, one operand.
  Identity: None;
  /** Identity forward, no gradient. Encoded as Identity. */
  StopGradient: None;
  Cast: { readonly to: DType };
  Neg: None;
  Abs: None;
  Sign: None;
  Floor: None;
  Exp: None;
  Log: None;
  Sqrt: None;
  Reciprocal: None;
  Sin: None;
  Cos: None;
  Tanh: None;
  Erf: None;
  Relu: None;
  Sigmoid: None;
  Softplus: None;
  Gelu: { readonly approximate: 'none' | 'tanh' };
  Not: None;
  // Element by element, several operands, broadcasting.
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Max: None;
  Min: None;
  Equal: None;
  Less: None;
  LessOrEqual: None;
  Greater: None;
  GreaterOrEqual: None;
  And: None;
  Or: None;
  Where: None;
  // Layout.
  Shape: { readonly start: number; readonly end: number };
  Reshape: None;
  Transpose: { readonly perm: readonly number[] };
  Unsqueeze: { readonly axes: readonly number[] };
  Squeeze: { readonly axes: readonly number[] };
  Expand: None;
  Concat: Axis;
  Slice: { readonly axes: readonly number[] };
  Split: Axis & { readonly split: readonly number[] };
  Pad: { readonly axes: readonly number[] };
  Trilu: { readonly upper: 0 | 1; readonly k: number };
  // Picking.
  Range: None;
  OneHot: Axis;
  Gather: Axis;
  GatherElements: Axis;
  ScatterElements: Axis & { readonly reduction: 'none' | 'add' };
  TopK: Axis & { readonly k: number; readonly largest: 0 | 1; readonly sorted: 0 | 1 };
  ArgMax: Axis & { readonly keepdims: 0 | 1 };
  // Reductions and scans.
  ReduceSum: Reduction;
  ReduceMean: Reduction;
  ReduceMax: Reduction;
  CumSum: Axis & { readonly exclusive: 0 | 1; readonly reverse: 0 | 1 };
  // Linear algebra and layers.
  MatMul: None;
  /** A·Bᵀ without a transposed copy of B. ONNX Runtime's own op. */
  FusedMatMul: { readonly transB: 1 };
  Softmax: Axis;
  LogSoftmax: Axis;
  LayerNormalization: Axis & { readonly epsilon: number };
}

/** The name of an op, as ONNX spells it. */
export type Op = keyof OpAttributes;
