/** What the engine answers about SHIFT: requests read, the method run, findings handed back. */

import type { CallOptions } from '../shared/callOptions.ts';
import type { FeatureInfo, FeatureRef } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import {
  type ShiftApi,
  type ShiftEstimate,
  type ShiftFeature,
  type ShiftFindings,
  type ShiftOutcome,
  type ShiftRequest,
  shiftDefaults,
} from '../shared/shiftApi.ts';
import { exampleSearch, type FeatureExamples } from './featureExamples.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { SiteFeature } from './method/shift/ablateInside.ts';
import { applyAblation } from './method/shift/applyAblation.ts';
import {
  type ConfoundedProbe,
  type ShiftInputs,
  siteHook,
  trainConfoundedProbe,
} from './method/shift/confoundedProbe.ts';
import { estimateSearches } from './method/shift/estimateShift.ts';
import { progressParts } from './method/shift/progressPart.ts';
import { type ShiftReferences, shiftReferences } from './method/shift/shiftReferences.ts';
import type { PatchingContext } from './patchingRequest.ts';
import { RecentMap } from './recentMap.ts';
import { requireCount } from './requestChecks.ts';

/** What a request is read with. */
export interface ShiftContext extends PatchingContext {
  featureInfo(feature: FeatureRef): Promise<FeatureInfo>;
  readonly examples: FeatureExamples;
}

/** Fewer leave a group empty, or a pass without a whole step. */
const fewestTexts = 8;

/** More are read for minutes and tell no more. */
const mostTexts = 20_000;

/** Examples of each feature. */
const examples = 3;

/** Classifiers that are remembered, so that ablating does not train them again. */
const remembered = { entries: 3, weight: 3, weigh: () => 1 };

/** Finds and ablates; remembers the classifiers that were trained last. */
export class Shift {
  /** They go with their model. */
  private readonly found = new WeakMap<LoadedModel, RecentMap<ConfoundedProbe>>();
  /** What a classifier is compared with, whatever is ablated. */
  private readonly references = new WeakMap<ConfoundedProbe, ShiftReferences>();

  /** See `ShiftApi.estimateShift`. */
  async estimate(context: ShiftContext, request: ShiftRequest, call: CallOptions): Promise<ShiftEstimate> {
    const inputs = await readInputs(context, request);
    return estimateSearches(inputs, { ...exampleSearch, examples }, call);
  }

  /** See `ShiftApi.findShiftFeatures`. */
  async find(context: ShiftContext, request: ShiftRequest, call: CallOptions): Promise<ShiftFindings> {
    const known = await this.recall(context, request);
    const [training, describing] = progressParts(call, [known.found ? 0 : 90, 10]);
    const found = known.found ?? (await this.train(known, training!));
    const features = await describe(context, found, describing!);
    const { professions } = found.sets;
    const { hook, before } = found;
    return { professions, hook, before, features, provenance: await provenanceOf(context, request) };
  }

  /** See `ShiftApi.applyShift`. */
  async apply(
    context: ShiftContext,
    request: Parameters<ShiftApi['applyShift']>[0],
    call: CallOptions,
  ): Promise<ShiftOutcome> {
    const known = await this.recall(context, request);
    const knownReferences = known.found && this.references.get(known.found);
    // What is remembered takes no share of the whole.
    const shares = [known.found ? 0 : 50, knownReferences ? 0 : 25, 25];
    const [training, referring, ablating] = progressParts(call, shares);
    const found = known.found ?? (await this.train(known, training!));
    const chosen =
      request.ablate === 'benchmark'
        ? found.candidates.filter(({ isGender }) => isGender)
        : request.ablate.map((feature) => siteFeature(found, feature));
    if (chosen.length === 0) {
      const reason =
        request.ablate === 'benchmark'
          ? 'none of the features that were found tells gender and not profession; look at more features'
          : 'choose at least one feature';
      throw new EngineError('request.invalid', { what: 'Ablating no feature', reason });
    }
    const references = knownReferences ?? (await shiftReferences(found, referring!));
    this.references.set(found, references);
    return {
      ...(await applyAblation(found, references, chosen, ablating!)),
      ablated: chosen.map((feature) => refOf(found, feature)),
      provenance: await provenanceOf(context, request),
    };
  }

