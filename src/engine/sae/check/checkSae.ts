/**
 * The self-check of an SAE: does it reconstruct what it reads, and would it do better if its files were read another
 * way? Silent mismatch of conventions is the commonest fault of SAEs in use, and a wrong reading can still explain
 * nine tenths of the variance: so the others are tried whatever the present one explains.
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import { EngineError } from '../../../shared/errors.ts';
import {
  conventionKey,
  type SaeCheck,
  type SaeConvention,
  type SaeReading,
} from '../../../shared/saeCheck.ts';
import { withConvention } from '../convention.ts';
import { kindOf } from '../format.ts';
import { otherConventions } from './conventions.ts';
import { type CheckedModel, type CheckRequest, Measure } from './measure.ts';

export type { CheckedModel, CheckRequest };

/** Below this fraction of variance explained an SAE counts as not reconstructing. */
const poor = 0.3;

/** Below this one it reconstructs in part only. */
const good = 0.7;

/**
 * Another reading is proposed when it leaves no more than this part of what is unexplained now. Judged so, 0.85 against
 * 0.93 counts as much as 0.2 against 0.6.
 */
const clearPart = 0.85;

/** The same for readings that measure other tokens or another place than now. */
const clearPartElsewhere = 0.75;

/** What is proposed explains so much more at least: where next to nothing is unexplained, its parts say nothing. */
const leastGain = 0.005;

/** A reading with fewer departures is proposed when it leaves at most this part of what is unexplained now. */
const equalPart = 1.01;

/** A further departure has to leave no more than this part unexplained. */
const furtherPart = 0.9;

/** Departures are combined at most this many at a time. */
const mostDepartures = 3;

/** Alternatives that are told. */
const toldAlternatives = 5;

/** A number of active features that differs by this factor from the stated one is told. */
const farL0 = 2.5;

/** A reading that activates so many times more features buys its variance with them. */
const dearL0 = 2;

/**
 * Measures the SAE on about 512 tokens as it is read now, under the model's present beginning of prompts, and then
 * other readings one by one, and the best ones together; those of a wide SAE on fewer tokens.
 * @throws request.invalid for a layer of a cross-layer transcoder, which reconstructs only together with the others;
 * cancelled
 */
export async function checkSae(
  model: CheckedModel,
  request: CheckRequest,
  call: CallOptions = {},
): Promise<Omit<SaeCheck, 'sae' | 'model' | 'of'>> {
  const { statedL0 } = request.declared.config;
  if (kindOf(request.declared.config) === 'crossLayer') throw crossLayer();
  const measure = new Measure(model, request, call);
  try {
    // How prompts begin is the model's affair: what is measured as read now is what is shown.
    const current = await measure.read(shown(request.convention));
    const found = await search(measure, request, current);
    const judged = judge(current, found, statedL0);
    return { ...measure.text, current, ...(statedL0 !== undefined && { statedL0 }), ...judged };
  } finally {
    await measure.release();
  }
}

function shown({ prependBos: _, ...convention }: SaeConvention): SaeConvention {
  return convention;
}

function judge(
  current: SaeReading,
  found: readonly SaeReading[],
  statedL0: number | undefined,
): Pick<SaeCheck, 'verdict' | 'alternatives'> {
  const better = found
    .filter((reading) => reading.explainedVariance > current.explainedVariance)
    .sort(byQuality);
  const proposed =
    better.find((reading) => isClearlyBetter(reading, current, statedL0)) ??
    found.find((reading) => isSimpler(reading, current));
  if (proposed) {
    const others = better.filter((reading) => reading !== proposed);
    return { verdict: 'other', alternatives: [proposed, ...others].slice(0, toldAlternatives) };
  }
  if (current.explainedVariance < poor) {
    return { verdict: 'poor', alternatives: better.slice(0, toldAlternatives) };
  }
  if (current.explainedVariance < good || isFarFrom(current.l0, statedL0)) {
    return { verdict: 'fair', alternatives: better.slice(0, toldAlternatives) };
  }
  return { verdict: 'good', alternatives: [] };
}

function isFarFrom(l0: number, stated: number | undefined): boolean {
  return stated !== undefined && stated > 0 && (l0 > stated * farL0 || l0 < stated / farL0);
}

