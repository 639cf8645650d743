/** Tells beforehand what a sparse feature circuit will take: its runs counted, and some of each kind on a few pairs timed. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import type { SearchEstimate } from '../../../shared/searchEstimate.ts';
import type { Transformer } from '../../model/transformer.ts';
import { metricTotals } from '../activationPatching.ts';
import { type PairBatch, pairBatches } from '../pairBatches.ts';
import { type TimedSample, timeWork } from '../timedWork.ts';
import { EffectTable, type SparseNode } from './effectTable.ts';
import { addExactEffects, countMoves } from './exactEffects.ts';
import {
  type EffectRequest,
  effectBatches,
  type GradientRun,
  gradientRuns,
  nodeEffects,
} from './nodeEffects.ts';
import { type ActiveFeatures, type BatchRun, runBatch } from './siteValues.ts';
import { EdgeSums } from './sparseEdges.ts';
import { searchMemory } from './sparseMemory.ts';

/** What is to be searched for. */
export interface SparseSearch {
  /** On the pairs that the circuit is found on. */
  readonly effects: EffectRequest;
  /** Pairs of the task, and those that the circuit is tested on. */
  readonly counts: { readonly all: number; readonly tested: number };
  readonly nodeThreshold?: number;
  /** Of what the metric changes from clean to corrupted prompts: the threshold when there is none. */
  readonly share: number;
  readonly edges?: boolean;
}

/** What is run for the clock: tokens of all steps side by side, nodes patched by themselves, and nodes with edges. */
const timed = { tokens: 256, moves: [8, 64], nodes: [4, 32] } as const;

/** Forward runs of a tested pair: as it is, with nothing, with the circuit, and without it. */
const tests = 4;

/** A few pairs with the values at all sites. */
interface Sample {
  readonly model: Transformer;
  readonly search: SparseSearch;
  readonly batch: PairBatch;
  readonly run: BatchRun;
  readonly signal?: AbortSignal;
}

/** @throws as `nodeEffects` */
export async function estimateSearch(
  model: Transformer,
  search: SparseSearch,
  { signal }: CallOptions = {},
): Promise<SearchEstimate> {
  const { effects, counts } = search;
  const { method, steps, pairs, sites } = effects;
  const batch = sampleBatch(effects);
  const sample: Sample = { model, search, batch, run: await runBatch(model, sites, batch, signal), signal };
  const perPrompt = (await timeOf(() => runBatch(model, sites, batch, signal))) / (2 * batch.pairs.length);
  const hasEdges = search.edges !== false;
  // Exact effects come without gradients; edges need them.
  const anew = method === 'exact' && hasEdges ? 1 : 0;
  const moves = method === 'exact' ? (countMoves(sample.run) / batch.pairs.length) * pairs.length : 0;
  const integrated = method === 'ig' ? sites.length * steps * pairs.length : 0;
  const plain = (method === 'atp' ? 1 : anew) * pairs.length;
  // The metric, the effects, the means, and the tests.
  const whole = (4 + 2 * anew) * pairs.length + counts.all + tests * counts.tested;
  const exactBases = method === 'exact' ? pairs.length : 0;
  const guess = hasEdges || plain > 0 ? await guessNodes(sample, perPrompt) : undefined;
  const nodes = guess?.nodes ?? [];
  const milliseconds =
    (whole + exactBases) * perPrompt +
    plain * (guess?.perBackward ?? 0) +
    (method === 'ig' ? await timeOfIntegration(sample) : 0) +
    (moves > 0 ? moves * (await timeOfMove(sample)) : 0) +
    (hasEdges && guess ? await timeOfEdges(sample, guess) : 0);
  return {
    forward: Math.round(whole + exactBases + integrated + moves),
    backward: integrated + plain,
    memory: searchMemory(model.config, effects, nodes.length),
    seconds: Math.max(1e-6, milliseconds / 1000),
  };
}

/** The first pairs of one length, as many as a few tokens have room for with all their steps. */
function sampleBatch({ pairs, method, steps }: EffectRequest): PairBatch {
  return pairBatches(pairs, timed.tokens / (method === 'ig' ? steps : 1))[0]!;
}

interface Guess {
  readonly nodes: readonly SparseNode[];
  readonly run: GradientRun;
  /** Milliseconds of one pair. */
  readonly perBackward: number;
}

