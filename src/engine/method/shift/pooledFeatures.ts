/** Mean activations of chosen features over the positions of texts. */

import { throwIfCancelled } from '../../../shared/errors.ts';
import { floatsOf, floatValue } from '../../graph/value.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SiteFeature } from './ablateInside.ts';
import { meanOverPositions, textsPerBatch } from './pooledActivations.ts';
import type { ShiftSite } from './shiftSites.ts';

export interface PooledFeaturesRequest {
  readonly sites: readonly ShiftSite[];
  readonly features: readonly SiteFeature[];
  readonly texts: readonly Int32Array[];
  /** Positions before the text, which do not count. */
  readonly before: number;
  readonly signal?: AbortSignal;
  readonly advance?: (texts: number) => void;
}

/** For each feature `[text]`. @throws cancelled */
export async function pooledFeatures(
  model: Transformer,
  { sites, features, texts, before, signal, advance }: PooledFeaturesRequest,
): Promise<Float32Array[]> {
  const found = features.map(() => new Float32Array(texts.length));
  const bySite = sites.map((site, number) => ({
    site,
    name: blockHookName(site.layer, site.hook),
    places: features.flatMap((feature, place) => (feature.site === number ? [place] : [])),
  }));
  const used = bySite.filter(({ places }) => places.length > 0);
  const top = Math.max(-1, ...used.map(({ site }) => site.layer));
  for (const { tokens, places: rows } of batchesByLength(texts, textsPerBatch)) {
    throwIfCancelled(signal);
    const capture = used.map(({ name }) => name);
    const run = await model.run({ tokens, capture, stopAtLayer: top + 1, logits: 'none', signal });
    for (const { site, name, places } of used) {
      const chosen = places.map((place) => features[place]!.index);
      const active = floatsOf(await site.sae.chosen(run.hooks.get(name)!, chosen));
      const means = meanOverPositions(
        floatValue(active, [tokens.length, tokens[0]!.length, chosen.length]),
        before,
      );
      places.forEach((place, column) => {
        rows.forEach((text, row) => {
          found[place]![text] = means.data[row * means.width + column]!;
        });
      });
    }
    advance?.(rows.length);
  }
  return found;
}