/** What `reading` leaves of the variance that is unexplained under `current`. */
function partLeft(reading: SaeReading, current: SaeReading): number {
  return (1 - reading.explainedVariance) / (1 - current.explainedVariance);
}

function isClearlyBetter(reading: SaeReading, current: SaeReading, statedL0: number | undefined): boolean {
  const { hook, maskFirst, prependBos } = reading.convention;
  const isElsewhere = hook !== undefined || maskFirst !== undefined || prependBos !== undefined;
  if (reading.explainedVariance < poor) return false;
  if (reading.explainedVariance - current.explainedVariance < leastGain) return false;
  if (partLeft(reading, current) >= (isElsewhere ? clearPartElsewhere : clearPart)) return false;
  const isDear = current.explainedVariance >= good && reading.l0 > current.l0 * dearL0;
  return !isDear || (statedL0 !== undefined && !isFarFrom(reading.l0, statedL0));
}

/** What departs from the files has to earn it. Leaving out the first position needs no such excuse. */
function isSimpler(reading: SaeReading, current: SaeReading): boolean {
  const needless = current.convention;
  const isLess =
    departures(reading) < departures(current) &&
    Object.entries(reading.convention).every(
      ([key, value]) => needless[key as keyof SaeConvention] === value,
    );
  const isKept = reading.convention.maskFirst === needless.maskFirst;
  return isLess && isKept && reading.explainedVariance >= poor && partLeft(reading, current) <= equalPart;
}

/** Tries single departures, then joins the best one with each of the others, as long as that helps. */
async function search(measure: Measure, request: CheckRequest, current: SaeReading): Promise<SaeReading[]> {
  const now = withConvention(request.declared, shown(request.convention));
  const singles = otherConventions(now, await measure.choices());
  const all: SaeReading[] = [];
  const start = measure.isSampling ? await measure.read(current.convention, measure.fewTokens) : current;
  let best = start;
  for (let count = 1; count <= mostDepartures; count++) {
    const tries = singles
      .filter((single) => count === 1 || isWorthAdding(single, best))
      .map((single) => ({ ...best.convention, ...single }));
    // As declared, all departures taken back at once.
    const { maskFirst } = current.convention;
    if (count === 1 && departures(current) > 0) tries.push({ ...(maskFirst !== undefined && { maskFirst }) });
    const tried = distinct(await measure.tryAll(tries)).sort(byQuality);
    all.push(...tried);
    const next = tried[0];
    if (!next || partLeft(next, best) > furtherPart) break;
    best = next;
  }
  const found = distinct(all).filter(
    (one) => conventionKey(one.convention) !== conventionKey(current.convention),
  );
  return measure.isSampling ? confirmed(measure, found, start) : found;
}

/** Not what was chosen already, and of an SAE that reconstructs no other hook beside. */
function isWorthAdding(single: SaeConvention, best: SaeReading): boolean {
  if (single.hook !== undefined && best.explainedVariance >= good) return false;
  return Object.keys(single).every((key) => best.convention[key as keyof SaeConvention] === undefined);
}

/** What looks better on a few tokens has to hold on all of them. */
async function confirmed(
  measure: Measure,
  found: readonly SaeReading[],
  start: SaeReading,
): Promise<SaeReading[]> {
  const promising = [...found]
    .sort(byQuality)
    .filter((reading) => partLeft(reading, start) < 1 || isSimpler(reading, start))
    .slice(0, 3);
  const readings: SaeReading[] = [];
  for (const { convention } of promising) readings.push(await measure.read(convention));
  return readings;
}

function distinct(readings: readonly SaeReading[]): SaeReading[] {
  return [...new Map(readings.map((reading) => [conventionKey(reading.convention), reading])).values()];
}

function departures({ convention }: SaeReading): number {
  return Object.keys(convention).length;
}

/** Best first; of two that explain about the same, the one that departs less. */
function byQuality(one: SaeReading, other: SaeReading): number {
  const gain = other.explainedVariance - one.explainedVariance;
  if (Math.abs(gain) > 0.005) return gain;
  return departures(one) - departures(other) || gain;
}

function crossLayer(): EngineError {
  return new EngineError('request.invalid', {
    what: 'The check of a cross-layer transcoder',
    reason: 'one layer of it reconstructs only together with all layers below',
  });
}
