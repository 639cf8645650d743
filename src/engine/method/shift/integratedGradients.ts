/**
 * Gradients of the classifier's logit at the sites below it, averaged along the way from a site's value to what stands for
 * zero there (Sundararajan et al. 2017; Marks et al. 2024, §3.1): one site after the other, N steps at α_k = 1 − k/N
 * (left Riemann sum).
 */

import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value } from '../../graph/value.ts';
import type { HookEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import { batchesByLength, type TokenBatch } from '../../model/tokenBatches.ts';
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
  /** N; 10 when left out, as in the paper. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** Called when a text is done at one site. */
  readonly advance?: (texts: number) => void;
}

/** Some texts of one length at one site. */
export interface SitePass {
  /** The site's number in the request, and the numbers of the texts. */
  readonly site: number;
  readonly places: readonly number[];
  /** The site's value in the clean run: `[batch, position, …]`. */
  readonly value: Value;
  /** ∂logit/∂x in the value's shape, the mean on the way to `zero`, which is asked for where it matters. */
  meanGradient(zero: () => Promise<FloatValue>): Promise<Float32Array>;
}

/** N as in the paper. */
export const usualSteps = 10;

/** Tokens that run at once: a text in all its steps counts as often as there are steps. */
export const tokensPerRun = 4096;

/** Texts of one length that are taken together. */
const mostTexts = 16;

/** Every site on every text. @throws cancelled */
export async function* sitePasses(model: Transformer, request: EffectRequest): AsyncGenerator<SitePass> {
  const { sites, reads, signal } = request;
  const capture = sites.map(({ layer, hook }) => blockHookName(layer, hook));
  for (const { tokens, places } of effectBatches(request)) {
    const clean = await model.run({ tokens, capture, stopAtLayer: reads.layer + 1, logits: 'none', signal });
    for (const [site, name] of capture.entries()) {
      throwIfCancelled(signal);
      const value = clean.hooks.get(name)!;
      const pass = { site: sites[site]!, clean, value };
      yield { site, places, value, meanGradient: (zero) => meanGradient(model, request, pass, zero) };
      request.advance?.(places.length);
    }
  }
}

/** The texts as they run together. */
export function effectBatches({
  texts,
  steps = usualSteps,
}: Pick<EffectRequest, 'texts' | 'steps'>): TokenBatch[] {
  const longest = Math.max(1, ...texts.map(({ length }) => length));
  const size = Math.max(1, Math.min(mostTexts, Math.floor(tokensPerRun / (longest * steps))));
  return batchesByLength(texts, size);
}

/** Whether the classifier reads the very value of the site, so that its gradient is the same all along the way. */
export function isRead({ layer, hook }: BlockPlace, reads: BlockPlace): boolean {
  return layer === reads.layer && hook === reads.hook;
}

interface CleanSite {
  readonly site: ShiftSite;
  readonly clean: RunResult;
  readonly value: Value;
}

async function meanGradient(
  model: Transformer,
  { probe, reads, before, steps = usualSteps, signal }: EffectRequest,
  { site, clean, value }: CleanSite,
  zero: () => Promise<FloatValue>,
): Promise<Float32Array> {
  const asked = { probe, reads, before, places: [site] };
  if (isRead(site, reads)) {
    const [linear] = await probeGradients(model, { ...asked, residuals: clean.residuals });
    return floatsOf(linear!);
  }
  const path = between(await zero(), value, steps);
  const edits: HookEdit[] = [{ hook: blockHookName(site.layer, site.hook), keep: 0, add: path }];
  const { residuals } = await model.run({
    from: { layer: site.layer, residual: repeated(clean.residuals[site.layer]!, steps) },
    edits,
    stopAtLayer: reads.layer + 1,
    logits: 'none',
    signal,
  });
  const [gradient] = await probeGradients(model, { ...asked, residuals, edits });
  const all = floatsOf(gradient!);
  const mean = new Float32Array(all.length / steps);
  all.forEach((slope, i) => {
    mean[i % mean.length]! += slope / steps;
  });
  return mean;
}

/** `[step · batch, position, …]`: the value at α_k = 1 − k/N, so that zero itself is left out. */
function between(zero: FloatValue, value: Value, steps: number): FloatValue {
  const values = floatsOf(value);
  const path = new Float32Array(values.length * steps);
  for (let k = 0; k < steps; k++) {
    const left = 1 - k / steps;
    values.forEach((x, i) => {
      path[k * values.length + i] = zero.data[i]! + left * (x - zero.data[i]!);
    });
  }
  const [batch = 1, ...rest] = value.dims;
  return floatValue(path, [steps * batch, ...rest]);
}

function repeated(value: Value, times: number): FloatValue {
  const data = floatsOf(value);
  const all = new Float32Array(data.length * times);
  for (let k = 0; k < times; k++) all.set(data, k * data.length);
  const [batch = 1, ...rest] = value.dims;
  return floatValue(all, [batch * times, ...rest]);
}
