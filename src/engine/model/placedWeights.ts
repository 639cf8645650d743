/**
 * Decides from a model's headers, before anything is written, where its weights are used: where they lie, or in a file
 * converted to float32; and whether memory suffices for that.
 */
import type { CallOptions } from '../../shared/callOptions.ts';
import { isEngineError } from '../../shared/errors.ts';
import type { WeightFiles } from '../files/safetensorsFolder.ts';
import type { ConversionOptions } from './convertedWeights.ts';
import type { ModelSize } from './memory.ts';
import { availableMemory, checkMemory, memoryFor } from './memory.ts';

/** The ways in which a model's weights can be used. */
export interface WeightPlaces {
  /** With the weights as they lie. */
  readonly size: ModelSize;
  /** Where they lie; absent when they cannot be used there. */
  readonly inPlace?: () => Promise<WeightFiles>;
  /** From a file of float32 numbers, which is written first unless it is there. */
  readonly converted: () => Promise<WeightFiles>;
}

export interface PlaceOptions extends CallOptions, ConversionOptions {
  /** Bytes of memory that the model may take; what the system has to give when left out. */
  readonly memory?: number;
}

/**
 * Up to this many bytes of widened weights 16-bit ones are used where they lie. Beyond it the conversion pays for its
 * disk: see the fact on 16-bit weights in docs/architecture.md.
 */
const smallBytes = 256 * 2 ** 20;

/** @throws model.tooLarge before anything is written; as `convertedWeights`. */
export async function placedWeights(
  { size, inPlace, converted }: WeightPlaces,
  { memory }: Pick<PlaceOptions, 'memory'>,
): Promise<WeightFiles> {
  const available = memory ?? (await availableMemory());
  const needsLess = { ...size, widenedBytes: 0 };
  checkMemory(needsLess, available);
  if (!inPlace) return converted();
  const fitsInPlace = memoryFor(size) <= available;
  if (fitsInPlace && size.widenedBytes <= smallBytes) return inPlace();
  try {
    return await converted();
  } catch (error) {
    const isNoRoom = isEngineError(error, 'disk.full') || isEngineError(error, 'file.unreadable');
    if (fitsInPlace && isNoRoom) return inPlace();
    throw error;
  }
}
