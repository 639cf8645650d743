/** One open circuit: its graph, what a person added, how well what is kept explains the metric, and what is looked at. */

import type {
  CircuitAnnotations,
  CircuitDocument,
  CircuitEvaluation,
  CircuitGraph,
  CircuitNode,
} from '../../shared/circuit.ts';
import type { Edit } from '../../shared/domain.ts';
import { firstAnnotations } from '../../shared/firstAnnotations.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { AnnotationHistory, type CircuitStep } from './annotationHistory.ts';
import { CircuitMeasurement, type MeasurementOptions } from './circuitMeasurement.ts';
import { ablationOf, type Obstacle, obstacleTo } from './localCircuit.ts';

/** What a circuit needs beside its content. */
export interface OpenCircuitOptions extends MeasurementOptions {
  readonly id: string;
  /** A name for people, for as long as nobody gave it a title. */
  readonly name: string;
  /** The document of the prompt it was found for. */
  readonly promptUri?: string;
  /** The file it is the content of. */
  readonly fileUri?: string;
  /** True when its annotations are a person's from the start, as in a circuit of an earlier session. */
  readonly isAnnotated?: boolean;
  /** Milliseconds since 1970 when it was found; now, when it is new. */
  readonly created?: number;
}

/** A circuit that is open. SAEs in it are named by their hooks; see `localCircuit`. */
export class OpenCircuit extends Disposable {
  readonly onDidChange;
  readonly onDidHover;
  readonly onDidStep;
  readonly id: string;
  /** Milliseconds since 1970 when it was found. */
  readonly created: number;
  private readonly changed = this.own(new Emitter<void>());
  private readonly hoverChanged = this.own(new Emitter<void>());
  private readonly stepped = this.own(new Emitter<CircuitStep>());
  private current: CircuitDocument;
  private history: AnnotationHistory;
  private measurement: CircuitMeasurement;
  /** Counts the contents it has had. */
  private epoch = 0;
  /** The file that a found circuit was saved as, and what it held then. */
  saved: { readonly uri: string; readonly annotations: CircuitAnnotations } | undefined;
  private chosen: string | undefined;
  private pointed: string | undefined;

  constructor(
    document: CircuitDocument,
    private readonly options: OpenCircuitOptions,
  ) {
    super();
    this.id = options.id;
    this.created = options.created ?? Date.now();
    this.current = document;
    this.history = this.historyOf(document);
    this.measurement = this.measurementOf(document);
    this.onDidChange = this.changed.event;
    this.onDidHover = this.hoverChanged.event;
    this.onDidStep = this.stepped.event;
    this.own({ dispose: () => this.measurement.cancel() });
  }

  get graph(): CircuitGraph {
    return this.current;
  }

  get annotations(): CircuitAnnotations {
    return this.history.annotations;
  }

  get title(): string {
    return this.annotations.title || this.options.name;
  }

  /** Names its content: another one has another version. */
  get version(): string {
    return `${this.id}.${this.epoch}`;
  }

  /** Whether somebody has added more than a place of the slider, which would be lost with it. */
  get isAnnotated(): boolean {
    if (this.options.isAnnotated) return true;
    const { annotations, first } = this.history;
    const noted = (marks: CircuitAnnotations): string => JSON.stringify({ ...marks, keep: 0 });
    return annotations !== first && noted(annotations) !== noted(first);
  }

  get promptUri(): string | undefined {
    return this.options.promptUri;
  }

  get fileUri(): string | undefined {
    return this.options.fileUri;
  }

  get selected(): string | undefined {
    return this.chosen;
  }

  get evaluation(): CircuitEvaluation | undefined {
    return this.measurement.latest;
  }

  get isEvaluating(): boolean {
    return this.measurement.isBusy;
  }

  /** Why the newest choice could not be evaluated. */
  get evaluationError(): unknown {
    return this.measurement.failure;
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  /** What keeps it from being evaluated with the open model. */
  get obstacle(): Obstacle | undefined {
    return obstacleTo(this.current, this.options.models);
  }

  /** Everything that a file of it holds. */
  get document(): CircuitDocument {
    const { evaluation: _, ...graph } = this.current;
    const { annotations, evaluation } = this;
    return { ...graph, annotations, ...(evaluation && { evaluation }) };
  }

  /** Another content from now on, without history, as when a file is read again. */
  replace(document: CircuitDocument): void {
    this.measurement.cancel();
    this.history.end();
    this.current = document;
    this.history = this.historyOf(document);
    this.measurement = this.measurementOf(document);
    this.epoch++;
    if (this.chosen !== undefined && !this.node(this.chosen)) this.chosen = undefined;
    this.hover(undefined);
    this.changed.fire();
  }

  private historyOf(document: CircuitDocument): AnnotationHistory {
    return new AnnotationHistory(
      firstAnnotations(document),
      () => this.changed.fire(),
      (step) => this.stepped.fire(step),
    );
  }

  private measurementOf(document: CircuitDocument): CircuitMeasurement {
    return new CircuitMeasurement(document, document.evaluation, this.options, () => this.changed.fire());
  }

  /** A node of the circuit. */
  node(id: string): CircuitNode | undefined {
    return this.current.nodes.find((node) => node.id === id);
  }

  /** Changes what a person added, as one step of the history; changes of one `stroke` are one step together. */
  annotate(annotations: CircuitAnnotations, what: string, stroke?: number): void {
    this.history.edit(annotations, what, stroke);
  }

  /** The next change is a step of its own, whatever drag of the slider it belongs to. */
  endStroke(): void {
    this.history.endStroke();
  }

  undo(): void {
    this.history.undo();
  }

  redo(): void {
    this.history.redo();
  }

  select(node: string | undefined): void {
    if (this.chosen === node) return;
    this.chosen = node;
    this.changed.fire();
  }

  hover(node: string | undefined): void {
    if (this.pointed === node) return;
    this.pointed = node;
    this.hoverChanged.fire();
  }

  /** Token positions under the hovered node and those it is connected to; none where nodes stand for all positions. */
  get hoveredPositions(): readonly number[] {
    const { pointed, current } = this;
    if (pointed === undefined || current.isAggregated) return [];
    const near = new Set([pointed]);
    for (const edge of current.edges) {
      if (edge.source === pointed) near.add(edge.target);
      if (edge.target === pointed) near.add(edge.source);
    }
    return [...new Set(current.nodes.filter((node) => near.has(node.id)).map((node) => node.position))];
  }

  /** Measures how well these nodes explain the metric; a newer choice overtakes an older one. */
  async evaluate(nodes: readonly string[]): Promise<void> {
    await this.measurement.measure(nodes);
  }

  /** Ends an evaluation that is under way. */
  cancelEvaluation(): void {
    if (!this.isEvaluating) return;
    this.measurement.cancel();
    this.changed.fire();
  }

  /** The intervention that zeroes a node; see `ablationOf`. */
  ablationOf(id: string): Pick<Edit, 'target' | 'action' | 'positions'> | undefined {
    const node = this.node(id);
    return node && ablationOf(this.current, node, this.options.models);
  }
}
