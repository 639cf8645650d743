/**
 * The skyline of neurons: coordinates of the sites' hooks whose zero ablation should help most on balanced biographies,
 * by attribution patching with a zero patch (Marks et al. 2024, §4.1). It reads the balanced labels, as no user could.
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import { floatsOf } from '../../graph/value.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { SiteFeature } from './ablateInside.ts';
import { beforeText, type ConfoundedProbe, siteHook } from './confoundedProbe.ts';
import { textsPerBatch } from './pooledActivations.ts';
import { probeGradients } from './probeGradients.ts';

/** Balanced biographies that are looked at. */
const mostTexts = 200;

/** The `count` neurons that push the classifier away from the right profession most, on the mean. */
export async function harmfulNeurons(
  { inputs, sets, sites, reads, probe }: ConfoundedProbe,
  count: number,
  { signal }: CallOptions = {},
): Promise<SiteFeature[]> {
  const { model } = inputs;
  const texts = sets.judged.slice(0, mostTexts);
  const harm = sites.map(({ width }) => new Float64Array(width));
  const before = beforeText(inputs);
  const capture = sites.map(siteHook);
  for (const { tokens, places } of batchesByLength(
    texts.map((text) => text.tokens),
    textsPerBatch,
  )) {
    throwIfCancelled(signal);
    const run = await model.run({ tokens, capture, stopAtLayer: reads.layer + 1, logits: 'none', signal });
    const { residuals } = run;
    const slopes = await probeGradients(model, { probe, reads, before, residuals, places: sites });
    const rights = places.map((place) => (texts[place]!.profession === 1 ? 1 : -1));
    for (const [i, { width }] of sites.entries()) {
      const values = floatsOf(run.hooks.get(capture[i]!)!);
      const slope = floatsOf(slopes[i]!);
      const perText = values.length / tokens.length;
      for (let at = 0; at < values.length; at++) {
        const right = rights[Math.floor(at / perText)]!;
        harm[i]![at % width]! -= right * values[at]! * slope[at]!;
      }
    }
  }
  const all = harm.flatMap((site, number) =>
    Array.from(site, (sum, index) => ({ site: number, index, sum })),
  );
  return all
    .sort((a, b) => b.sum - a.sum)
    .slice(0, count)
    .map(({ site, index }) => ({ site, index }));
}
