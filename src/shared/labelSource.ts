/** What the features of an SAE are called where labels are kept and exchanged. */
import type { SaeInfo } from './domain.ts';

/**
 * As Neuronpedia names the source of the features where it knows it, else hook and hash, which are the same on every
 * machine.
 */
export function labelSourceOf({
  neuronpediaId,
  hook,
  hash,
}: Pick<SaeInfo, 'neuronpediaId' | 'hook' | 'hash'>): string {
  return neuronpediaId ?? `${hook}@${hash}`;
}
