/** Interventions that take features, or neurons, out of a run, everything behind them recomputed. */

import { floatsOf, floatValue } from '../../graph/value.ts';
import type { HookEdit, LateEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import type { ShiftSite } from './shiftSites.ts';

/** A feature by the number of its site. */
export interface SiteFeature {
  readonly site: number;
  readonly index: number;
}

/**
 * Ablation inside the splice: at each site `x + Σ (v_i − f_i) W_dec,i` over the ablated features i, with f encoded anew in
 * the run, so that the SAE's error stays as it is (Marks et al. 2024, §4.1). `values`: v of each feature; 0 when left out.
 */
export function featureAblation(
  sites: readonly ShiftSite[],
  features: readonly SiteFeature[],
  values?: readonly number[],
): LateEdit[] {
  return sites.flatMap(({ layer, hook, sae }, site) => {
    const changes = features.flatMap((feature, i) =>
      feature.site === site ? [{ feature: feature.index, factor: 0, offset: values?.[i] ?? 0 }] : [],
    );
    if (changes.length === 0) return [];
    const name = blockHookName(layer, hook);
    const edit: LateEdit = {
      hook: name,
      resolve: async (value) => ({
        hook: name,
        keep: 1,
        add: floatValue(floatsOf(await sae.change(value, changes)), value.dims),
      }),
    };
    return [edit];
  });
}

/** Mean ablation of single coordinates of the sites' hooks. `means`: by site, `[width]`. */
export function neuronAblation(
  sites: readonly ShiftSite[],
  neurons: readonly SiteFeature[],
  means: readonly Float32Array[],
): HookEdit[] {
  return sites.flatMap(({ layer, hook, width, dims }, site) => {
    const chosen = neurons.filter((neuron) => neuron.site === site);
    if (chosen.length === 0) return [];
    const keep = new Float32Array(width).fill(1);
    const add = new Float32Array(width);
    for (const { index } of chosen) {
      keep[index] = 0;
      add[index] = means[site]![index]!;
    }
    const shape = [1, 1, ...dims];
    return [{ hook: blockHookName(layer, hook), keep: floatValue(keep, shape), add: floatValue(add, shape) }];
  });
}
