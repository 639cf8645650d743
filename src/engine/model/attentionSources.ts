/** Finds, for each position, the attention head that looks back hardest. */

import type { AttentionSource } from '../../shared/analysis.ts';
import type { HookName } from '../../shared/domain.ts';
import { floatsOf, type Value } from '../graph/value.ts';
import { blockHookName } from './hooks.ts';

/**
 * Keeps in `strongest[query]` the strongest look-back seen so far, given one layer's pattern `[1, head, query, key]`
 * of the newest queries. The first token, where idle heads rest, and the query itself are left out.
 */
export function collectStrongest(
  strongest: (AttentionSource | undefined)[],
  pattern: Value,
  layer: number,
): void {
  const [, nHeads = 0, queries = 0, keys = 0] = pattern.dims;
  const weights = floatsOf(pattern);
  const past = keys - queries;
  for (let head = 0; head < nHeads; head++) {
    for (let query = 0; query < queries; query++) {
      const row = (head * queries + query) * keys;
      let weight = strongest[query]?.weight ?? 0;
      for (let source = 1; source < past + query; source++) {
        if (weights[row + source]! <= weight) continue;
        weight = weights[row + source]!;
        strongest[query] = { layer, head, source, weight };
      }
    }
  }
}

/**
 * For `RunRequest.watch`: `see` is given the pattern of each layer from `first` on as soon as its block has run. All
 * layers' patterns together would be the largest thing of a run.
 */
export function watchPatterns(
  nLayers: number,
  see: (pattern: Value, layer: number) => void,
  first = 0,
): Map<HookName, (pattern: Value) => void> {
  const watch = new Map<HookName, (pattern: Value) => void>();
  for (let layer = first; layer < nLayers; layer++) {
    watch.set(blockHookName(layer, 'attn.hook_pattern'), (pattern) => see(pattern, layer));
  }
  return watch;
}
