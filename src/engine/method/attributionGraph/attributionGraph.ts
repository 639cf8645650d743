/**
 * Attribution graphs (Ameisen et al. 2025): MLPs give way to transcoders plus error terms, attention patterns and norm
 * scales keep the values that they have on the prompt, and what is left is linear, so that direct effects between
 * features, errors, tokens and logits are exact in it. As circuit-tracer computes them.
 */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { EngineError } from '../../../shared/errors.ts';
import { availableMemory } from '../../model/memory.ts';
import type { Transformer } from '../../model/transformer.ts';
import { logSoftmax } from '../../predictions.ts';
import { type FrozenRun, freezeRun } from './frozenRun.ts';
import { codePrompt, type GraphSources, graphSources, type SourceSize, sourceHooks } from './graphSources.ts';
import { type GraphScores, graphScores } from './influence.ts';
import { type PrunedGraph, type PruneThresholds, pruneGraph } from './pruneGraph.ts';
import { type ExplainedLogit, type TracedGraph, traceGraph } from './traceGraph.ts';
import type { TranscoderSet } from './transcoderSet.ts';

export interface GraphSettings {
  /** Logits to explain; the most probable ones when left out. */
  readonly answers?: readonly number[];
  readonly maxLogits: number;
  readonly desiredProbability: number;
  readonly maxFeatures: number;
  readonly thresholds: PruneThresholds;
  /** Features and errors of position 0 are left out. */
  readonly leaveFirst: boolean;
  /** Targets that are traced side by side. */
  readonly batch: number;
}

/** A graph with all that is known of its nodes. */
export interface FoundGraph {
  readonly sources: GraphSources;
  readonly logits: readonly ExplainedLogit[];
  readonly traced: TracedGraph;
  readonly pruned: PrunedGraph;
  readonly scores: GraphScores;
}

/**
 * Builds and prunes the graph of a prompt. Reports the features that were traced.
 * @throws request.invalid when it would not fit into memory; cancelled
 */
export async function attributionGraph(
  model: Transformer,
  ids: Int32Array,
  set: TranscoderSet,
  settings: GraphSettings,
  call: CallOptions = {},
): Promise<FoundGraph> {
  const { maxFeatures, batch, thresholds } = settings;
  call.report?.({ done: 0, total: 0, what: 'running the prompt' });
  const frozen = await freezeRun(model, ids, sourceHooks(set), call.signal);
  const logits = explainedLogits(frozen, settings);
  const sources = await affordableSources(frozen, set, { ...settings, logits: logits.length }, call.signal);
  const request = { frozen, set, sources, logits, mostFeatures: maxFeatures, batch };
  const traced = await traceGraph(request, call);
  return {
    sources,
    logits,
    traced,
    pruned: pruneGraph(traced.rows, traced.ranges, traced.start, thresholds),
    scores: graphScores(traced.rows, traced.ranges, traced.start),
  };
}

/** The asked tokens; or the most probable ones, until they have the desired probability together. */
export function explainedLogits(
  { logits }: Pick<FrozenRun, 'logits'>,
  { answers, maxLogits, desiredProbability }: GraphSettings,
): ExplainedLogit[] {
  const logProbabilities = logSoftmax(logits);
  const explained = (token: number) => ({ token, probability: Math.exp(logProbabilities[token]!) });
  if (answers) return answers.map(explained);
  const ranked = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!).slice(0, maxLogits);
  const chosen: ExplainedLogit[] = [];
  let sum = 0;
  for (const token of ranked) {
    if (sum >= desiredProbability && chosen.length > 0) break;
    chosen.push(explained(token));
    sum += chosen.at(-1)!.probability;
  }
  return chosen;
}

/**
 * The sources of a prompt, when they and the rows of effects fit into memory: known from the counts of active features,
 * before any vector is made. `logits` is how many are explained.
 * @throws request.invalid when they would not fit; cancelled
 */
export async function affordableSources(
  frozen: FrozenRun,
  set: TranscoderSet,
  {
    leaveFirst,
    maxFeatures,
    logits,
  }: Pick<GraphSettings, 'leaveFirst' | 'maxFeatures'> & { readonly logits: number },
  signal?: AbortSignal,
): Promise<GraphSources> {
  const available = await availableMemory();
  const check = (size: SourceSize) => requireMemory(size, { logits, features: 0 }, available);
  const coded = await codePrompt(frozen, set, leaveFirst, check, signal);
  requireMemory(coded.size, { logits, features: Math.min(maxFeatures, coded.size.features) }, available);
  return graphSources(frozen, set, coded, signal);
}

/** Bytes: rows of effects, once more while features are left out of them, and what the sources write. */
export function graphMemory({ nodes, written }: SourceSize, rows: number): number {
  return 4 * (2 * rows * nodes + written);
}

/** @throws request.invalid when the graph of these sources does not fit into `available` bytes, saying what would. */
export function requireMemory(
  size: SourceSize,
  traced: { readonly logits: number; readonly features: number },
  available: number,
): void {
  const rows = traced.logits + traced.features;
  const needed = graphMemory(size, rows);
  if (needed < available) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  // Rows grow with the features that are traced, all else with those that are active.
  const fitting = Math.floor((available - graphMemory(size, 0)) / (8 * size.nodes)) - traced.logits;
  const remedy =
    fitting >= 1
      ? `trace at most ${fitting} features, or shorten the prompt`
      : 'shorten the prompt, or take transcoders with fewer active features';
  const reason =
    `${size.features} features are active on this prompt; what they write and ${rows} rows of ${size.nodes} effects ` +
    `need ${gigabytes(needed)}, and ${gigabytes(available)} is free: ${remedy}`;
  throw new EngineError('request.invalid', { what: 'This attribution graph', reason });
}
