/** How well chosen nodes of a circuit explain its metric: measured for the latest choice only, and remembered. */

import type { CircuitEvaluation, CircuitGraph } from '../../shared/circuit.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import { type CircuitModels, localCircuit, obstacleTo } from './localCircuit.ts';

/** What is asked, of which models. */
export interface MeasurementOptions {
  readonly engine: Pick<EngineApi, 'evaluateCircuit'>;
  readonly models: CircuitModels;
  readonly log: Log;
}

/** Evaluations that are remembered, so that a slider that goes back answers at once. */
const mostRemembered = 64;

/** The measurements of one content of a circuit. */
export class CircuitMeasurement {
  private readonly working = new LatestOnly();
  private readonly remembered = new Map<string, CircuitEvaluation>();

  /** Why the newest choice could not be measured. */
  failure: unknown;

  /** `latest` is what its file says of the nodes that are kept. */
  constructor(
    private readonly graph: CircuitGraph,
    public latest: CircuitEvaluation | undefined,
    private readonly options: MeasurementOptions,
    private readonly changed: () => void,
  ) {}

  get isBusy(): boolean {
    return this.working.isBusy;
  }

  /** Measures these nodes; a newer choice overtakes an older one. */
  async measure(nodes: readonly string[]): Promise<void> {
    const { hash, bos, precision } = this.options.models.model ?? {};
    const key = `${hash} ${bos} ${precision} ${[...nodes].sort().join('\n')}`;
    const known = this.remembered.get(key);
    if (known) {
      this.working.cancel();
      this.finish(known);
      return;
    }
    try {
      const evaluation = await this.working.run((signal) => {
        this.changed();
        return this.ask(nodes, signal);
      });
      if (!evaluation) return;
      this.remember(key, evaluation);
      this.finish(evaluation);
    } catch (error) {
      this.options.log.warn(`The circuit could not be evaluated: ${describeForLog(error)}`);
      this.latest = undefined;
      this.failure = error;
      this.changed();
    }
  }

  /** Ends what is under way. */
  cancel(): void {
    this.working.cancel();
  }

  private async ask(nodes: readonly string[], signal: AbortSignal): Promise<CircuitEvaluation | undefined> {
    const { engine, models } = this.options;
    if (obstacleTo(this.graph, models)) return undefined;
    // After a reload the engine may not have the model yet.
    const model = await models.ensure();
    if (signal.aborted || obstacleTo(this.graph, models)) return undefined;
    const graph = localCircuit(this.graph, models);
    const hooks = new Set(graph.provenance.saes.map(({ hook }) => hook));
    const saes = models.saes.filter(({ hook }) => hooks.has(hook)).map(({ id }) => id);
    const evaluation = await engine.evaluateCircuit(
      { graph, model: model.id, kept: nodes, saes },
      { signal },
    );
    // The model may be read in another way by now; then nobody knows of which one the answer is.
    return obstacleTo(this.graph, models) ? undefined : evaluation;
  }

  private finish(evaluation: CircuitEvaluation): void {
    this.latest = evaluation;
    this.failure = undefined;
    this.changed();
  }

  private remember(key: string, evaluation: CircuitEvaluation): void {
    this.remembered.set(key, evaluation);
    for (const old of this.remembered.keys()) {
      if (this.remembered.size <= mostRemembered) return;
      this.remembered.delete(old);
    }
  }
}
