/** Writes a program as an ONNX model (https://onnx.ai/onnx/repo-docs/IR.html), weights staying in their files. */

import { basename } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { DType, Op } from './opAttributes.ts';
import type { Named, Program, ProgramNode } from './program.ts';
import type { ConstantNode, ParameterNode, TensorType } from './tensor.ts';
import { type TypedArray, typedArray } from './value.ts';

/** Where the model finds a weight: bytes inside it, or a file of this name in the folder it is loaded with. */
export type WeightPlace = { readonly bytes: Uint8Array } | { readonly fileName: string };

const opsetVersion = 21n;
/** Where ONNX Runtime keeps ops that ONNX itself lacks. */
const runtimeDomain = 'com.microsoft';
const runtimeOps: ReadonlySet<Op> = new Set<Op>(['FusedMatMul']);
/** The file format that goes with the op set. */
const irVersion = 10n;

/** The bytes of an ONNX model that computes `program`. Weights are looked for under their files' own names by default. */
export function encodeOnnx(
  program: Program,
  place: (weight: Named<ParameterNode>) => WeightPlace = ({ node }) => ({
    fileName: basename(node.attributes.file),
  }),
): Uint8Array<ArrayBuffer> {
  const lowered = program.nodes.map(lowerNode);
  const model = create(ModelProtoSchema, {
    irVersion,
    producerName: 'fovea',
    opsetImport: [
      { domain: '', version: opsetVersion },
      { domain: runtimeDomain, version: 1n },
    ],
    graph: {
      name: 'program',
      input: program.inputs.map(encodeValueInfo),
      output: program.outputs.map(encodeValueInfo),
      initializer: [
        ...program.parameters.map((x) => encodeParameter(x, place(x))),
        ...program.constants.map(encodeConstant),
        ...uniqueByName(lowered.flatMap(({ lists }) => lists)),
      ],
      node: lowered.map(({ node }) => node),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

/** Attributes that ONNX takes as constant int64 inputs after the node's own: as a list, or as a scalar. */
const attributesAsInputs: { readonly [O in Op]?: { readonly name: string; readonly as: 'list' | 'scalar' } } =
  {
    ReduceSum: { name: 'axes', as: 'list' },
    ReduceMean: { name: 'axes', as: 'list' },
    ReduceMax: { name: 'axes', as: 'list' },
    Unsqueeze: { name: 'axes', as: 'list' },
    Squeeze: { name: 'axes', as: 'list' },
    Slice: { name: 'axes', as: 'list' },
    Pad: { name: 'axes', as: 'list' },
    Split: { name: 'split', as: 'list' },
    TopK: { name: 'k', as: 'list' },
    CumSum: { name: 'axis', as: 'scalar' },
    Trilu: { name: 'k', as: 'scalar' },
  };

/** Ops that ONNX knows by another name. */
const onnxNames: { readonly [O in Op]?: string } = { StopGradient: 'Identity' };

const dataTypes: { readonly [D in DType]: DataType } = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  int32: DataType.INT32,
  int64: DataType.INT64,
  uint8: DataType.UINT8,
  bool: DataType.BOOL,
};

/** The ONNX node, and the constants that some of its attributes turned into. */
function lowerNode({ node, inputs, outputs }: ProgramNode): { node: NodeProto; lists: TensorProto[] } {
  const moved = attributesAsInputs[node.op];
  const attributes = Object.entries(node.attributes);
  const list = moved && encodeList(node.attributes[moved.name as never], moved.as);
  const proto = create(NodeProtoSchema, {
    opType: onnxNames[node.op] ?? node.op,
    ...(runtimeOps.has(node.op) && { domain: runtimeDomain }),
    name: outputs[0],
    input: list ? [...inputs, list.name] : [...inputs],
    // Outputs left out at the end are not listed.
    output: outputs.slice(0, outputs.findLastIndex((name) => name !== '') + 1),
    attribute: attributes
      .filter(([name]) => name !== moved?.name)
      .map(([name, value]) => encodeAttribute(name, value)),
  });
  return { node: proto, lists: list ? [list] : [] };
}

function encodeAttribute(name: string, value: string | number | readonly number[]): AttributeProto {
  if (name === 'to') {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.INT,
      i: BigInt(dataTypes[value as DType]),
    });
  }
  if (name === 'epsilon')
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: Number(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.STRING,
      s: new TextEncoder().encode(value),
    });
  }
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function encodeList(
  value: number | readonly number[],
  as: 'list' | 'scalar',
): TensorProto & { name: string } {
  const numbers = typeof value === 'number' ? [value] : value;
  const name = `${as}:${numbers.join(',')}`;
  const dims = as === 'list' ? [BigInt(numbers.length)] : [];
  const rawData = rawBytes(typedArray('int64', numbers));
  return Object.assign(create(TensorProtoSchema, { dims, dataType: DataType.INT64, rawData }), { name });
}

function encodeConstant({ name, node, dtype, shape }: Named<ConstantNode>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: shape.map(BigInt),
    dataType: dataTypes[dtype],
    rawData: rawBytes(node.attributes.data),
  });
}

function encodeParameter(x: Named<ParameterNode>, place: WeightPlace): TensorProto {
  const header = { name: x.name, dims: x.shape.map(BigInt), dataType: dataTypes[x.dtype] };
  if ('bytes' in place) return create(TensorProtoSchema, { ...header, rawData: rawBytes(place.bytes) });
  const { offset, length } = x.node.attributes;
  return create(TensorProtoSchema, {
    ...header,
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: place.fileName },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ],
  });
}

function encodeValueInfo({ name, dtype, shape }: TensorType & { readonly name: string }): ValueInfoProto {
  const dim = shape.map((size) =>
    typeof size === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
      : { value: { case: 'dimParam' as const, value: size } },
  );
  const value = { case: 'tensorType' as const, value: { elemType: dataTypes[dtype], shape: { dim } } };
  return create(ValueInfoProtoSchema, { name, type: { value } });
}

function uniqueByName(tensors: readonly TensorProto[]): TensorProto[] {
  return [...new Map(tensors.map((tensor) => [tensor.name, tensor])).values()];
}

/** ONNX stores raw data little endian, as every machine this runs on does. */
function rawBytes(data: TypedArray | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