/** The nodes that are above the threshold on the sample, by the quickest estimate that the metric lets. */
async function guessNodes({ model, search, batch, signal }: Sample, perPrompt: number): Promise<Guess> {
  const { effects, nodeThreshold, share } = search;
  const { pairs } = batch;
  // A divergence has no gradient on the clean prompt.
  const quick =
    effects.metric === 'kl' ? ({ method: 'ig', steps: 2 } as const) : ({ method: 'atp' } as const);
  const request: EffectRequest = { ...effects, pairs, ...quick };
  let run: GradientRun | undefined;
  const find = () =>
    nodeEffects(model, request, { signal }, (seen) => {
      run = seen;
    });
  const table = await find();
  const taken = (await timeOf(find)) / pairs.length;
  const task = { pairs, name: '' };
  const { clean, corrupted } = await metricTotals(model, task, effects.metric, { signal });
  const threshold = nodeThreshold ?? share * Math.abs(clean - corrupted);
  return { nodes: table.nodes(threshold), run: run!, perBackward: Math.max(0, taken - 2 * perPrompt) };
}

/** Integrated gradients of all sites: a run from a site's block on takes as long as there are blocks above. */
async function timeOfIntegration({ model, search, batch, signal }: Sample): Promise<number> {
  const { sites, pairs } = search.effects;
  const { nLayers } = model.config;
  const blocks = (layers: readonly { readonly layer: number }[]): number =>
    layers.reduce((sum, { layer }) => sum + nLayers - layer, 0);
  const [first, middle, last] = [sites[0]!, sites[Math.floor(sites.length / 2)]!, sites.at(-1)!];
  const sampleOf = (some: typeof sites): TimedSample => ({
    units: blocks(some),
    run: () => drain(gradientRuns(model, { ...search.effects, sites: some, pairs: batch.pairs }, { signal })),
  });
  const { perUnit } = await timeWork(sampleOf([last]), sampleOf([first, middle, last]));
  return perUnit * blocks(sites) * (pairs.length / batch.pairs.length);
}

/** One node patched by itself. */
async function timeOfMove({ model, search, batch, run, signal }: Sample): Promise<number> {
  const all = countMoves(run);
  const sampleOf = (count: number): TimedSample => {
    const few = { ...run, sites: run.sites.map((site) => thinned(site, Math.ceil(all / count))) };
    const patch = () => {
      const table = new EffectTable(search.effects.sites);
      const request = { pairs: batch.pairs, metric: search.effects.metric };
      return addExactEffects(model, few, { table, request, before: 0 }, { signal });
    };
    return { units: countMoves(few), run: patch };
  };
  return (await timeWork(sampleOf(timed.moves[0]), sampleOf(timed.moves[1]))).perUnit;
}

/** Edges among the nodes, each of which takes a pass back through what it reads. */
async function timeOfEdges({ model, search, batch, signal }: Sample, { nodes, run }: Guess): Promise<number> {
  const { sites, pairs, aggregation } = search.effects;
  const sampleOf = (count: number): TimedSample => {
    const step = Math.max(1, Math.floor(nodes.length / count));
    const some = nodes.filter((_, i) => i % step === 0).slice(0, count);
    const byPosition = aggregation === 'position';
    const request = { sites, nodes: some, pairs: batch.pairs.length, byPosition };
    return { units: some.length, run: () => new EdgeSums(model, request).add(run, { signal }) };
  };
  const [few, many] = timed.nodes;
  const { perCall, perUnit } = await timeWork(sampleOf(few), sampleOf(many));
  const share = pairs.length / batch.pairs.length;
  return perUnit * nodes.length * share + perCall * effectBatches(search.effects).length;
}

/** Every so many of the features that are active, and no errors. */
function thinned<T extends { readonly active: ActiveFeatures }>(site: T, every: number): T {
  const { starts, features, clean, change } = site.active;
  const kept = [...features.keys()].filter((entry) => entry % every === 0);
  const pick = (entry: number): number => Math.ceil(entry / every);
  const active = {
    starts: starts.map(pick),
    features: Int32Array.from(kept, (entry) => features[entry]!),
    clean: Float32Array.from(kept, (entry) => clean[entry]!),
    change: Float32Array.from(kept, (entry) => change[entry]!),
  };
  return { ...site, active, errorChange: undefined };
}

async function drain(runs: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of runs);
}

/** Milliseconds. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const sample = { units: 1, run };
  return (await timeWork(sample, sample)).perUnit;
}
