/**
 * The tensor program: an immutable graph of nodes, built by calling functions and computed only when
 * it is compiled. A tensor is one output of one node.
 */

import type { DType, Op, OpAttributes } from './opAttributes.ts';
import type { TypedArray } from './value.ts';

/** A dimension: its size, or a name ('batch', 'position') whose size each run decides. Equal names are equal sizes. */
export type Dim = number | string;

export type Shape = readonly Dim[];

/** What is known of a tensor before it is computed. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Where a stored weight lies: bytes of a file, little endian, row-major. */
export interface StoredBytes {
  /** Absolute path. */
  readonly file: string;
  /** First byte, counted from the start of the file. */
  readonly offset: number;
  /** Number of bytes. */
  readonly length: number;
  /** The file's stamp (see `stampOf`) when its header was read. Programs are refused once it is another one. */
  readonly stamp?: string;
}

/** Nodes without inputs: what a program is fed, what it reads from disk, what it knows. */
export interface SourceAttributes {
  Input: { readonly name: string };
  Parameter: { readonly name: string } & StoredBytes;
  Constant: { readonly data: TypedArray };
}

export interface NodeAttributes extends OpAttributes, SourceAttributes {}

/** A node of kind `O`: its attributes, its inputs in ONNX's order, and the types of its outputs. */
export interface NodeOf<O extends keyof NodeAttributes> {
  readonly op: O;
  readonly attributes: NodeAttributes[O];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly TensorType[];
}

export type InputNode = NodeOf<'Input'>;
export type ParameterNode = NodeOf<'Parameter'>;
export type ConstantNode = NodeOf<'Constant'>;
export type SourceNode = InputNode | ParameterNode | ConstantNode;
export type OpNode = { [O in Op]: NodeOf<O> }[Op];

/** Any node; `node.op` tells which. */
export type Node = SourceNode | OpNode;

/** Output number `output` of `node`. */
export interface Tensor extends TensorType {
  readonly node: Node;
  readonly output: number;
}

/** A tensor, or a number that takes the other operand's element type. */
export type Operand = Tensor | number;

/** Makes a node and returns its outputs. Only the builders call this: they check the inputs and know the types. */
export function makeNode<O extends keyof NodeAttributes>(
  op: O,
  inputs: readonly Tensor[],
  attributes: NodeAttributes[O],
  outputs: readonly TensorType[],
): readonly Tensor[] {
  const node = { op, attributes, inputs, outputs } as unknown as Node;
  return outputs.map((type, output) => ({ node, output, dtype: type.dtype, shape: type.shape }));
}

/** Makes a node with one output and returns that. */
export function makeTensor<O extends keyof NodeAttributes>(
  op: O,
  inputs: readonly Tensor[],
  attributes: NodeAttributes[O],
  dtype: DType,
  shape: Shape,
): Tensor {
  return makeNode(op, inputs, attributes, [{ dtype, shape }])[0]!;
}

/** True when gradients can flow through elements of this type. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

/** A type as people read it: `float32[batch, position, 64]`. */
export function describeType({ dtype, shape }: TensorType): string {
  return `${dtype}[${shape.join(', ')}]`;
}

/** `axis` counted from the front. Throws when it is outside `rank`. */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= rank) {
    throw new Error(`Axis ${axis} does not exist in a tensor of ${rank} dimensions.`);
  }
  return front;
}
