/**
 * Old safetensors files, GPT-2's among them, have headers of odd length, so that no number starts where the runtime could
 * map it. Large ones are copied once into a file where they do.
 */

import { throwIfCancelled } from '../../shared/errors.ts';
import { readBytes, withFile } from '../files/regularFile.ts';
import type { LocatedTensor, WeightFiles } from '../files/safetensorsFolder.ts';
import type { StreamedTensor } from '../files/safetensorsStream.ts';
import { isInPlace } from '../files/tensorFile.ts';
import { type ConversionOptions, convertedWeights } from './convertedWeights.ts';

/** Up to this many bytes in all are copied into the programs instead. */
const copiedBytes = 32 * 2 ** 20;
const pieceBytes = 8 * 2 ** 20;

/**
 * `source` itself when its weights can be used in place, else a copy whose weights can.
 * @throws as `convertedWeights`.
 */
export async function alignedWeights(
  path: string,
  source: WeightFiles,
  options: ConversionOptions,
): Promise<WeightFiles> {
  const floats = [...source.tensors].flatMap(([name, tensor]) => {
    const { dtype } = tensor;
    return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' ? [{ name, dtype, tensor }] : [];
  });
  const misplaced = floats.filter(({ tensor }) => !isInPlace(tensor));
  if (misplaced.reduce((sum, { tensor }) => sum + tensor.length, 0) <= copiedBytes) return source;
  const tensors = floats.map(({ name, dtype, tensor }): StreamedTensor => {
    const { shape } = tensor;
    return { name, dtype, shape, pieces: () => bytesOf(tensor, options.signal) };
  });
  const what = `Laying out the weights of ${path} anew`;
  return convertedWeights({ kind: 'aligned', path, sources: sourcesOf(source), what, tensors }, options);
}

/** The files that hold `source`'s tensors, with their stamps. */
export function sourcesOf({ tensors }: WeightFiles): Readonly<Record<string, string>> {
  return Object.fromEntries([...tensors.values()].map(({ file, stamp }) => [file, stamp]));
}

/** The tensor's bytes as they lie in its file, in pieces of whole numbers. */
export async function* bytesOf(
  { file, stamp, offset, length }: LocatedTensor,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length; done += pieceBytes) {
    throwIfCancelled(signal);
    const count = Math.min(pieceBytes, length - done);
    yield await withFile(file, (handle) => readBytes(file, handle, offset + done, count), stamp);
  }
}
