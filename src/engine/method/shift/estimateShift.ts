/** Tells beforehand what SHIFT will take: its runs counted, and some of each kind on a few biographies timed. */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { ShiftEstimate } from '../../../shared/shiftApi.ts';
import type { ModelConfig } from '../../model/config.ts';
import { batchesByLength, type TokenBatch } from '../../model/tokenBatches.ts';
import { timeWork } from '../timedWork.ts';
import { featureAblation, type SiteFeature } from './ablateInside.ts';
import { randomDraws } from './applyAblation.ts';
import type { LabelledText } from './biographySets.ts';
import {
  beforeText,
  effectRequest,
  effectTexts,
  type PreparedShift,
  pooledTexts,
  prepareShift,
  professionsOf,
  type ShiftInputs,
} from './confoundedProbe.ts';
import { featureEffects } from './featureEffects.ts';
import { effectBatches, isRead, tokensPerRun, usualSteps } from './integratedGradients.ts';
import { neuronEffects } from './neuronEffects.ts';
import { textsPerBatch } from './pooledActivations.ts';
import { pooledFeatures } from './pooledFeatures.ts';
import { type Probe, trainProbe } from './probe.ts';

/** How examples of features are looked for: tokens that each SAE reads, in rows; and rows read again for each feature. */
export interface ExampleSearch {
  readonly tokens: number;
  readonly rowLength: number;
  readonly examples: number;
}

/** Batches that are run for the clock, of all kinds of length. */
const timedBatches = { pooled: 4, effects: 3 } as const;

/** Classifiers trained after ablating: on ablated activations, on concept words, and on balanced biographies. */
const probesAfter = 3;

/** Milliseconds. */
interface ShiftTimes {
  /** Of a token in a run up to the classifier: as it is, and with features ablated at every site. */
  readonly plain: number;
  readonly ablated: number;
  /** Of a token that the SAEs of all sites encode, without the run. */
  readonly coded: number;
  /** Of all effects of features, and of neurons. */
  readonly features: number;
  readonly neurons: number;
  readonly probe: number;
}

/** @throws request.invalid, cancelled */
export async function estimateSearches(
  inputs: ShiftInputs,
  search: ExampleSearch,
  { signal }: CallOptions = {},
): Promise<ShiftEstimate> {
  const prepared = prepareShift(inputs);
  const { sets, sites, reads } = prepared;
  const times = await timesOf(prepared, signal);
  const [train, judged, test] = [sets.train, sets.judged, sets.test].map(tokenCount) as [
    number,
    number,
    number,
  ];
  const texts = Math.min(effectTexts, sets.train.length);
  const integrated = texts * usualSteps * sites.filter((site) => !isRead(site, reads)).length;
  const memory = memoryOf(prepared);
  const find =
    (train + 2 * judged + test) * times.plain +
    times.probe +
    times.features +
    judged * times.coded +
    examplesTime(prepared, search, times);
  const ablate =
    times.features +
    times.neurons +
    (inputs.ablateTo === 'mean' ? train * (times.plain + times.coded) : 0) +
    (train + (2 + randomDraws) * test) * times.ablated +
    test * times.plain +
    probesAfter * times.probe;
  return {
    find: {
      forward: 2 * sets.train.length + sets.judged.length + sets.test.length + texts + integrated,
      backward: integrated,
      memory,
      seconds: toSeconds(find),
    },
    ablate: {
      forward:
        (inputs.ablateTo === 'mean' ? 2 : 1) * sets.train.length +
        (3 + randomDraws) * sets.test.length +
        2 * (texts + integrated) +
        texts * sites.length,
      backward: 2 * integrated,
      memory,
      seconds: toSeconds(ablate),
    },
  };
}

/** Every SAE reads all tokens, and the rows with examples run again; each feature is read in its own rows. */
function examplesTime(
  { inputs, sites }: PreparedShift,
  { tokens, rowLength, examples }: ExampleSearch,
  { plain, coded }: ShiftTimes,
): number {
  const reread = (inputs.maxFeatures * examples * rowLength) / sites.length;
  return tokens * (2 * sites.length * plain + coded) + reread * coded;
}

