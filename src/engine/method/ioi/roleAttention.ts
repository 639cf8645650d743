/**
 * How much each head attends from the end of the prompt to the names (Wang et al. 2022, §3.1 and §3.2): the mean over prompts of
 * A[END, IO], A[END, S1] and A[END, S2]. Name movers attend to IO, S-inhibition heads to S2.
 */

import type { HookName } from '../../../shared/domain.ts';
import type { CallOptions } from '../../../shared/engineApi.ts';
import { floatsOf, type Value } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { TokenPair } from '../../task/task.ts';
import { type IoiRole, positionOf } from './ioiTask.ts';

/** Mean attention by role, `[head]` in the order of `allHeads`. */
export type RoleAttention = Readonly<Record<'IO' | 'S1' | 'S2', Float64Array>>;

export const attendedRoles = ['IO', 'S1', 'S2'] as const;

/** @throws cancelled */
export async function attentionToRoles(
  model: Transformer,
  pairs: readonly TokenPair[],
  { signal }: CallOptions = {},
): Promise<RoleAttention> {
  const { nLayers, nHeads } = model.config;
  const sums = emptyRoleAttention(nLayers * nHeads);
  const prompts = pairs.map(({ clean }) => clean);
  for (const { tokens, places } of batchesByLength(prompts, 32)) {
    const batch = places.map((place) => pairs[place]!);
    const watch = new Map<HookName, (value: Value) => void>();
    for (let layer = 0; layer < nLayers; layer++) {
      watch.set(blockHookName(layer, 'attn.hook_pattern'), (pattern) => {
        batch.forEach((pair, row) => {
          addAttention(sums, pattern, row, pair, { first: layer * nHeads, by: 1 / pairs.length });
        });
      });
    }
    await model.run({ tokens, watch, logits: 'none', signal });
  }
  return sums;
}

export function emptyRoleAttention(size: number): RoleAttention {
  return { IO: new Float64Array(size), S1: new Float64Array(size), S2: new Float64Array(size) };
}

/** Adds the attention of one row of `pattern` `[batch, head, position, key]` from END, `by` times, for all its heads. */
export function addAttention(
  sums: RoleAttention,
  pattern: Value,
  row: number,
  pair: TokenPair,
  { first, by }: { readonly first: number; readonly by: number },
): void {
  const [, heads = 0] = pattern.dims;
  for (let head = 0; head < heads; head++) {
    for (const role of attendedRoles)
      sums[role][first + head]! += by * attentionFromEnd(pattern, row, head, pair, role);
  }
}

/** A[END, role] of one head in one row of `[batch, head, position, key]`. */
export function attentionFromEnd(
  pattern: Value,
  row: number,
  head: number,
  pair: TokenPair,
  role: IoiRole,
): number {
  const [, heads = 0, positions = 0, keys = 0] = pattern.dims;
  const start = ((row * heads + head) * positions + positionOf(pair, 'END')) * keys;
  return floatsOf(pattern)[start + positionOf(pair, role)]!;
}
