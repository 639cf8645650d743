/**
 * Automatic circuit discovery (ACDC, Conmy et al. 2023, algorithm 1): from the logits backward, every edge into a node is
 * corrupted in turn, and stays so when that raises the loss by less than a threshold τ. The loss is the KL divergence from the
 * clean run, or the metric with its sign turned where more of it is better.
 *
 * Edges are taken from the latest source to the earliest. What lies below the node at hand is still clean, so each trial
 * restarts at that node's layer. Trials run side by side on the guess that all before them in the row were removed; the first one
 * that turns out otherwise ends the row, so the outcome is that of one edge at a time.
 */
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import type { TaskMetric } from '../../shared/task.ts';
import type { Transformer } from '../model/transformer.ts';
import type { TokenPair } from '../task/task.ts';
import { CircuitMetric } from './circuitMetric.ts';
import {
  type ComponentGraph,
  edgeCount,
  fullGraph,
  type GraphShape,
  graphSizes,
  readable,
  readersOf,
} from './componentGraph.ts';
import type { RunnerState } from './runnerState.ts';
import { connected, pruneLoose } from './selectEdges.ts';

export interface AcdcRequest {
  readonly pairs: readonly TokenPair[];
  readonly metric: TaskMetric;
  /** τ, in units of the metric: an edge stays when corrupting it raises the loss by this much or more. */
  readonly threshold: number;
  /** Ends the search with what is found when the loss has risen by this much in all; never when left out. */
  readonly budget?: number;
}

export interface AcdcResult {
  /** The scores are the rises of the loss when each edge was tried; 0 for those that were never tried. */
  readonly graph: ComponentGraph;
  /** Edges that were tried; those into nodes that no longer reach the logits are removed untried. */
  readonly tried: number;
  /** The metric of the circuit on the way out, before loose ends are dropped. */
  readonly metric: number;
  /** True when the budget ended the search. */
  readonly stopped: boolean;
}

/** Metrics of which more is worse. */
const losses: ReadonlySet<TaskMetric> = new Set<TaskMetric>(['kl', 'crossEntropy']);

/** Finds a circuit. @throws request.invalid for no pairs, or a threshold below 0; cancelled. */
export async function acdc(
  model: Transformer,
  request: AcdcRequest,
  call: CallOptions = {},
): Promise<AcdcResult> {
  const { pairs, metric, threshold } = request;
  const invalid = (what: string, reason: string) => new EngineError('request.invalid', { what, reason });
  if (pairs.length === 0) throw invalid('The search for a circuit', 'there are no prompt pairs');
  if (!(threshold >= 0)) throw invalid(`The threshold ${threshold}`, 'it is a number of at least 0');
  const runs = await CircuitMetric.open(model, pairs, metric, call.signal);
  try {
    return await new Search(model.config, runs, request, call).run();
  } finally {
    await runs.release();
  }
}

class Search {
  readonly #shape: GraphShape;
  readonly #runs: CircuitMetric;
  readonly #request: AcdcRequest;
  readonly #call: CallOptions;
  readonly #graph: ComponentGraph;
  /** +1 when the metric is a loss, −1 when more is better. */
  readonly #sign: number;
  /** By runner: all removals so far. */
  #states: readonly RunnerState[];
  #loss: number;
  /** Trials that run side by side: more after rows that held, fewer after ones that did not. */
  #width = 8;
  #tried = 0;
  #seen = 0;

  constructor(shape: GraphShape, runs: CircuitMetric, request: AcdcRequest, call: CallOptions) {
    this.#shape = shape;
    this.#runs = runs;
    this.#request = request;
    this.#call = call;
    this.#graph = fullGraph(shape);
    this.#sign = losses.has(request.metric) ? 1 : -1;
    this.#states = runs.runners.map((runner) => runner.cleanState());
    this.#loss = this.#sign * runs.ends().clean;
  }

  async run(): Promise<AcdcResult> {
    const { sources, destinations } = graphSizes(this.#shape);
    const { inGraph } = this.#graph;
    const limit = this.#loss + (this.#request.budget ?? Number.POSITIVE_INFINITY);
    let stopped = false;
    for (let d = destinations - 1; d >= 0 && !stopped; d--) {
      throwIfCancelled(this.#call.signal);
      const end = readable(this.#shape, d);
      const row = inGraph.subarray(d * sources, d * sources + end);
      if (this.#leads(d)) {
        const removed = await this.#reduce(d, end);
        for (const source of removed) row[source] = 0;
        await this.#commit(d, removed);
      } else row.fill(0);
      this.#seen += end;
      this.#report();
      stopped = this.#loss > limit;
    }
    const metric = this.#sign * this.#loss;
    return { graph: pruneLoose(this.#graph), tried: this.#tried, metric, stopped };
  }

  /** Whether what reads this destination still has a way to the logits. */
  #leads(destination: number): boolean {
    const readers = readersOf(this.#shape, destination);
    if (readers.length === 0) return true;
    const { speaks } = connected(this.#shape, this.#graph.inGraph);
    return readers.some((reader) => speaks[reader]);
  }

  /** Tries all edges into a destination; answers those that are removed. */
  async #reduce(destination: number, end: number): Promise<readonly number[]> {
    const { sources } = graphSizes(this.#shape);
    const removed: number[] = [];
    for (let next = end - 1; next >= 0; ) {
      throwIfCancelled(this.#call.signal);
      const width = Math.min(this.#width, this.#runs.rows, next + 1);
      const tried = Array.from({ length: width }, (_, i) => next - i);
      const rows = tried.map((_, i) => [...removed, ...tried.slice(0, i + 1)]);
      const losses = await this.#losses(destination, rows);
      const failed = this.#judge(destination * sources, tried, losses);
      const held = failed < 0 ? width : failed;
      removed.push(...tried.slice(0, held));
      next -= failed < 0 ? width : failed + 1;
      this.#width = failed < 0 ? this.#width * 2 : Math.max(1, Math.min(this.#width, 2 * (failed + 1)));
      this.#tried += failed < 0 ? width : failed + 1;
      this.#report(end - 1 - next);
    }
    return removed;
  }

  /** Goes through a row of trials; answers which was the first to matter, or −1. */
  #judge(row: number, tried: readonly number[], losses: Float64Array): number {
    for (const [i, source] of tried.entries()) {
      const rise = losses[i]! - this.#loss;
      this.#graph.scores[row + source] = rise;
      if (!(rise < this.#request.threshold)) return i;
      this.#loss = losses[i]!;
    }
    return -1;
  }

  async #losses(destination: number, removed: readonly (readonly number[])[]): Promise<Float64Array> {
    const found = await this.#runs.meanOver((runner, i) =>
      runner.without(this.#states[i]!, this.#graph.inGraph, destination, removed, this.#call.signal),
    );
    return found.map((value) => this.#sign * value);
  }

  async #commit(destination: number, removed: readonly number[]): Promise<void> {
    if (removed.length === 0) return;
    const { inGraph } = this.#graph;
    const { signal } = this.#call;
    const next: RunnerState[] = [];
    for (const [i, runner] of this.#runs.runners.entries()) {
      next.push(await runner.commit(this.#states[i]!, inGraph, destination, removed, signal));
    }
    this.#states = next;
  }

  #report(within = 0): void {
    this.#call.report?.({ done: this.#seen + within, total: edgeCount(this.#shape), what: 'edges' });
  }
}