async function timesOf(prepared: PreparedShift, signal: AbortSignal | undefined): Promise<ShiftTimes> {
  const { inputs, sets, sites } = prepared;
  const { model, seed, maxFeatures } = inputs;
  const { batches, texts, tokens } = pooledSample(sets.train);
  const perToken = async (run: () => Promise<unknown>): Promise<number> => (await timeOf(run)) / tokens;
  const features = strewnFeatures(prepared, maxFeatures);
  const edits = featureAblation(sites, features.slice(0, Math.ceil(features.length / 4)));
  const rows = await pooledTexts(prepared, sets.train.slice(0, 1), { signal });
  const plain = await perToken(() => pooledTexts(prepared, texts, { signal }));
  const ids = batches.flatMap((batch) => batch.tokens);
  const before = beforeText(inputs);
  const coded = await perToken(() => pooledFeatures(model, { sites, features, texts: ids, before, signal }));
  const probe: Probe = { weights: new Float32Array(rows.width).fill(1), bias: 0 };
  const used = sets.train.slice(0, effectTexts);
  const effects = async (of: typeof featureEffects): Promise<number> => {
    const all = effectBatches(effectRequest({ ...prepared, probe }, used, {}));
    const some = strewn(all, timedBatches.effects);
    const few = some.flatMap(({ places }) => places.map((place) => used[place]!));
    const request = effectRequest({ ...prepared, probe }, few, { signal });
    return (await timeOf(() => of(model, request))) * (tokensIn(all) / tokensIn(some));
  };
  const data = new Float32Array(sets.train.length * rows.width).map((_, i) => (i % 7) - (i % 3));
  return {
    plain,
    coded: Math.max(0, coded - plain),
    ablated: await perToken(() => pooledTexts(prepared, texts, { edits, signal })),
    features: await effects(featureEffects),
    neurons: await effects(neuronEffects),
    probe: await timeOf(() =>
      trainProbe({ data, width: rows.width }, professionsOf(sets.train), { seed, signal }),
    ),
  };
}

/** Texts of some lengths, all those that run together. */
function pooledSample(all: readonly LabelledText[]): {
  readonly batches: readonly TokenBatch[];
  readonly texts: readonly LabelledText[];
  readonly tokens: number;
} {
  const tokens = all.map((text) => text.tokens);
  const batches = strewn(batchesByLength(tokens, textsPerBatch), timedBatches.pooled);
  const texts = batches.flatMap(({ places }) => places.map((place) => all[place]!));
  return { batches, texts, tokens: tokensIn(batches) };
}

/** So many features of all sites; which of them does not matter for the clock. */
function strewnFeatures({ sites }: PreparedShift, count: number): SiteFeature[] {
  return Array.from({ length: count }, (_, i) => {
    const site = i % sites.length;
    return { site, index: Math.floor(i / sites.length) % sites[site]!.sae.config.dSae };
  });
}

/** `count` of the batches, from the smallest to the largest. */
function strewn(batches: readonly TokenBatch[], count: number): readonly TokenBatch[] {
  const sorted = [...batches].sort((a, b) => tokensIn([a]) - tokensIn([b]));
  const taken = Math.min(count, sorted.length);
  return Array.from({ length: taken }, (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / taken)]!);
}

function tokensIn(batches: readonly TokenBatch[]): number {
  return batches.reduce((sum, { tokens }) => sum + tokens.length * tokens[0]!.length, 0);
}

function tokenCount(texts: readonly LabelledText[]): number {
  return texts.reduce((sum, { tokens }) => sum + tokens.length, 0);
}

/** Bytes of compiled programs, and by which the heap grows with biographies, labels and examples: 60 MB were measured. */
const fixedMemory = 64e6;

/**
 * Bytes at most by which the process grows. What one kind of program frees is not there for the next: the allocator keeps
 * it in pieces of other sizes. So kinds add up: blocks run forward, gradients of blocks for every kind of hook that has
 * steps, and SAEs, each with its own memory. Measured growth of private memory was 0.7 to 0.9 of this on the embedded
 * model, with one, three and nine SAEs.
 */
function memoryOf({ inputs, sets, sites, reads }: PreparedShift): number {
  const { config } = inputs.model;
  const longest = Math.max(...sets.train.map(({ tokens }) => tokens.length));
  const integrated = sites.filter((site) => !isRead(site, reads));
  const kinds = new Set(integrated.map(({ hook }) => hook)).size;
  const pooled = textsPerBatch * longest;
  const rows = Math.max(pooled, kinds > 0 ? Math.max(tokensPerRun, longest * usualSteps) : 0);
  // A gradient runs its block forward and keeps everything for the way back, which has as much of its own.
  const blocks = rows * blockFloats(config, longest) * (1 + 2 * kinds);
  // Streams that entered the blocks, the way from zero to the value, the repeated stream, the gradient and its mean.
  const values = rows * config.dModel * (reads.layer + 1 + 4);
  // Reading features and changing them: two programs, each with activations before and after the nonlinearity.
  const codes = sites.reduce((sum, { sae }) => sum + 4 * pooled * sae.config.dSae, 0);
  const texts = sets.train.length * 3 + sets.judged.length + sets.test.length * 2;
  const pooledRows = texts * Math.max(...sites.map(({ width }) => width));
  const effects = sites.reduce((sum, { sae, width }) => sum + effectTexts * (2 * sae.config.dSae + width), 0);
  return fixedMemory + 4 * (blocks + values + codes + pooledRows + effects);
}

/** Numbers of one position when all of a block is there: streams and norms, heads, MLP, and attention from everywhere. */
function blockFloats({ dModel, nHeads, dHead, dMlp }: ModelConfig, positions: number): number {
  return 6 * dModel + 4 * nHeads * dHead + 3 * dMlp + 3 * nHeads * positions;
}

/** Milliseconds. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const sample = { units: 1, run };
  return (await timeWork(sample, sample)).perUnit;
}

/** Too little for the clock is still something. */
function toSeconds(milliseconds: number): number {
  return Math.max(1e-6, milliseconds / 1000);
}
