/** Widens weights stored in 16 bits to float32, once, into a file that programs map. */

import { bfloat16ToFloat32, float16ToFloat32 } from '../files/halfFloat.ts';
import type { LocatedTensor, WeightFiles } from '../files/safetensorsFolder.ts';
import type { StreamedTensor } from '../files/safetensorsStream.ts';
import { bytesOf, sourcesOf } from './alignedWeights.ts';
import { type ConversionOptions, convertedWeights } from './convertedWeights.ts';

/**
 * All floating-point tensors of `source` as float32.
 * @throws as `convertedWeights`.
 */
export function widenedWeights(
  path: string,
  source: WeightFiles,
  options: ConversionOptions,
): Promise<WeightFiles> {
  const tensors = [...source.tensors].flatMap(([name, tensor]): readonly StreamedTensor[] => {
    const { dtype, shape } = tensor;
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') return [];
    const pieces =
      dtype === 'F32' ? () => bytesOf(tensor, options.signal) : () => widened(tensor, options.signal);
    return [{ name, dtype: 'F32', shape, pieces }];
  });
  const what = `Converting ${path} to float32`;
  return convertedWeights({ kind: 'widened', path, sources: sourcesOf(source), what, tensors }, options);
}

async function* widened(
  tensor: LocatedTensor,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array> {
  const widen = tensor.dtype === 'F16' ? float16ToFloat32 : bfloat16ToFloat32;
  for await (const { buffer, byteOffset, byteLength } of bytesOf(tensor, signal)) {
    yield widen(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
}
