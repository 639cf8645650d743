/** Means of features and errors over reference prompts, by length and position: what stands in for nodes that are ablated. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SparseSite } from './sparseSites.ts';

/** The means at one site for prompts of one length. */
export interface SiteMean {
  /** `[position, feature]`. */
  readonly activations: Float32Array;
  /** `[position, d_model]`, where features leave something over. */
  readonly errors?: Float32Array;
}

/** By length of the prompt, then by site. */
export type SiteMeans = ReadonlyMap<number, readonly SiteMean[]>;

const promptsPerBatch = 32;

/** Runs every prompt once. */
export async function siteMeans(
  model: Transformer,
  sites: readonly SparseSite[],
  prompts: readonly Int32Array[],
  { signal, report }: CallOptions = {},
): Promise<SiteMeans> {
  const sums = new Map<number, SiteMean[]>();
  const counts = new Map<number, number>();
  for (const { length } of prompts) counts.set(length, (counts.get(length) ?? 0) + 1);
  let done = 0;
  for (const { tokens } of batchesByLength(prompts, promptsPerBatch)) {
    throwIfCancelled(signal);
    const { length } = tokens[0]!;
    const run = await model.run({
      tokens,
      capture: sites.map(({ hook }) => hook),
      logits: 'none',
      signal,
    });
    const found = sums.get(length) ?? sites.map((site) => emptyMean(site, length, model.config.dModel));
    sums.set(length, found);
    for (const [i, { dictionary, hook }] of sites.entries()) {
      const { activations, errors } = await dictionary.code(run.hooks.get(hook)!);
      addShare(found[i]!.activations, activations, 1 / counts.get(length)!);
      if (errors) addShare(found[i]!.errors!, errors, 1 / counts.get(length)!);
    }
    done += tokens.length;
    report?.({ done, total: prompts.length, what: 'Taking means' });
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
