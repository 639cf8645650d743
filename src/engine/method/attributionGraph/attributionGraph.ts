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
import { type GraphSources, graphSources, sourceHooks } from './graphSources.ts';
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
  const sources = await graphSources(frozen, set, settings.leaveFirst, call.signal);
  const logits = explainedLogits(frozen, settings);
  await requireMemory(sources, Math.min(maxFeatures, sources.features.length) + logits.length);
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

/** Bytes: rows of effects, once more while features are left out of them, and what the sources write. */
export function graphMemory({ features, ranges, layers }: GraphSources, rows: number): number {
  const nodes = features.length + ranges.errors + ranges.tokens;
  const written = layers.reduce((sum, { vectors }) => sum + vectors.data.length, 0);
  return 4 * (2 * rows * nodes + written);
}

async function requireMemory(sources: GraphSources, rows: number): Promise<void> {
  const { features, ranges } = sources;
  const nodes = features.length + ranges.errors + ranges.tokens;
  const needed = graphMemory(sources, rows);
  const available = await availableMemory();
  if (needed < available) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const reason = `its ${rows} rows of ${nodes} effects need ${gigabytes(needed)} and ${gigabytes(available)} is free; trace fewer features or shorten the prompt`;
  throw new EngineError('request.invalid', { what: 'This attribution graph', reason });
}