  /** The classifier of the request, if it is remembered. */
  private async recall(context: ShiftContext, request: ShiftRequest): Promise<Recalled> {
    const { model } = context;
    const inputs = await readInputs(context, request);
    const { saes: ids, hook, professions, seed } = request;
    const { trainCount, testCount, maxFeatures, ablateTo } = inputs;
    const counts = { trainCount, testCount, maxFeatures, ablateTo };
    const provenance = await context.provenance(ids);
    const key = JSON.stringify([model.info.id, provenance, ids, hook, professions, seed, counts]);
    const kept = this.found.get(model) ?? new RecentMap<ConfoundedProbe>(remembered);
    this.found.set(model, kept);
    const found = kept.get(key);
    // An SAE that was closed since is another object; its programs are gone.
    const isHere = found?.sites.every(({ id, sae }) =>
      inputs.saes.some((one) => one.id === id && one.sae === sae),
    );
    return { inputs, kept, key, ...(found && isHere && { found }) };
  }

  private async train({ inputs, kept, key }: Recalled, call: CallOptions): Promise<ConfoundedProbe> {
    const found = await trainConfoundedProbe(inputs, call);
    kept.set(key, found);
    return found;
  }
}

/** A request as it was read, where its classifier is kept, and the classifier when it is. */
interface Recalled {
  readonly inputs: ShiftInputs;
  readonly kept: RecentMap<ConfoundedProbe>;
  readonly key: string;
  readonly found?: ConfoundedProbe;
}

/** Opens the SAEs that a request names, and fills in what it leaves out. @throws request.invalid, as `openSae` */
async function readInputs({ model, openSae }: ShiftContext, request: ShiftRequest): Promise<ShiftInputs> {
  const counts = { ...shiftDefaults, ...countsOf(request) };
  requireCount('The number of biographies to train on', counts.trainCount, fewestTexts);
  requireCount('The number of biographies to test on', counts.testCount, fewestTexts);
  requireCount('The number of features', counts.maxFeatures, 1);
  requireMost(Math.max(counts.trainCount, counts.testCount));
  const { hook, professions, ablateTo = 'mean', seed } = request;
  const saes: ShiftInputs['saes'][number][] = [];
  for (const id of request.saes) saes.push({ id, sae: await openSae(id) });
  const { bos, nContext, tokenizer, transformer } = model;
  const text = { tokenizer, bos, nContext };
  return { model: transformer, text, saes, hook, professions, ablateTo, seed, ...counts };
}

type ShiftCounts = Pick<ShiftInputs, 'trainCount' | 'testCount' | 'maxFeatures'>;

/** The counts that a request names. */
function countsOf({ trainCount, testCount, maxFeatures }: ShiftRequest): Partial<ShiftCounts> {
  return {
    ...(trainCount !== undefined && { trainCount }),
    ...(testCount !== undefined && { testCount }),
    ...(maxFeatures !== undefined && { maxFeatures }),
  };
}

function requireMost(count: number): void {
  if (count <= mostTexts) return;
  const reason = `SHIFT takes at most ${mostTexts} for each set`;
  throw new EngineError('request.invalid', { what: `${count} biographies`, reason });
}

function provenanceOf(
  context: ShiftContext,
  { saes, seed }: ShiftRequest,
): Promise<ShiftFindings['provenance']> {
  return context.provenance(saes).then((provenance) => ({ ...provenance, seed }));
}

/** The candidates with what is known of them, and where they are strongest. */
async function describe(
  context: ShiftContext,
  found: ConfoundedProbe,
  call: CallOptions,
): Promise<ShiftFeature[]> {
  const refs = found.candidates.map((candidate) => refOf(found, candidate));
  const texts = await context.examples.of(context, { features: refs, count: examples }, call);
  return Promise.all(
    found.candidates.map(async ({ site, effect, tellsGender, tellsProfession, isGender }, i) => ({
      feature: refs[i]!,
      hook: siteHook(found.sites[site]!),
      info: await context.featureInfo(refs[i]!),
      effect,
      tellsGender,
      tellsProfession,
      isGender,
      examples: texts[i]!,
    })),
  );
}

function refOf({ sites }: ConfoundedProbe, { site, index }: SiteFeature): FeatureRef {
  return { sae: sites[site]!.id, index };
}

/** @throws request.invalid for a feature of another SAE, or one that it lacks. */
function siteFeature({ sites }: ConfoundedProbe, { sae, index }: FeatureRef): SiteFeature {
  const site = sites.findIndex(({ id }) => id === sae);
  if (site < 0) {
    const reason = 'its SAE is none of those of the request';
    throw new EngineError('request.invalid', { what: `Feature ${index} of ${sae}`, reason });
  }
  const { dSae } = sites[site]!.sae.config;
  if (Number.isInteger(index) && index >= 0 && index < dSae) return { site, index };
  throw new EngineError('request.invalid', {
    what: `Feature ${index}`,
    reason: `the SAE has features 0 to ${dSae - 1}`,
  });
}
