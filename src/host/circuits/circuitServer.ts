/** Answers what one circuit surface asks: the panel, or an editor of a file. Comparison is each surface's own. */

import * as vscode from 'vscode';
import type { CircuitViewApi, NodeDetails, SentState } from '../../shared/circuitViewApi.ts';
import type { ViewMessage } from '../../shared/viewApi.ts';
import { runCommand } from '../contributions.ts';
import { Disposable } from '../disposable.ts';
import { revealToken } from '../editor/revealToken.ts';
import { describeForLog } from '../log.ts';
import type { Services } from '../services.ts';
import { runViewCommand } from '../webviews/tokensPanel.ts';
import { showError, wordError } from '../wordError.ts';
import type { CircuitPlace } from './circuitPlace.ts';
import { exportCircuit } from './exportCircuit.ts';
import { localFeature } from './localCircuit.ts';
import type { OpenCircuit } from './openCircuit.ts';
import { searchAgain } from './searchAgain.ts';
import { sentCircuit } from './sentCircuit.ts';
import { concerns, type ShelfChange } from './shelfChange.ts';
import { wordObstacle } from './wordObstacle.ts';

/** What a surface shows, and what only its kind of surface can do. */
export interface CircuitSurface {
  readonly circuit: () => OpenCircuit | undefined;
  readonly isFile: boolean;
  /** Shown when there is no circuit. */
  readonly message: () => ViewMessage | undefined;
  /** Shown over the circuit that is there. */
  readonly failure?: () => ViewMessage | undefined;
  readonly undo: () => void | Promise<void>;
  readonly redo: () => void | Promise<void>;
  readonly save: () => Promise<void>;
  /** Tells the view that its state has changed, or only the selected token. */
  readonly tell: (change: 'state' | 'selection') => void;
}

