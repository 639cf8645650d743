/** Says beforehand whether an SAE would fit into memory beside what is open already. */
import { EngineError } from '../../shared/errors.ts';
import { elementCount } from '../graph/value.ts';
import type { SaeFolder } from './format.ts';

/**
 * Bytes for each number of a weight: the copy that a program has laid out for speed, and room for the values of a run.
 * Numbers stored in another width are widened in the programs for features and for reconstruction each.
 */
const perNumber = { float32: 1.3 * 4, other: 2.6 * 4 } as const;

/** Bytes that the open SAE takes at most. */
export function memoryForSae({ tensors }: Pick<SaeFolder, 'tensors'>): number {
  return [...tensors.values()].reduce((sum, { shape, place }) => {
    const isPlain = place === undefined || place.dtype === 'F32';
    return sum + elementCount(shape) * perNumber[isPlain ? 'float32' : 'other'];
  }, 0);
}

/** @throws sae.tooLarge when `available` bytes are not enough for the SAE. */
export function checkSaeMemory(folder: Pick<SaeFolder, 'id' | 'tensors'>, available: number): void {
  const needed = memoryForSae(folder);
  if (needed <= available) return;
  const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new EngineError('sae.tooLarge', {
    path: folder.id,
    needed: inGigabytes(needed),
    available: inGigabytes(available),
  });
}
