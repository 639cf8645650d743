/** Tells beforehand what circuits of edges will take: their runs counted, and some of them on a few pairs timed. */
import type { CallOptions } from '../../shared/callOptions.ts';
import type { SearchEstimate } from '../../shared/searchEstimate.ts';
import type { TaskMetric } from '../../shared/task.ts';
import type { Transformer } from '../model/transformer.ts';
import type { TokenPair } from '../task/task.ts';
import { evaluateGraph, exactEdgeEffects } from './circuitMetric.ts';
import { edgeCount, fullGraph, graphSizes, readable } from './componentGraph.ts';
import { attributeAllEdges, batchFloats } from './edgeAttributionPatching.ts';
import type { EdgeAttributionRequest } from './edgeScoring.ts';
import { type TimedSample, timeWork } from './timedWork.ts';

interface Subject {
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
}

/** What is run for the clock: pairs, sources along activations, and nodes with so many edges into each side by side. */
const timed = { pairs: 4, sources: [1, 4], edgePairs: 16, readers: [1, 5], edges: 8 } as const;

/** Forward runs of a pair behind every search: its two prompts and the circuit that was found. */
const tests = 3;

/** @throws as `attributeAllEdges` */
export async function estimateAttribution(
  model: Transformer,
  request: EdgeAttributionRequest,
  call: CallOptions = {},
): Promise<SearchEstimate> {
  const { pairs, along } = request;
  const steps = Math.max(1, request.steps);
  const { sources } = graphSizes(model.config);
  const isAlong = along === 'activations';
  const [forward, backward] = isAlong ? [4 + sources * steps, sources * steps] : [1 + steps, steps];
  const scoring = isAlong ? await secondsAlong(model, request, call) : await secondsOf(model, request, call);
  return {
    forward: pairs.length * (forward + tests),
    backward: pairs.length * backward,
    memory: memoryOf(model, pairs, isAlong ? steps : 1),
    seconds: scoring + (await secondsOfTest(model, request, call)),
  };
}

/** At most, since edges into nodes that lost their way to the logits are not tried. @throws as `exactEdgeEffects` */
export async function estimateAcdc(
  model: Transformer,
  { pairs, metric }: Subject,
  call: CallOptions = {},
): Promise<SearchEstimate> {
  const { signal } = call;
  const { sources, destinations } = graphSizes(model.config);
  const readers = Array.from({ length: destinations }, (_, destination) => destination);
  const few = firstPairs(pairs, timed.edgePairs);
  const sample = (count: number): TimedSample => {
    const edges = strewn(readers, count).flatMap((destination) => {
      const tried = Math.min(timed.edges, readable(model.config, destination));
      return Array.from({ length: tried }, (_, source) => destination * sources + source);
    });
    return {
      units: edges.length,
      run: () => exactEdgeEffects(model, { pairs: few, metric }, edges, { signal }),
    };
  };
  const { perCall, perUnit } = await timeWork(sample(timed.readers[0]), sample(timed.readers[1]));
  const edges = edgeCount(model.config);
  return {
    forward: pairs.length * (2 + edges + tests),
    backward: 0,
    memory: memoryOf(model, pairs, 1),
    seconds:
      toSeconds((perCall + edges * perUnit) * (pairs.length / few.length)) +
      (await secondsOfTest(model, { pairs, metric }, call)),
    bound: 'atMost',
  };
}

/** Along the inputs every step of a pair takes the same; pairs of each length run by themselves. */
async function secondsOf(
  model: Transformer,
  request: EdgeAttributionRequest,
  { signal }: CallOptions,
): Promise<number> {
  const { pairs, steps } = request;
  const asked = Math.max(1, steps);
  // One step of divergences would have no gradient.
  const taken = Math.min(2, steps);
  const sample = (count: number): TimedSample => {
    const few = firstPairs(pairs, count);
    const run = () => attributeAllEdges(model, { ...request, pairs: few, steps: taken }, { signal });
    return { units: few.length * Math.max(1, taken), run };
  };
  const { perCall, perUnit } = await timeWork(sample(1), sample(timed.pairs));
  return toSeconds(
    (perCall * lengthsOf(pairs) * asked) / Math.max(1, taken) + pairs.length * asked * perUnit,
  );
}

/** Along activations every source takes runs of its own, strewn over all layers. */
async function secondsAlong(
  model: Transformer,
  request: EdgeAttributionRequest,
  { signal }: CallOptions,
): Promise<number> {
  const all = Array.from({ length: graphSizes(model.config).sources }, (_, source) => source);
  const few = firstPairs(request.pairs, timed.pairs);
  const sample = (count: number): TimedSample => {
    const sources = strewn(all, count);
    const run = () => attributeAllEdges(model, { ...request, pairs: few, sources }, { signal });
    return { units: sources.length, run };
  };
  const { perCall, perUnit } = await timeWork(sample(timed.sources[0]), sample(timed.sources[1]));
  // Each length runs by itself, and fewer pairs side by side take hardly less.
  const batches = Math.max(request.pairs.length / few.length, lengthsOf(request.pairs));
  return toSeconds((perCall + all.length * perUnit) * batches);
}

/** The circuit in the end, whatever edges it has: both prompts and one run with it. */
async function secondsOfTest(
  model: Transformer,
  { pairs, metric }: Subject,
  { signal }: CallOptions,
): Promise<number> {
  const graph = fullGraph(model.config);
  const sample = (count: number): TimedSample => {
    const few = firstPairs(pairs, count);
    return {
      units: few.length,
      run: () => evaluateGraph(model, graph, { pairs: few, metric }, { signal }),
    };
  };
  const { perCall, perUnit } = await timeWork(sample(1), sample(timed.pairs));
  return toSeconds(perCall + pairs.length * perUnit);
}

/** What sources write on both prompts and what reads them, in batches that `attributeAllEdges` bounds. */
function memoryOf({ config }: Transformer, pairs: readonly TokenPair[], rows: number): number {
  const { sources, destinations } = graphSizes(config);
  const tokens = pairs.reduce((sum, { clean }) => sum + clean.length, 0);
  const longest = Math.max(0, ...pairs.map(({ clean }) => clean.length));
  const perToken = (2 * sources + rows * destinations) * config.dModel;
  const batch = Math.min(tokens, Math.max(longest, Math.floor(batchFloats / perToken)));
  const blocks = rows * batch * config.nLayers * (4 * config.dModel + 2 * config.dMlp);
  return 4 * (batch * perToken + blocks + 3 * sources * destinations);
}

/** Pairs of one length, the first one's. */
function firstPairs(pairs: readonly TokenPair[], count: number): readonly TokenPair[] {
  return pairs.filter(({ clean }) => clean.length === pairs[0]!.clean.length).slice(0, count);
}

function lengthsOf(pairs: readonly TokenPair[]): number {
  return new Set(pairs.map(({ clean }) => clean.length)).size;
}

/** `count` of a list at even distances. */
function strewn<T>(list: readonly T[], count: number): readonly T[] {
  const taken = Math.min(count, list.length);
  return Array.from({ length: taken }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / taken)]!);
}

/** Too little for the clock is still something. */
function toSeconds(milliseconds: number): number {
  return Math.max(1e-6, milliseconds / 1000);
}
