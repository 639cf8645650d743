/**
 * What heads write on the reference distribution, to put in the place of what they write on a prompt: the mean of
 * `attn.hook_z` over the corrupted prompts of the same template, position by position (Wang et al. 2022, §2.1 and appendix
 * on knock-outs). A head's output is linear in z, so that the mean of one is the mean of the other.
 */
import type { HookName } from '../../../shared/domain.ts';
import { floatsOf, type Value } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { TokenPair } from '../../task/task.ts';

export interface TemplateMeans {
  /** `[pair]`: the group whose mean stands in for it. */
  readonly groups: readonly number[];
  /** `[group][layer]`: `[position · head · d_head]`. */
  readonly means: readonly (readonly Float32Array[])[];
  /** `[group]`: how many prompts are behind it. */
  readonly sizes: readonly number[];
}

/** Pairs share a mean when they have the template, the length, and the places of the roles in common. @throws cancelled */
export async function templateMeans(
  model: Transformer,
  pairs: readonly TokenPair[],
  signal?: AbortSignal,
): Promise<TemplateMeans> {
  const { nLayers, nHeads, dHead } = model.config;
  const keys = pairs.map(groupKey);
  const known = [...new Set(keys)];
  const groups = keys.map((key) => known.indexOf(key));
  const sizes = known.map((_, group) => groups.filter((other) => other === group).length);
  const means = known.map((key) => {
    const { length } = pairs[keys.indexOf(key)]!.clean;
    return Array.from({ length: nLayers }, () => new Float32Array(length * nHeads * dHead));
  });
  const prompts = pairs.map(({ corrupted }) => corrupted);
  for (const { tokens, places } of batchesByLength(prompts, 32)) {
    const watch = new Map<HookName, (value: Value) => void>();
    for (let layer = 0; layer < nLayers; layer++) {
      watch.set(blockHookName(layer, 'attn.hook_z'), (z) => {
        const data = floatsOf(z);
        const size = data.length / places.length;
        places.forEach((place, row) => {
          const group = groups[place]!;
          const [sum, by] = [means[group]![layer]!, 1 / sizes[group]!];
          for (let i = 0; i < size; i++) sum[i]! += by * data[row * size + i]!;
        });
      });
    }
    await model.run({ tokens, watch, logits: 'none', signal });
  }
  return { groups, means, sizes };
}

/** How many pairs the smallest group has. */
export function smallestTemplate(pairs: readonly TokenPair[]): number {
  const sizes = new Map<string, number>();
  for (const pair of pairs) sizes.set(groupKey(pair), (sizes.get(groupKey(pair)) ?? 0) + 1);
  return Math.min(...sizes.values());
}

/** How many means there are. */
export function countTemplates(pairs: readonly TokenPair[]): number {
  return new Set(pairs.map(groupKey)).size;
}

function groupKey({ template, clean, roles }: TokenPair): string {
  return JSON.stringify([template, clean.length, roles]);
}
