/** The first half of SHIFT: a classifier trained where gender gives the profession away, and the features it uses. */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { HookName } from '../../../shared/domain.ts';
import type { ShiftAccuracy } from '../../../shared/shiftApi.ts';
import type { RunEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SiteFeature } from './ablateInside.ts';
import { type BiographySets, biographySets, type LabelledText, type TextTokens } from './biographySets.ts';
import { featureEffects } from './featureEffects.ts';
import { groupAccuracy } from './groupAccuracy.ts';
import type { EffectRequest } from './integratedGradients.ts';
import { pooledActivations, type Rows } from './pooledActivations.ts';
import { pooledFeatures } from './pooledFeatures.ts';
import { type Probe, probeLogits, trainProbe } from './probe.ts';
import { progressPart } from './progressPart.ts';
import { separation } from './rankAuc.ts';
import { type RankedFeature, rankEffects } from './rankEffects.ts';
import { type BlockPlace, middleHook, probePlace, type ShiftSite, shiftSites } from './shiftSites.ts';

/** What the method runs on. */
export interface ShiftInputs {
  readonly model: Transformer;
  readonly text: TextTokens;
  readonly saes: readonly Pick<ShiftSite, 'id' | 'sae'>[];
  readonly hook?: HookName;
  readonly professions?: readonly [string, string];
  readonly trainCount: number;
  readonly testCount: number;
  readonly maxFeatures: number;
  readonly ablateTo: 'mean' | 'zero';
  readonly seed: number;
}

/** A feature that the classifier uses, and what it tells. See `ShiftFeature`. */
export interface Candidate extends RankedFeature {
  readonly tellsGender: number;
  readonly tellsProfession: number;
  readonly isGender: boolean;
}

/** The biographies and places of a request. */
export interface PreparedShift {
  readonly inputs: ShiftInputs;
  readonly sets: BiographySets;
  readonly reads: BlockPlace;
  readonly hook: HookName;
  readonly sites: readonly ShiftSite[];
}

/** Everything that ablating and the baselines start from. */
export interface ConfoundedProbe extends PreparedShift {
  readonly probe: Probe;
  readonly train: Rows;
  readonly judged: Rows;
  readonly test: Rows;
  readonly before: ShiftAccuracy;
  /** Strongest effect first. */
  readonly candidates: readonly Candidate[];
  /** All features with an effect on any text. */
  readonly active: readonly SiteFeature[];
}

/** Biographies that effects are taken on; as in the paper. */
export const effectTexts = 100;

/**
 * A feature is taken for one of gender when what it tells of gender is at least this much, and this many times what it
 * tells of the profession. By chance a feature tells 0.05 of 500 biographies (one standard deviation); one of a single
 * name or of "himself" is active in few of them and cannot tell much more than this, however clear its meaning is.
 */
const leastGender = 0.2;
const genderOverProfession = 2;

/** What is known before anything runs. @throws request.invalid */
export function prepareShift(inputs: ShiftInputs): PreparedShift {
  const { config } = inputs.model;
  const hook = inputs.hook ?? middleHook(config);
  const reads = probePlace(config, hook);
  const sites = shiftSites(config, inputs.saes, reads);
  return { inputs, hook, reads, sites, sets: biographySets(inputs.text, inputs) };
}

