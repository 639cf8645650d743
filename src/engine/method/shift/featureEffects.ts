/**
 * What features do to the classifier's logit: integrated gradients with a zero patch (Marks et al. 2024, §3.1 and §4.1).
 * At one site after the other, features and error go to zero, IE_i = −f_i · mean ∂logit/∂f_i, summed over the positions of
 * a text.
 */

import { type FloatValue, floatValue, type Value } from '../../graph/value.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';
import { type EffectRequest, sitePasses } from './integratedGradients.ts';
import type { ShiftSite } from './shiftSites.ts';

/** What taking out each feature, or neuron, of one site does to the logit of each text. */
export interface SiteEffects {
  /** `[text, width]`: signed, in logits. */
  readonly effects: Float32Array;
  /** Features or neurons of the site. */
  readonly width: number;
}

/** Effects of features at every site, in the order of the sites. @throws cancelled */
export async function featureEffects(model: Transformer, request: EffectRequest): Promise<SiteEffects[]> {
  const { texts, sites, before } = request;
  const found = sites.map(({ sae: { config } }) => ({
    effects: new Float32Array(texts.length * config.dSae),
    width: config.dSae,
  }));
  for await (const { site, places, value, meanGradient } of sitePasses(model, request)) {
    const coded = await codedSite(sites[site]!, value);
    const slope = await meanGradient(() => zeroPatch(coded));
    const rows = await textEffects(coded, slope, before);
    const { effects, width } = found[site]!;
    places.forEach((place, row) => {
      effects.set(rows.subarray(row * width, (row + 1) * width), place * width);
    });
  }
  return found;
}

/** A site's value as its SAE sees it. */
interface CodedSite {
  readonly sae: SparseAutoencoder;
  /** Numbers of one position. */
  readonly width: number;
  readonly value: Value;
  readonly activations: FloatValue;
  readonly reconstruction: FloatValue;
  /** What the decoder's rows are multiplied with at each position. */
  readonly scales: Float32Array;
}

async function codedSite({ sae, width }: ShiftSite, value: Value): Promise<CodedSite> {
  const scales = await sae.writeScales(value);
  return { sae, width, value, scales, ...(await sae.coded(value)) };
}

/** What the SAE writes when no feature is active and the error is zero: x̂ − f · W_dec. */
async function zeroPatch(coded: CodedSite): Promise<FloatValue> {
  const { width, scales, reconstruction, value } = coded;
  const written = reconstruction.data.slice();
  await forEachActive(coded, (row, f, direction) => {
    const scale = f * scales[row]!;
    for (let i = 0; i < width; i++) written[row * width + i]! -= scale * direction[i]!;
  });
  return floatValue(written, value.dims);
}

/** −f · (W_dec · slope), summed over positions: `[text, d_sae]`. `slope` is `[batch, position, …]`. */
async function textEffects(coded: CodedSite, slope: Float32Array, before: number): Promise<Float32Array> {
  const { sae, width, scales, value } = coded;
  const [batch = 1, positions = 1] = value.dims;
  const { dSae } = sae.config;
  const effects = new Float32Array(batch * dSae);
  await forEachActive(coded, (row, f, direction, feature) => {
    if (row % positions < before) return;
    let along = 0;
    for (let i = 0; i < width; i++) along += slope[row * width + i]! * direction[i]!;
    effects[Math.floor(row / positions) * dSae + feature]! -= f * scales[row]! * along;
  });
  return effects;
}

type VisitActive = (row: number, activation: number, direction: Float32Array, feature: number) => void;

/** Calls `visit` for every active feature of every row, with what a unit of it writes. */
async function forEachActive({ sae, activations: { data } }: CodedSite, visit: VisitActive): Promise<void> {
  const { dSae } = sae.config;
  const active = new Map<number, number>();
  data.forEach((f, i) => {
    if (f !== 0 && !active.has(i % dSae)) active.set(i % dSae, active.size);
  });
  if (active.size === 0) return;
  const directions = (await sae.decoderRows([...active.keys()])).data;
  const width = directions.length / active.size;
  data.forEach((f, i) => {
    if (f === 0) return;
    const feature = i % dSae;
    const at = active.get(feature)! * width;
    visit(Math.floor(i / dSae), f, directions.subarray(at, at + width), feature);
  });
}
