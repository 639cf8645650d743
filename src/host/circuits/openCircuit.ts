/** One open circuit: its graph, what a person added with a history of steps, and how well what is kept explains the metric. */

import type {
  CircuitAnnotations,
  CircuitDocument,
  CircuitEvaluation,
  CircuitGraph,
  CircuitNode,
} from '../../shared/circuit.ts';
import type { Edit } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { firstAnnotations } from '../../shared/firstAnnotations.ts';
import { Disposable } from '../disposable.ts';
import { Emitter } from '../emitter.ts';
import { LatestOnly } from '../latestOnly.ts';
import { describeForLog, type Log } from '../log.ts';
import {
  type CircuitModels,
  hasSameBos,
  isOfModel,
  localCircuit,
  localFeature,
  type Obstacle,
  obstacleTo,
} from './localCircuit.ts';

/** One change of the annotations, for editors that keep a history of their own. */
export interface CircuitStep {
  readonly what: string;
  readonly undo: () => void;
  readonly redo: () => void;
}

/** What a circuit needs beside its content. */
export interface OpenCircuitOptions {
  readonly id: string;
  /** A name for people, for as long as nobody gave it a title. */
  readonly name: string;
  readonly engine: Pick<EngineApi, 'evaluateCircuit'>;
  readonly models: CircuitModels;
  readonly log: Log;
  /** The document of the prompt it was found for. */
  readonly promptUri?: string;
  /** The file it is the content of. */
  readonly fileUri?: string;
  /** True when its annotations are a person's from the start, as in a circuit of an earlier session. */
  readonly isAnnotated?: boolean;
}

interface Step {
  readonly what: string;
  /** Which of the contents it belongs to; see `replace`. */
  readonly epoch: number;
  readonly before: CircuitAnnotations;
  readonly after: CircuitAnnotations;
}

/** Undo goes back this far. */
const longestHistory = 200;

/** Evaluations that are remembered, so that a slider that goes back answers at once. */
const rememberedEvaluations = 64;

/** A circuit that is open. SAEs in it are named by their hooks; see `localCircuit`. */
export class OpenCircuit extends Disposable {
  readonly onDidChange;
  readonly onDidHover;
  readonly onDidStep;
  readonly id: string;
  private readonly changed = this.own(new Emitter<void>());
  private readonly hoverChanged = this.own(new Emitter<void>());
  private readonly stepped = this.own(new Emitter<CircuitStep>());
  private readonly evaluating = new LatestOnly();
  private readonly remembered = new Map<string, CircuitEvaluation>();
  private current: CircuitDocument;
  private marks: CircuitAnnotations;
  /** The annotations that it came with. */
  private first: CircuitAnnotations;
  private steps: Step[] = [];
  /** How many of the steps are done; the others can be done again. */
  private done = 0;
  /** Counts the contents it has had. */
  private epoch = 0;
  private chosen: string | undefined;
  private pointed: string | undefined;
  private latest: CircuitEvaluation | undefined;
  private failure: unknown;

  constructor(
    document: CircuitDocument,
    private readonly options: OpenCircuitOptions,
  ) {
    super();
    this.id = options.id;
    this.current = document;
    this.marks = firstAnnotations(document);
    this.first = this.marks;
    this.latest = document.evaluation;
    this.onDidChange = this.changed.event;
    this.onDidHover = this.hoverChanged.event;
    this.onDidStep = this.stepped.event;
    this.own({ dispose: () => this.evaluating.cancel() });
  }

  get graph(): CircuitGraph {
    return this.current;
  }

  get annotations(): CircuitAnnotations {
    return this.marks;
  }

  get title(): string {
    return this.marks.title || this.options.name;
  }

  /** Names its content: another one has another version. */
  get version(): string {
    return `${this.id}.${this.epoch}`;
  }

  /** Whether somebody has added more than a place of the slider, which would be lost with it. */
  get isAnnotated(): boolean {
    if (this.options.isAnnotated) return true;
    const noted = (annotations: CircuitAnnotations): string => JSON.stringify({ ...annotations, keep: 0 });
    return this.marks !== this.first && noted(this.marks) !== noted(this.first);
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
    return this.latest;
  }

  get isEvaluating(): boolean {
    return this.evaluating.isBusy;
  }

  /** Why the newest choice could not be evaluated. */
  get evaluationError(): unknown {
    return this.failure;
  }

  get canUndo(): boolean {
    return this.done > 0;
  }

  get canRedo(): boolean {
    return this.done < this.steps.length;
  }

  /** What keeps it from being evaluated with the open model. */
  get obstacle(): Obstacle | undefined {
    return obstacleTo(this.current, this.options.models);
  }

  /** Everything that a file of it holds. */
  get document(): CircuitDocument {
    const { evaluation: _, ...graph } = this.current;
    return { ...graph, annotations: this.marks, ...(this.latest && { evaluation: this.latest }) };
  }

