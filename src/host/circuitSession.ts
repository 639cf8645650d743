/** The circuit that was found last, what is kept of it, and how well that explains the metric. Knows no VS Code. */

import type {
  CircuitEvaluation,
  CircuitGraph,
  CircuitNode,
  Contrast,
  Edit,
  ModelId,
  Progress,
} from '../shared/domain.ts';
import type { EngineApi } from '../shared/engineApi.ts';
import { isEngineError } from '../shared/errors.ts';
import { Disposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import { LatestOnly } from './latestOnly.ts';
import { describeForLog, type Log } from './log.ts';
import type { Memory } from './modelStore.ts';

/** A circuit and what it was asked for. */
export interface FoundCircuit {
  readonly graph: CircuitGraph;
  readonly model: ModelId;
  readonly contrast: Contrast;
  /** The document it belongs to. */
  readonly uri: string;
}

/** What to find a circuit for. */
export interface CircuitQuestion {
  readonly model: ModelId;
  readonly uri: string;
  readonly text: string;
  readonly contrast: Contrast;
  readonly counterfactual?: string;
  readonly saes: readonly string[];
}

/** What the session needs. */
export interface CircuitSessionOptions {
  readonly engine: EngineApi;
  readonly memory: Memory;
  readonly log: Log;
}

const memoryKey = 'circuit';

/** Strongest nodes that a circuit is made of. */
const maxNodes = 150;

/** Nodes that are kept until the reader moves the slider: more do not fit into a panel beside the editor. */
const firstNodes = 40;

/** A circuit and where its slider stands, as it is remembered. */
interface Kept extends FoundCircuit {
  readonly keep?: number;
}

/** Finds, keeps and prunes one circuit. */
export class CircuitSession extends Disposable {
  readonly onDidChange;
  readonly onDidHover;
  private readonly changed = this.own(new Emitter<void>());
  private readonly hovered = this.own(new Emitter<void>());
  private readonly finding = new LatestOnly();
  private readonly evaluating = new LatestOnly();
  private current: FoundCircuit | undefined;
  private hoveredNode: string | undefined;
  private pins: readonly string[] = [];

  selected: string | undefined;
  keep = 1;
  evaluation: CircuitEvaluation | undefined;
  progress: Progress | undefined;
  error: unknown;

  constructor(private readonly options: CircuitSessionOptions) {
    super();
    this.onDidChange = this.changed.event;
    this.onDidHover = this.hovered.event;
    this.own({ dispose: () => this.cancel() });
  }

  get found(): FoundCircuit | undefined {
    return this.current;
  }

  get isFinding(): boolean {
    return this.finding.isBusy;
  }

  get isEvaluating(): boolean {
    return this.evaluating.isBusy;
  }

  get pinned(): readonly string[] {
    return this.pins;
  }

  /** Token positions under the hovered node and those it is connected to. */
  get hoveredPositions(): readonly number[] {
    const graph = this.current?.graph;
    const id = this.hoveredNode;
    if (!graph || id === undefined) return [];
    const near = new Set([id]);
    for (const edge of graph.edges) {
      if (edge.source === id) near.add(edge.target);
      if (edge.target === id) near.add(edge.source);
    }
    return [...new Set(graph.nodes.filter((node) => near.has(node.id)).map((node) => node.position))];
  }

  /** A node of the circuit. */
  node(id: string): CircuitNode | undefined {
    return this.current?.graph.nodes.find((node) => node.id === id);
  }

  /** Finds the circuit; the one before stays until the new one is there. Rejects when it fails or is cancelled. */
  async find(question: CircuitQuestion, report: (progress: Progress) => void): Promise<void> {
    const { model, uri, text, contrast, counterfactual, saes } = question;
    this.error = undefined;
    try {
      const graph = await this.finding.run((signal) => {
        this.changed.fire();
        return this.options.engine.findCircuit(
          { model, text, contrast, counterfactual, saes, maxNodes },
          { signal, report: (progress) => this.report(progress, report) },
        );
      });
      if (graph) this.accept({ graph, model, contrast, uri });
    } catch (error) {
      if (!isEngineError(error, 'cancelled')) this.error = error;
      throw error;
    } finally {
      if (!this.finding.isBusy) this.progress = undefined;
      this.changed.fire();
    }
  }

  /** Brings back the circuit of an earlier session. */
  restore(): void {
    if (this.current) return;
    const kept = this.options.memory.get<Kept>(memoryKey);
    if (kept?.graph?.version !== 1) return;
    const { keep, ...circuit } = kept;
    this.current = circuit;
    this.keep = keep ?? firstKeep(circuit.graph);
  }

  cancel(): void {
    this.finding.cancel();
    this.evaluating.cancel();
    this.progress = undefined;
    this.changed.fire();
  }

  select(node: string | undefined): void {
    this.selected = node;
    this.changed.fire();
  }

  hover(node: string | undefined): void {
    if (this.hoveredNode === node) return;
    this.hoveredNode = node;
    this.hovered.fire();
  }

  pin(node: string, pinned: boolean): void {
    const others = this.pins.filter((other) => other !== node);
    this.pins = pinned ? [...others, node] : others;
    this.changed.fire();
  }

  /** Keeps these nodes and measures how well they explain the metric; a newer choice overtakes an older one. */
  async prune(fraction: number, nodes: readonly string[]): Promise<void> {
    const circuit = this.current;
    if (!circuit) return;
    this.keep = fraction;
    this.remember();
    const { graph, model, contrast } = circuit;
    try {
      const evaluation = await this.evaluating.run((signal) => {
        this.changed.fire();
        return this.options.engine.evaluateCircuit({ graph, model, contrast, kept: nodes }, { signal });
      });
      if (evaluation) this.evaluation = evaluation;
    } catch (error) {
      this.options.log.warn(`The circuit could not be evaluated: ${describeForLog(error)}`);
      this.evaluation = undefined;
      throw error;
    } finally {
      this.changed.fire();
    }
  }

  private report(progress: Progress, listener: (progress: Progress) => void): void {
    this.progress = progress;
    listener(progress);
    this.changed.fire();
  }

  private accept(circuit: FoundCircuit): void {
    this.current = circuit;
    this.selected = undefined;
    this.pins = [];
    this.keep = firstKeep(circuit.graph);
    this.evaluation = undefined;
    this.hover(undefined);
    this.remember();
  }

  private remember(): void {
    if (!this.current) return;
    const kept: Kept = { ...this.current, keep: this.keep };
    void this.options.memory.update(memoryKey, kept);
  }
}

/** The part of the components that a fresh circuit shows, in hundredths like the slider. */
function firstKeep({ nodes }: CircuitGraph): number {
  const components = nodes.filter(({ kind }) => kind !== 'token' && kind !== 'logit').length;
  return components <= firstNodes ? 1 : Math.floor((100 * firstNodes) / components) / 100;
}

/** The intervention that zeroes a node at its own position; nothing for nodes that are no component. */
export function ablationOf(node: CircuitNode): Pick<Edit, 'target' | 'action' | 'positions'> | undefined {
  const target = targetOf(node);
  return target && { target, action: { kind: 'zero' }, positions: [node.position] };
}

function targetOf(node: CircuitNode): Edit['target'] | undefined {
  if (node.kind === 'head' && node.head !== undefined) {
    return { kind: 'head', layer: node.layer, head: node.head };
  }
  if (node.kind === 'mlp') return { kind: 'mlp', layer: node.layer };
  if (node.kind === 'feature' && node.feature) return { kind: 'feature', feature: node.feature };
  return undefined;
}
