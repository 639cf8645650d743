/**
 * What neurons do to the classifier's logit: integrated gradients as for features, with every coordinate of a site as a
 * feature of its own (the identity dictionary of Marks et al. 2024), IE_i = −x_i · mean ∂logit/∂x_i.
 */

import { floatsOf, floatValue } from '../../graph/value.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SiteEffects } from './featureEffects.ts';
import { type EffectRequest, sitePasses } from './integratedGradients.ts';

/** Effects of coordinates at every site, in the order of the sites. @throws cancelled */
export async function neuronEffects(model: Transformer, request: EffectRequest): Promise<SiteEffects[]> {
  const { texts, sites, before } = request;
  const found = sites.map(({ width }) => ({ effects: new Float32Array(texts.length * width), width }));
  for await (const { site, places, value, meanGradient } of sitePasses(model, request)) {
    const values = floatsOf(value);
    const slope = await meanGradient(async () => floatValue(new Float32Array(values.length), value.dims));
    const { effects, width } = found[site]!;
    const positions = values.length / (places.length * width);
    values.forEach((x, i) => {
      const row = Math.floor(i / width);
      if (row % positions < before) return;
      effects[places[Math.floor(row / positions)]! * width + (i % width)]! -= x * slope[i]!;
    });
  }
  return found;
}