  /**
   * Another content from now on, without history, as when a file is read again. An editor may still have steps of the
   * content before: they do nothing.
   */
  replace(document: CircuitDocument): void {
    this.evaluating.cancel();
    this.remembered.clear();
    this.current = document;
    this.marks = firstAnnotations(document);
    this.first = this.marks;
    this.latest = document.evaluation;
    this.failure = undefined;
    this.steps = [];
    this.done = 0;
    this.epoch++;
    if (this.chosen !== undefined && !this.node(this.chosen)) this.chosen = undefined;
    this.hover(undefined);
    this.changed.fire();
  }

  /** A node of the circuit. */
  node(id: string): CircuitNode | undefined {
    return this.current.nodes.find((node) => node.id === id);
  }

  /** Changes what a person added, as one step of the history. */
  annotate(annotations: CircuitAnnotations, what: string): void {
    if (JSON.stringify(annotations) === JSON.stringify(this.marks)) return;
    const step: Step = { what, epoch: this.epoch, before: this.marks, after: annotations };
    this.steps = [...this.steps.slice(0, this.done), step].slice(-longestHistory);
    this.done = this.steps.length;
    this.marks = annotations;
    this.stepped.fire({
      what,
      undo: () => this.goTo(step, 'before'),
      redo: () => this.goTo(step, 'after'),
    });
    this.changed.fire();
  }

  undo(): void {
    const step = this.steps[this.done - 1];
    if (step) this.goTo(step, 'before');
  }

  redo(): void {
    const step = this.steps[this.done];
    if (step) this.goTo(step, 'after');
  }

  private goTo(step: Step, side: 'before' | 'after'): void {
    if (step.epoch !== this.epoch) return;
    const at = this.steps.indexOf(step);
    if (at >= 0) this.done = side === 'before' ? at : at + 1;
    this.marks = step[side];
    this.changed.fire();
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
    const { hash, bos, precision } = this.options.models.model ?? {};
    const key = `${hash} ${bos} ${precision} ${[...nodes].sort().join('\n')}`;
    const known = this.remembered.get(key);
    if (known) {
      this.evaluating.cancel();
      this.finish(known);
      return;
    }
    try {
      const evaluation = await this.evaluating.run((signal) => {
        this.changed.fire();
        return this.ask(nodes, signal);
      });
      if (evaluation) {
        this.remember(key, evaluation);
        this.finish(evaluation);
      }
    } catch (error) {
      this.options.log.warn(`The circuit could not be evaluated: ${describeForLog(error)}`);
      this.latest = undefined;
      this.failure = error;
      this.changed.fire();
    }
  }

  /** Ends an evaluation that is under way. */
  cancelEvaluation(): void {
    if (!this.evaluating.isBusy) return;
    this.evaluating.cancel();
    this.changed.fire();
  }

  private async ask(nodes: readonly string[], signal: AbortSignal): Promise<CircuitEvaluation | undefined> {
    const { engine, models } = this.options;
    if (obstacleTo(this.current, models)) return undefined;
    // After a reload the engine may not have the model yet.
    const model = await models.ensure();
    if (signal.aborted || obstacleTo(this.current, models)) return undefined;
    const graph = localCircuit(this.current, models);
    const hooks = new Set(graph.provenance.saes.map(({ hook }) => hook));
    const saes = models.saes.filter(({ hook }) => hooks.has(hook)).map(({ id }) => id);
    const evaluation = await engine.evaluateCircuit(
      { graph, model: model.id, kept: nodes, saes },
      { signal },
    );
    // The model may be read in another way by now; then nobody knows of which one the answer is.
    return obstacleTo(this.current, models) ? undefined : evaluation;
  }

  private finish(evaluation: CircuitEvaluation): void {
    this.latest = evaluation;
    this.failure = undefined;
    this.changed.fire();
  }

  private remember(key: string, evaluation: CircuitEvaluation): void {
    this.remembered.set(key, evaluation);
    for (const old of this.remembered.keys()) {
      if (this.remembered.size <= rememberedEvaluations) return;
      this.remembered.delete(old);
    }
  }

  /**
   * The intervention that zeroes a node; nothing for nodes that are no component, whose SAE is not there, or of another
   * model than the open one. A position is one of a text that begins alike.
   */
  ablationOf(id: string): Pick<Edit, 'target' | 'action' | 'positions'> | undefined {
    const node = this.node(id);
    const target = node && this.targetOf(node);
    if (!node || !target) return undefined;
    const { model } = this.options.models;
    if (!this.current.isAggregated && !(model && hasSameBos(this.current, model))) return undefined;
    const action = { kind: 'zero' } as const;
    return this.current.isAggregated ? { target, action } : { target, action, positions: [node.position] };
  }

  private targetOf(node: CircuitNode): Edit['target'] | undefined {
    const { kind, layer, head } = node;
    const { model } = this.options.models;
    if (!model || !isOfModel(this.current, model)) return undefined;
    if (kind === 'head' && head !== undefined) return { kind: 'head', layer, head };
    if (kind === 'mlp') return { kind: 'mlp', layer };
    const feature = localFeature(this.current, node, this.options.models);
    return feature && { kind: 'feature', feature };
  }
}
