/** The memory that a sparse feature circuit takes beside the model's weights. */
import type { ModelConfig } from '../../model/config.ts';
import { type EffectRequest, effectBatches } from './nodeEffects.ts';

/** Streams, values, gradients and changes that are kept for each site. */
const keptPerSite = 4;

/**
 * Bytes at most: what is kept of every pair, the widest batch with its steps and activations, the means by position, and
 * the edges among `nodes`.
 */
export function searchMemory(
  { nLayers, dModel, dMlp, dVocab }: ModelConfig,
  effects: EffectRequest,
  nodes: number,
): number {
  const { sites, pairs, method, steps } = effects;
  const tokens = pairs.reduce((sum, { clean }) => sum + clean.length, 0);
  const lengths = new Set(pairs.map(({ clean }) => clean.length));
  const widths = sites.map(({ dictionary }) => dictionary.width);
  const batch = Math.max(0, ...effectBatches(effects).map((one) => one.pairs.length * one.length));
  const rows = batch * (method === 'ig' ? steps : 1);
  const kept = keptPerSite * tokens * sites.length * dModel;
  const blocks = rows * nLayers * (4 * dModel + 2 * dMlp) + rows * dVocab;
  const codes = 3 * batch * Math.max(0, ...widths);
  const means =
    [...lengths].reduce((sum, length) => sum + length, 0) *
    widths.reduce((sum, width) => sum + width + dModel, 0);
  return 4 * (kept + blocks + codes + means) + 8 * nodes ** 2;
}
