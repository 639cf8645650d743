/** The metric of circuits of the component graph over a task: exact runs, several circuits side by side. */
import type { CallOptions } from '../../shared/callOptions.ts';
import type { TaskMetric } from '../../shared/task.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { Transformer } from '../model/transformer.ts';
import { metricValues } from '../task/metric.ts';
import type { TokenPair } from '../task/task.ts';
import { CircuitRunner } from './circuitRunner.ts';
import { type ComponentGraph, fullGraph, graphSizes } from './componentGraph.ts';
import { ComponentPrograms } from './componentPrograms.ts';
import { pairBatches } from './pairBatches.ts';

/** Floats that the variants of one run may hold. */
const runFloats = 64 * 2 ** 20;

/** Runners for all pairs of a task, which answer with the mean over them. */
export class CircuitMetric {
  readonly runners: readonly CircuitRunner[];
  readonly #metric: TaskMetric;
  readonly #pairs: number;
  readonly #model: Transformer;
  readonly #programs: ComponentPrograms;

  private constructor(
    model: Transformer,
    runners: readonly CircuitRunner[],
    programs: ComponentPrograms,
    metric: TaskMetric,
  ) {
    this.#model = model;
    this.#programs = programs;
    this.runners = runners;
    this.#metric = metric;
    this.#pairs = runners.reduce((sum, { batch }) => sum + batch.pairs.length, 0);
  }

  /** Runs all pairs. The caller releases it. */
  static async open(
    model: Transformer,
    pairs: readonly TokenPair[],
    metric: TaskMetric,
    signal?: AbortSignal,
  ): Promise<CircuitMetric> {
    const perToken = 3 * graphSizes(model.config).sources * model.config.dModel;
    const programs = new ComponentPrograms(model);
    const runners: CircuitRunner[] = [];
    for (const batch of pairBatches(pairs, Math.floor(runFloats / 4 / perToken))) {
      runners.push(await CircuitRunner.open(model, programs, batch, signal));
    }
    return new CircuitMetric(model, runners, programs, metric);
  }

  /** The same runs once more, also after this one was released. The caller releases what it gets. */
  reopened(): CircuitMetric {
    const programs = new ComponentPrograms(this.#model);
    const runners = this.runners.map((runner) => runner.withPrograms(programs));
    return new CircuitMetric(this.#model, runners, programs, this.#metric);
  }

  /** What its runs hold in memory, about. */
  get bytes(): number {
    return this.runners.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** How many variants may run side by side. */
  get rows(): number {
    return Math.min(64, ...this.runners.map((runner) => runner.rowsWithin(runFloats)));
  }

  /** The metric on the clean prompts, and on the corrupted ones. */
  ends(): { readonly clean: number; readonly corrupted: number } {
    const of = (run: 'clean' | 'corrupted'): number =>
      this.#meanOf(this.runners.map((r) => r[run].logits))[0]!;
    return { clean: of('clean'), corrupted: of('corrupted') };
  }

  /** The metric of every circuit, each given as `ComponentGraph.inGraph`. */
  async evaluate(circuits: readonly Uint8Array[], signal?: AbortSignal): Promise<Float64Array> {
    const found = new Float64Array(circuits.length);
    for (let start = 0; start < circuits.length; start += this.rows) {
      const part = circuits.slice(start, start + this.rows);
      found.set(await this.meanOver((runner) => runner.evaluate(part, signal)), start);
    }
    return found;
  }

  /** The mean over all pairs of the metric of logits `[rows, pair, d_vocab]`, by row. */
  async meanOver(logitsOf: (runner: CircuitRunner, index: number) => Promise<Value>): Promise<Float64Array> {
    const logits: Value[] = [];
    for (const [i, runner] of this.runners.entries()) logits.push(await logitsOf(runner, i));
    return this.#meanOf(logits);
  }

  release(): Promise<void> {
    return this.#programs.release();
  }

  #meanOf(logits: readonly Value[]): Float64Array {
    const dVocab = logits[0]!.dims.at(-1)!;
    const first = this.runners[0]!.batch.pairs.length;
    const rows = floatsOf(logits[0]!).length / (first * dVocab);
    const sums = new Float64Array(rows);
    this.runners.forEach(({ batch: { pairs }, clean }, i) => {
      const width = pairs.length * dVocab;
      for (let row = 0; row < rows; row++) {
        const data = floatsOf(logits[i]!).subarray(row * width, (row + 1) * width);
        const own = floatValue(data, [pairs.length, 1, dVocab]);
        for (const value of metricValues(this.#metric, own, pairs, clean.logits)) sums[row]! += value;
      }
    });
    return sums.map((sum) => sum / this.#pairs);
  }
}

/** What a circuit does to the metric. */
export interface GraphEvaluation {
  readonly clean: number;
  readonly corrupted: number;
  readonly circuit: number;
  /** `(circuit − corrupted) / (clean − corrupted)`; NaN when the two prompts give the same. */
  readonly faithfulness: number;
}

/** Runs a circuit exactly: the edges in the graph are clean, all others corrupted. */
export async function evaluateGraph(
  model: Transformer,
  graph: ComponentGraph,
  { pairs, metric }: { readonly pairs: readonly TokenPair[]; readonly metric: TaskMetric },
  call: CallOptions = {},
): Promise<GraphEvaluation> {
  const runs = await CircuitMetric.open(model, pairs, metric, call.signal);
  try {
    const { clean, corrupted } = runs.ends();
    const [circuit = Number.NaN] = await runs.evaluate([graph.inGraph], call.signal);
    const span = clean - corrupted;
    const faithfulness = span === 0 ? Number.NaN : (circuit - corrupted) / span;
    return { clean, corrupted, circuit, faithfulness };
  } finally {
    await runs.release();
  }
}

/**
 * The exact effect of corrupting single edges of the whole model: metric with the edge corrupted minus clean metric.
 * `edges` are indices into `ComponentGraph.scores`. Edges into the same destination run side by side.
 */
export async function exactEdgeEffects(
  model: Transformer,
  { pairs, metric }: { readonly pairs: readonly TokenPair[]; readonly metric: TaskMetric },
  edges: readonly number[],
  call: CallOptions = {},
): Promise<Float64Array> {
  const { sources } = graphSizes(model.config);
  const { inGraph } = fullGraph(model.config);
  const byDestination = new Map<number, number[]>();
  edges.forEach((edge, i) => {
    const destination = Math.floor(edge / sources);
    byDestination.set(destination, [...(byDestination.get(destination) ?? []), i]);
  });
  const runs = await CircuitMetric.open(model, pairs, metric, call.signal);
  try {
    const { clean } = runs.ends();
    const states = runs.runners.map((runner) => runner.cleanState());
    const effects = new Float64Array(edges.length);
    let done = 0;
    for (const [destination, asked] of byDestination) {
      for (let start = 0; start < asked.length; start += runs.rows) {
        const part = asked.slice(start, start + runs.rows);
        const removed = part.map((i) => [edges[i]! % sources]);
        const found = await runs.meanOver((runner, i) =>
          runner.without(states[i]!, inGraph, destination, removed, call.signal),
        );
        part.forEach((i, row) => {
          effects[i] = found[row]! - clean;
        });
        done += part.length;
        call.report?.({ done, total: edges.length, what: 'edges' });
      }
    }
    return effects;
  } finally {
    await runs.release();
  }
}