/** Serves one surface. */
export class CircuitServer extends Disposable implements CircuitPlace {
  private other: OpenCircuit | undefined;
  private compareAs: 'difference' | 'sideBySide' | undefined;
  private tellTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly services: Services,
    private readonly surface: CircuitSurface,
  ) {
    super();
    const { circuits, models, session } = services;
    this.own(circuits.onDidChange((change) => this.shelfChanged(change)));
    this.own(models.onDidChange(() => this.tellSoon()));
    this.own(session.onDidChange((change) => this.sessionChanged(change)));
    this.own(session.interventions.onDidChange(() => this.tellSoon()));
    this.own(services.places.onDidSelect(() => this.surface.tell('selection')));
    this.own({ dispose: () => clearTimeout(this.tellTimer) });
    this.own({ dispose: () => circuits.deactivate(this) });
  }

  /** Sets another circuit beside the shown one, or none. */
  compare(other: OpenCircuit | undefined, as: 'difference' | 'sideBySide' = 'difference'): void {
    this.other = other;
    this.compareAs = other && as;
    this.tellSoon();
  }

  /** What the view asks. */
  get api(): CircuitViewApi {
    const { log } = this.services;
    const told = (work: Promise<void>): Promise<void> => work.catch((error) => showError(error, log));
    return {
      state: async ({ known }) => this.state(known),
      selectNode: ({ node, reveal }) => this.selectNode(node, reveal),
      hoverNode: async ({ node }) => this.circuit?.hover(node),
      annotate: async ({ annotations, what, stroke }) => this.circuit?.annotate(annotations, what, stroke),
      undo: async () => this.surface.undo(),
      redo: async () => this.surface.redo(),
      evaluate: async ({ nodes }) => this.circuit?.evaluate(nodes),
      nodeDetails: ({ node }, options) => this.nodeDetails(node, options?.signal),
      compare: async ({ with: other, as }) => this.compare(this.services.circuits.get(other ?? ''), as),
      ablateNode: async ({ node }) => this.ablateNode(node),
      steerNode: ({ node }) => this.steerNode(node),
      save: () => told(this.surface.save()),
      exportGraph: ({ kind, picture }) => told(this.export(kind, picture)),
      cancel: async () => this.cancel(),
      dismissFailure: async () => this.services.circuits.dismissError(),
      runCommand: ({ command }) => told(runViewCommand(command)),
    };
  }

  /** The circuit that is shown. */
  get circuit(): OpenCircuit | undefined {
    return this.surface.circuit();
  }

  /** Progress and the slider's steps come often; the view is told at most every 50 ms. */
  private tellSoon(): void {
    this.tellTimer ??= setTimeout(() => {
      this.tellTimer = undefined;
      this.surface.tell('state');
    }, 50);
  }

  private shelfChanged(change: ShelfChange): void {
    const { isFile } = this.surface;
    if (concerns(change, { isFile, shown: [this.circuit, this.other] })) this.tellSoon();
  }

  private sessionChanged(change: 'state' | 'selection'): void {
    if (change === 'selection') this.surface.tell('selection');
    else if (!this.services.session.computing) this.tellSoon();
  }

  private state(known: readonly string[]): SentState {
    const { circuits } = this.services;
    const { circuit } = this;
    if (this.other && !circuits.all.includes(this.other)) this.compare(undefined);
    const common = {
      message: this.surface.message(),
      failure: this.surface.failure?.(),
      openCircuits: circuits.othersThan(circuit).map(({ id, title }) => ({ id, title })),
      isFile: this.surface.isFile,
      ...(!this.surface.isFile && { progress: circuits.progress }),
    };
    if (!circuit) {
      return {
        ...common,
        canUndo: false,
        canRedo: false,
        stale: false,
        tokenSelected: -1,
        evaluating: false,
      };
    }
    const other = this.other === circuit ? undefined : this.other;
    return {
      ...common,
      circuit: sentCircuit(circuit, known),
      ...(other && { other: sentCircuit(other, known), compareAs: this.compareAs }),
      canUndo: circuit.canUndo,
      canRedo: circuit.canRedo,
      ...this.staleness(circuit),
      ...this.interventions(circuit),
      selected: circuit.selected,
      tokenSelected: this.services.places.selectedToken(circuit),
      evaluation: circuit.evaluation,
      evaluating: circuit.isEvaluating,
      cannotEvaluate: this.cannotEvaluate(circuit),
    };
  }

  private cannotEvaluate(circuit: OpenCircuit): string | undefined {
    const { obstacle, evaluationError } = circuit;
    if (obstacle) return wordObstacle(obstacle);
    return evaluationError === undefined ? undefined : wordError(evaluationError);
  }

  /** Whether the prompt has been edited since the circuit was found. */
  private isStale({ promptUri, graph }: OpenCircuit): boolean {
    const { prompt } = this.services.session;
    return promptUri !== undefined && prompt?.uri === promptUri && prompt.text !== graph.prompt;
  }

  private staleness(circuit: OpenCircuit): Pick<SentState, 'stale' | 'staleReason' | 'findAgain'> {
    const { obstacle, graph, promptUri } = circuit;
    const isOther =
      promptUri !== undefined && (obstacle?.kind === 'otherBos' || obstacle?.kind === 'otherPrecision');
    return {
      stale: this.isStale(circuit),
      staleReason: isOther ? wordObstacle(obstacle) : undefined,
      findAgain: searchAgain(graph),
    };
  }

  private interventions({ graph }: OpenCircuit): Pick<SentState, 'interventions'> {
    const { session } = this.services;
    const { length } = session.interventions.active;
    return length > 0 && session.prompt?.text === graph.prompt ? { interventions: length } : {};
  }

  private async selectNode(id: string | undefined, reveal: boolean): Promise<void> {
    const { circuit } = this;
    if (!circuit) return;
    circuit.select(id);
    const node = id === undefined ? undefined : circuit.node(id);
    if (!node) return;
    const { models, places, session } = this.services;
    const isHere = session.look?.prompt.text === circuit.graph.prompt;
    if (!circuit.graph.isAggregated) {
      if (isHere) await revealToken(this.services, node.position, reveal);
      else if (reveal) places.reveal(circuit, node.position);
    }
    const feature = localFeature(circuit.graph, node, models);
    if (feature && isHere) session.selectFeature(feature);
  }

  private async nodeDetails(id: string, signal: AbortSignal | undefined): Promise<NodeDetails> {
    const { engine, models, log } = this.services;
    const nothing: NodeDetails = { examples: [], topLogits: [], bottomLogits: [] };
    const { circuit } = this;
    const node = circuit?.node(id);
    if (!circuit || !node?.feature) return nothing;
    const model = await models.ensure();
    const feature = localFeature(circuit.graph, node, models);
    if (!feature) return nothing;
    const features = [feature];
    const [info] = await engine.featureInfo({ features, logits: true }, { signal });
    // Examples take a pass over texts; what is known of the feature is worth showing without them.
    const examples = await engine
      .featureExamples({ model: model.id, features, count: 8 }, { signal })
      .catch((error: unknown) => {
        log.warn(`Examples of a feature could not be found: ${describeForLog(error)}`);
        return [];
      });
    return {
      examples: examples[0] ?? [],
      topLogits: info?.topLogits ?? [],
      bottomLogits: info?.bottomLogits ?? [],
      ...(info?.density !== undefined && { density: info.density }),
    };
  }

  private ablateNode(id: string): void {
    const edit = this.circuit?.ablationOf(id);
    if (edit) {
      const { session } = this.services;
      session.interventions.add(edit);
      if (!session.prompt) this.tellNoPrompt();
      return;
    }
    const message = vscode.l10n.t(
      'Only heads, MLPs and features of the open SAEs can be ablated, in the model that the circuit was found in, read with the same BOS.',
    );
    void vscode.window.showInformationMessage(message);
  }

  private async steerNode(id: string): Promise<void> {
    const { circuit } = this;
    const node = circuit?.node(id);
    const feature = circuit && node && localFeature(circuit.graph, node, this.services.models);
    if (feature && !this.services.session.prompt) this.tellNoPrompt();
    else if (feature) await runCommand('steerFeature', feature);
    else
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Only features of the open SAEs can be steered.'),
      );
  }

  /** A circuit of a task may be open with no text at all. */
  private tellNoPrompt(): void {
    const message = vscode.l10n.t('Interventions act on a text. Inspect a document to see what they change.');
    void vscode.window.showInformationMessage(message);
  }

  private async export(
    kind: Parameters<CircuitViewApi['exportGraph']>[0]['kind'],
    picture: string | undefined,
  ): Promise<void> {
    const { circuit } = this;
    if (circuit) await exportCircuit(this.services, circuit, kind, picture);
  }

  private cancel(): void {
    if (!this.surface.isFile) this.services.circuits.cancel();
    this.circuit?.cancelEvaluation();
  }
}
