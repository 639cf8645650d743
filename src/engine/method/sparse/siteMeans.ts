/** Means of features and errors over reference prompts, by length and position: what stands in for nodes that are ablated. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import type { Transformer } from '../../model/transformer.ts';
import { isFree, mostRows, type SparseSite } from './sparseSites.ts';

/** The means at one site for prompts of one length. */
export interface SiteMean {
  /** `[position, feature]`. */
  readonly activations: Float32Array;
  /** `[position, d_model]`, where features leave something over. */
  readonly errors?: Float32Array;
}

/** The means over prompts of one length; none at sites that are never ablated. */
export interface LengthMeans {
  readonly prompts: number;
  readonly sites: readonly (SiteMean | undefined)[];
}

/** By length of the prompt. */
export type SiteMeans = ReadonlyMap<number, LengthMeans>;

export interface MeansRequest {
  readonly prompts: readonly Int32Array[];
  /** Sites below need no means, as `isFree` says. */
  readonly startLayer: number;
}

const promptsPerBatch = 32;

/** Runs every prompt once. */
export async function siteMeans(
  model: Transformer,
  sites: readonly SparseSite[],
  { prompts, startLayer }: MeansRequest,
  { signal, report }: CallOptions = {},
): Promise<SiteMeans> {
  const { dModel } = model.config;
  const capture = sites.flatMap((site) => (isFree(site, startLayer) ? [] : [site.hook]));
  const byLength = new Map<number, Int32Array[]>();
  for (const tokens of prompts) byLength.set(tokens.length, [...(byLength.get(tokens.length) ?? []), tokens]);
  const sums = new Map<number, LengthMeans>();
  let done = 0;
  for (const [length, same] of byLength) {
    const found = sites.map((site) =>
      isFree(site, startLayer) ? undefined : emptyMean(site, length, dModel),
    );
    sums.set(length, { prompts: same.length, sites: found });
    const size = Math.max(1, Math.min(promptsPerBatch, Math.floor(mostRows(sites) / length)));
    for (let start = 0; start < same.length; start += size) {
      throwIfCancelled(signal);
      const tokens = same.slice(start, start + size);
      const run = await model.run({ tokens, capture, logits: 'none', signal });
      for (const [i, { dictionary, hook }] of sites.entries()) {
        const mean = found[i];
        if (!mean) continue;
        const { activations, errors } = await dictionary.code(run.hooks.get(hook)!);
        addShare(mean.activations, activations, 1 / same.length);
        if (errors) addShare(mean.errors!, errors, 1 / same.length);
      }
      done += tokens.length;
      report?.({ done, total: prompts.length, what: 'Taking means' });
    }
  }
  return sums;
}

function emptyMean({ dictionary }: SparseSite, length: number, dModel: number): SiteMean {
  const activations = new Float32Array(length * dictionary.width);
  return { activations, ...(dictionary.hasError && { errors: new Float32Array(length * dModel) }) };
}

/** Adds `share` of values `[prompt, …]` to `sum` `[…]`, prompt by prompt. */
function addShare(sum: Float32Array, values: Float32Array, share: number): void {
  for (let i = 0; i < values.length; i++) sum[i % sum.length]! += share * values[i]!;
}