/** Trains the classifier and finds its features. @throws request.invalid, cancelled */
export async function trainConfoundedProbe(
  inputs: ShiftInputs,
  call: CallOptions = {},
): Promise<ConfoundedProbe> {
  const prepared = prepareShift(inputs);
  const { sets } = prepared;
  const { signal } = call;
  const total = sets.train.length + sets.judged.length + sets.test.length;
  const advance = progressPart(call, { what: 'Reading biographies', from: 0, to: 15, total });
  const pooled = (texts: readonly LabelledText[]) => pooledTexts(prepared, texts, { signal, advance });
  const [train, judged, test] = [
    await pooled(sets.train),
    await pooled(sets.judged),
    await pooled(sets.test),
  ];
  const probe = await trainProbe(train, professionsOf(sets.train), { seed: inputs.seed, signal });
  const ranked = await attribute({ ...prepared, probe }, call);
  return {
    ...prepared,
    probe,
    train,
    judged,
    test,
    before: groupAccuracy(sets, sets.test, probeLogits(probe, test)),
    candidates: await judge(prepared, ranked.slice(0, inputs.maxFeatures), call),
    active: ranked.map(({ site, index }) => ({ site, index })),
  };
}

/** Features by what they do to the classifier on confounded biographies, strongest first. */
async function attribute(
  prepared: PreparedShift & Pick<ConfoundedProbe, 'probe'>,
  call: CallOptions,
): Promise<readonly RankedFeature[]> {
  const { inputs, sets, sites } = prepared;
  const texts = sets.train.slice(0, effectTexts);
  const total = texts.length * sites.length;
  const what = 'Attributing the classifier to features';
  const advance = progressPart(call, { what, from: 15, to: 90, total });
  const request = effectRequest(prepared, texts, { signal: call.signal, advance });
  const ranked = rankEffects(await featureEffects(inputs.model, request), professionsOf(texts));
  return [...ranked].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
}

/** Mean activations of texts, under `edits` if there are any. */
export function pooledTexts(
  { inputs, hook }: Pick<PreparedShift, 'inputs' | 'hook'>,
  texts: readonly LabelledText[],
  options: {
    readonly edits?: readonly RunEdit[];
    readonly signal?: AbortSignal;
    readonly advance?: (texts: number) => void;
  },
): Promise<Rows> {
  const tokens = texts.map((text) => text.tokens);
  return pooledActivations(inputs.model, { texts: tokens, hook, before: beforeText(inputs), ...options });
}

export function professionsOf(texts: readonly LabelledText[]): readonly (0 | 1)[] {
  return texts.map(({ profession }) => profession);
}

/** Positions before the text. */
export function beforeText({ text }: Pick<ShiftInputs, 'text'>): number {
  return text.bos === undefined ? 0 : 1;
}

/** What the effects of features or neurons on these biographies are asked with. */
export function effectRequest(
  { inputs, probe, reads, sites }: Pick<ConfoundedProbe, 'inputs' | 'probe' | 'reads' | 'sites'>,
  texts: readonly LabelledText[],
  options: Pick<EffectRequest, 'signal' | 'advance'>,
): EffectRequest {
  const before = beforeText(inputs);
  return { probe, reads, sites, before, texts: texts.map(({ tokens }) => tokens), ...options };
}

/** What the features tell of balanced biographies, by their mean activation. */
async function judge(
  { inputs, sets, sites }: PreparedShift,
  ranked: readonly RankedFeature[],
  call: CallOptions,
): Promise<Candidate[]> {
  const advance = progressPart(call, {
    what: 'Measuring what the features tell',
    from: 90,
    to: 100,
    total: sets.judged.length,
  });
  const pooled = await pooledFeatures(inputs.model, {
    sites,
    features: ranked,
    texts: sets.judged.map(({ tokens }) => tokens),
    before: beforeText(inputs),
    signal: call.signal,
    advance,
  });
  const genders = sets.judged.map(({ gender }) => gender);
  const professions = professionsOf(sets.judged);
  return ranked.map((feature, i) => {
    const tellsGender = separation(pooled[i]!, genders);
    const tellsProfession = separation(pooled[i]!, professions);
    const isGender = tellsGender >= leastGender && tellsGender > genderOverProfession * tellsProfession;
    return { ...feature, tellsGender, tellsProfession, isGender };
  });
}

/** The name of a site's hook. */
export function siteHook({ layer, hook }: BlockPlace): HookName {
  return blockHookName(layer, hook);
}
