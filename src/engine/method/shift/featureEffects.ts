/**
 * What features do to the classifier's logit: integrated gradients with a zero patch (Sundararajan et al. 2017;
 * Marks et al. 2024, §3.1 and §4.1). At one site after the other, features and error go to zero in N steps,
 * IE_i = −f_i · (1/N) Σ_k ∂logit/∂f_i at α_k = 1 − k/N (left Riemann sum), summed over the positions of a text.
 */

import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { HookEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength } from '../../model/tokenBatches.ts';
import type { RunResult, Transformer } from '../../model/transformer.ts';
import type { Probe } from './probe.ts';
import { probeGradients } from './probeGradients.ts';
import type { BlockPlace, ShiftSite } from './shiftSites.ts';

export interface EffectRequest {
  readonly probe: Probe;
  readonly reads: BlockPlace;
  readonly sites: readonly ShiftSite[];
  readonly texts: readonly Int32Array[];
  /** Positions before the text: effects there do not count. */
  readonly before: number;
  /** N; 10 in the paper. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** Called when a text is done at one site. */
  readonly advance?: (texts: number) => void;
}

/** Effects of one site's features on each text. */
export interface SiteEffects {
  /** `[text, d_sae]`: signed, in logits. */
  readonly effects: Float32Array;
  readonly dSae: number;
}

/** Tokens that run at once: a text in all its steps counts as often as there are steps. */
const tokensPerRun = 4096;

/** Texts of one length that are taken together. */
const mostTexts = 16;

/** Effects at every site, in the order of the sites. @throws cancelled */
export async function featureEffects(model: Transformer, request: EffectRequest): Promise<SiteEffects[]> {
  const { texts, sites, reads, steps = 10, signal } = request;
  const found = sites.map(({ sae: { config } }) => ({
    effects: new Float32Array(texts.length * config.dSae),
    dSae: config.dSae,
  }));
  const longest = Math.max(1, ...texts.map(({ length }) => length));
  const size = Math.max(1, Math.min(mostTexts, Math.floor(tokensPerRun / (longest * steps))));
  for (const { tokens, places } of batchesByLength(texts, size)) {
    const capture = sites.map(({ layer, hook }) => blockHookName(layer, hook));
    const clean = await model.run({ tokens, capture, stopAtLayer: reads.layer + 1, logits: 'none', signal });
    for (const [i, site] of sites.entries()) {
      throwIfCancelled(signal);
      const value = clean.hooks.get(capture[i]!)!;
      const coded = await site.sae.coded(value);
      const slope = await meanGradient(model, request, { site, clean, value, steps });
      const rows = await textEffects(site, {
        value,
        activations: coded.activations,
        slope,
        before: request.before,
      });
      const { effects, dSae } = found[i]!;
      places.forEach((place, row) => {
        effects.set(rows.subarray(row * dSae, (row + 1) * dSae), place * dSae);
      });
      request.advance?.(places.length);
    }
  }
  return found;
}

interface SitePass {
  readonly site: ShiftSite;
  readonly clean: RunResult;
  /** The site's value `[batch, position, …]` in the clean run. */
  readonly value: Value;
  readonly steps: number;
}

/** The gradient at a site, averaged over the steps from the clean value to zero: `[batch, position, …]`. */
async function meanGradient(
  model: Transformer,
  { probe, reads, before, signal }: EffectRequest,
  { site, clean, value, steps }: SitePass,
): Promise<Float32Array> {
  const isRead = site.layer === reads.layer && site.hook === reads.hook;
  if (isRead) {
    const [linear] = await probeGradients(model, {
      probe,
      reads,
      before,
      residuals: clean.residuals,
      places: [site],
    });
    return floatsOf(linear!);
  }
  const zero = floatsOf(await zeroPatch(site, value));
  const values = floatsOf(value);
  const path = new Float32Array(values.length * steps);
  for (let k = 0; k < steps; k++) {
    const left = 1 - k / steps;
    for (let i = 0; i < values.length; i++)
      path[k * values.length + i] = zero[i]! + left * (values[i]! - zero[i]!);
  }
  const [batch = 1, ...rest] = value.dims;
  const edits: HookEdit[] = [
    { hook: blockHookName(site.layer, site.hook), keep: 0, add: floatValue(path, [steps * batch, ...rest]) },
  ];
  const residual = repeated(clean.residuals[site.layer]!, steps);
  const run = await model.run({
    from: { layer: site.layer, residual },
    edits,
    stopAtLayer: reads.layer + 1,
    logits: 'none',
    signal,
  });
  const [gradient] = await probeGradients(model, {
    probe,
    reads,
    before,
    residuals: run.residuals,
    edits,
    places: [site],
  });
  const all = floatsOf(gradient!);
  const mean = new Float32Array(values.length);
  all.forEach((slope, i) => {
    mean[i % values.length]! += slope / steps;
  });
  return mean;
}

/** What the SAE writes when no feature is active and the error is zero: x̂ − f · W_dec. */
async function zeroPatch({ sae, width }: ShiftSite, value: Value): Promise<FloatValue> {
  const { activations, reconstruction } = await sae.coded(value);
  const scales = await sae.writeScales(value);
  const written = reconstruction.data.slice();
  await forEachActive(sae, activations.data, async (row, f, direction) => {
    const scale = f * scales[row]!;
    for (let i = 0; i < width; i++) written[row * width + i]! -= scale * direction[i]!;
  });
  return floatValue(written, value.dims);
}

interface SlopedSite {
  readonly value: Value;
  readonly activations: FloatValue;
  /** `[batch, position, …]` */
  readonly slope: Float32Array;
  readonly before: number;
}

/** −f · (W_dec · slope), summed over positions: `[text, d_sae]`. */
async function textEffects(
  { sae, width }: ShiftSite,
  { value, activations, slope, before }: SlopedSite,
): Promise<Float32Array> {
  const [batch = 1, positions = 1] = value.dims;
  const { dSae } = sae.config;
  const scales = await sae.writeScales(value);
  const effects = new Float32Array(batch * dSae);
  await forEachActive(sae, activations.data, (row, f, direction, feature) => {
    if (row % positions < before) return;
    let along = 0;
    for (let i = 0; i < width; i++) along += slope[row * width + i]! * direction[i]!;
    effects[Math.floor(row / positions) * dSae + feature]! -= f * scales[row]! * along;
  });
  return effects;
}

type VisitActive = (row: number, activation: number, direction: Float32Array, feature: number) => void;

/** Calls `visit` for every active feature of every row, with what a unit of it writes. */
async function forEachActive(
  sae: ShiftSite['sae'],
  activations: Float32Array,
  visit: VisitActive,
): Promise<void> {
  const { dSae } = sae.config;
  const active = new Map<number, number>();
  activations.forEach((f, i) => {
    if (f !== 0 && !active.has(i % dSae)) active.set(i % dSae, active.size);
  });
  if (active.size === 0) return;
  const directions = (await sae.decoderRows([...active.keys()])).data;
  const width = directions.length / active.size;
  activations.forEach((f, i) => {
    if (f === 0) return;
    const feature = i % dSae;
    const at = active.get(feature)! * width;
    visit(Math.floor(i / dSae), f, directions.subarray(at, at + width), feature);
  });
}

function repeated(value: Value, times: number): FloatValue {
  const data = floatsOf(value);
  const all = new Float32Array(data.length * times);
  for (let k = 0; k < times; k++) all.set(data, k * data.length);
  const [batch = 1, ...rest] = value.dims;
  return floatValue(all, [batch * times, ...rest]);
}
