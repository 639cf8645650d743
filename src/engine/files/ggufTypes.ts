/**
 * The number formats that GGUF files store tensors in, by their ids in ggml
 * (https://github.com/ggml-org/ggml/blob/master/include/ggml.h): numbers per block, and bytes per block.
 */

/** Formats that can be read here, each exactly. */
export const readableGgufTypes = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q4_K',
  'Q5_K',
  'Q6_K',
] as const;

export type ReadableGgufType = (typeof readableGgufTypes)[number];

export interface GgufType {
  readonly name: string;
  /** Numbers in one block. Rows hold whole blocks. */
  readonly block: number;
  /** Bytes of one block. */
  readonly bytes: number;
}

const rows: readonly (readonly [id: number, name: string, block: number, bytes: number])[] = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 40],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
];

/** By id. Formats that cannot be read are known too, so that files which hold them are measured and named rightly. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map(
  rows.map(([id, name, block, bytes]) => [id, { name, block, bytes }]),
);

export function isReadableGgufType(name: string): name is ReadableGgufType {
  return (readableGgufTypes as readonly string[]).includes(name);
}
