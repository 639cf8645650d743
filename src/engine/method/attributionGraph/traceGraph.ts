/** All rows of an attribution graph: the logits' inputs, and those of features, the most influential first. */
import type { CallOptions } from '../../../shared/callOptions.ts';
import { throwIfCancelled } from '../../../shared/errors.ts';
import type { FrozenRun } from './frozenRun.ts';
import type { GraphSources } from './graphSources.ts';
import { amongNodes, type EdgeRows, influenceOf, type NodeRanges } from './influence.ts';
import { inputTracer } from './traceInputs.ts';
import type { TranscoderSet } from './transcoderSet.ts';

/** A logit to explain. */
export interface ExplainedLogit {
  readonly token: number;
  readonly probability: number;
}

export interface TraceRequest {
  readonly frozen: FrozenRun;
  readonly set: TranscoderSet;
  readonly sources: GraphSources;
  readonly logits: readonly ExplainedLogit[];
  /** Features whose inputs are traced. */
  readonly mostFeatures: number;
  /** Targets that are pulled back side by side. */
  readonly batch: number;
}

/** A graph before pruning. Features whose inputs were not traced are left out of it. */
export interface TracedGraph {
  readonly rows: EdgeRows;
  readonly ranges: NodeRanges;
  /** Numbers of the features in `GraphSources.features`, by node. */
  readonly features: readonly number[];
  /** The logits' probabilities and 0 for others, `[node]`. */
  readonly start: Float64Array;
}

/** Batches between two looks at which features are most influential now, as in circuit-tracer. */
const batchesPerRanking = 4;

/** Traces the graph. @throws cancelled */
export async function traceGraph(request: TraceRequest, call: CallOptions): Promise<TracedGraph> {
  const { sources, logits, mostFeatures, batch } = request;
  const firstLogit = sources.features.length + sources.ranges.errors + sources.ranges.tokens;
  const nodes = firstLogit + logits.length;
  const count = Math.min(mostFeatures, sources.features.length);
  const weights = new Float32Array((logits.length + count) * nodes);
  const targets = logits.map((_, i) => firstLogit + i);
  const start = new Float64Array(nodes);
  logits.forEach(({ probability }, i) => {
    start[firstLogit + i] = probability;
  });
  const tracer = await inputTracer({ ...request, nodes }, call.signal);
  try {
    const room = (from: number, rows: number) => weights.subarray(from * nodes, (from + rows) * nodes);
    for (const part of inBatches(logits, batch)) {
      const from = logits.indexOf(part[0]!);
      const tokens = part.map(({ token }) => token);
      await tracer.logits(tokens, room(from, part.length));
    }
    while (targets.length < logits.length + count) {
      const left = logits.length + count - targets.length;
      const known = { targets, nodes, weights };
      const next =
        count < sources.features.length
          ? mostInfluential(known, sources, start, Math.min(left, batchesPerRanking * batch))
          : [...sources.features.keys()];
      // Those of one layer together: a batch is pulled down from its uppermost target.
      next.sort((a, b) => sources.features[a]!.layer - sources.features[b]!.layer);
      for (const part of inBatches(next, batch)) {
        throwIfCancelled(call.signal);
        await tracer.features(part, room(targets.length, part.length));
        targets.push(...part);
        call.report?.({ done: targets.length - logits.length, total: count, what: 'features traced' });
      }
    }
  } finally {
    await tracer.release();
  }
  return assembled({ targets, nodes, weights }, request, start);
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/** The features with the most influence through what is known that are not among the targets yet. */
function mostInfluential(
  known: UnorderedRows,
  sources: GraphSources,
  start: Float64Array,
  count: number,
): number[] {
  const influence = influenceOf({ ...known, order: targetsFirst(known, sources) }, start);
  const isTraced = new Set(Array.from(known.targets));
  return [...sources.features.keys()]
    .filter((node) => !isTraced.has(node))
    .sort((a, b) => influence[b]! - influence[a]!)
    .slice(0, count);
}

type UnorderedRows = Omit<EdgeRows, 'order'>;

/** Logits, then features from the last layer on: a feature has inputs from lower layers only. */
function targetsFirst({ targets }: UnorderedRows, { features }: GraphSources): number[] {
  const layers = Array.from(targets, (target) => features[target]?.layer ?? Number.POSITIVE_INFINITY);
  return [...layers.keys()].sort((a, b) => (layers[a] === layers[b] ? a - b : layers[b]! - layers[a]!));
}

/** Leaves out the features that were not traced. */
function assembled(
  unordered: UnorderedRows,
  { sources, logits }: TraceRequest,
  start: Float64Array,
): TracedGraph {
  const rows: EdgeRows = { ...unordered, order: targetsFirst(unordered, sources) };
  const isTraced = new Set(Array.from(rows.targets));
  const features = [...sources.features.keys()].filter((node) => isTraced.has(node));
  const ranges = { ...sources.ranges, features: features.length, logits: logits.length };
  if (features.length === sources.features.length) return { rows, ranges, features, start };
  const rest = Array.from(
    { length: rows.nodes - sources.features.length },
    (_, i) => sources.features.length + i,
  );
  const kept = [...features, ...rest];
  return {
    rows: amongNodes(rows, kept),
    ranges,
    features,
    start: Float64Array.from(kept, (node) => start[node]!),
  };
}
