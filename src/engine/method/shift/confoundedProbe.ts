/** The first half of SHIFT: a classifier trained where gender gives the profession away, and the features it uses. */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { HookName } from '../../../shared/domain.ts';
import type { ShiftAccuracy } from '../../../shared/shiftApi.ts';
import type { RunEdit } from '../../model/edits.ts';
import { blockHookName } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import type { SiteFeature } from './ablateInside.ts';
import { type BiographySets, biographySets, type LabelledText, type TextTokens } from './biographySets.ts';
import { featureEffects, type SiteEffects } from './featureEffects.ts';
import { groupAccuracy } from './groupAccuracy.ts';
import { pooledActivations, type Rows } from './pooledActivations.ts';
import { pooledFeatures } from './pooledFeatures.ts';
import { type Probe, probeLogits, trainProbe } from './probe.ts';
import { progressPart } from './progressPart.ts';
import { separation } from './rankAuc.ts';
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
  readonly seed: number;
}

/** A feature that the classifier uses, and what it tells. See `ShiftFeature`. */
export interface Candidate extends SiteFeature {
  readonly effect: number;
  readonly tellsGender: number;
  readonly tellsProfession: number;
  readonly isGender: boolean;
}

/** Everything that ablating and the baselines start from. */
export interface ConfoundedProbe {
  readonly inputs: ShiftInputs;
  readonly sets: BiographySets;
  readonly reads: BlockPlace;
  readonly hook: HookName;
  readonly sites: readonly ShiftSite[];
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

/** Confounded biographies that the effects are taken on; as in the paper. */
const effectTexts = 100;

/**
 * A feature is taken for one of gender when what it tells of gender is at least this much, and this many times what it
 * tells of the profession.
 */
const leastGender = 0.5;
const genderOverProfession = 2;

/** Trains the classifier and finds its features. @throws request.invalid, cancelled */
export async function trainConfoundedProbe(
  inputs: ShiftInputs,
  call: CallOptions = {},
): Promise<ConfoundedProbe> {
  const { model, text, seed } = inputs;
  const hook = inputs.hook ?? middleHook(model.config);
  const reads = probePlace(model.config, hook);
  const sites = shiftSites(model.config, inputs.saes, reads);
  const sets = biographySets(text, inputs);
  const all = sets.train.length + sets.judged.length + sets.test.length;
  const advance = progressPart(call, { what: 'Reading biographies', from: 0, to: 15, total: all });
  const pooled = (texts: readonly LabelledText[]) =>
    pooledTexts({ inputs, hook }, texts, { signal: call.signal, advance });
  const [train, judged, test] = [
    await pooled(sets.train),
    await pooled(sets.judged),
    await pooled(sets.test),
  ];
  const probe = await trainProbe(train, professionsOf(sets.train), { seed, signal: call.signal });
  const used = sets.train.slice(0, effectTexts).map(({ tokens }) => tokens);
  const effects = await featureEffects(model, {
    probe,
    reads,
    sites,
    texts: used,
    before: beforeText(inputs),
    signal: call.signal,
    advance: progressPart(call, {
      what: 'Attributing the classifier to features',
      from: 15,
      to: 90,
      total: used.length * sites.length,
    }),
  });
  const ranked = rankEffects(effects, sets.train);
  const known = { inputs, sets, reads, hook, sites };
  const candidates = await judge(known, ranked.slice(0, inputs.maxFeatures), call);
  return {
    ...known,
    probe,
    train,
    judged,
    test,
    before: groupAccuracy(sets, sets.test, probeLogits(probe, test)),
    candidates,
    active: ranked.map(({ site, index }) => ({ site, index })),
  };
}

/** Mean activations of texts, under `edits` if there are any. */
export function pooledTexts(
  { inputs, hook }: Pick<ConfoundedProbe, 'inputs' | 'hook'>,
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

/**
 * Features by how much they push the classifier towards a biography's own label, on the mean: −IE for the second
 * profession, IE for the first, since IE is what taking them out does. What a feature does to every biography alike
 * cancels out. Strongest first; those without any effect are left out.
 */
function rankEffects(
  sites: readonly SiteEffects[],
  texts: readonly LabelledText[],
): (SiteFeature & { readonly effect: number })[] {
  const all = sites.flatMap(({ effects, dSae }, site) => {
    const sums = new Float64Array(dSae);
    const count = effects.length / dSae;
    effects.forEach((effect, i) => {
      const sign = texts[Math.floor(i / dSae)]!.profession === 1 ? -1 : 1;
      sums[i % dSae]! += (sign * effect) / count;
    });
    return Array.from(sums, (effect, index) => ({ site, index, effect }));
  });
  return all.filter(({ effect }) => effect !== 0).sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
}

/** What the features tell of balanced biographies, by their mean activation. */
async function judge(
  { inputs, sets, sites }: Pick<ConfoundedProbe, 'inputs' | 'sets' | 'sites'>,
  ranked: readonly (SiteFeature & { readonly effect: number })[],
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
