/** What the circuit panel knows: the host's last answer, what the reader looks at, and what follows from both. */

import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { CircuitAnnotations, CircuitGraph } from '../../src/shared/circuit.ts';
import {
  type AnnotationChange,
  emptyAnnotations,
  groupOf,
  keepShare,
} from '../../src/shared/circuitAnnotations.ts';
import type { CircuitState, CircuitViewApi, NodeDetails } from '../../src/shared/circuitViewApi.ts';
import { hasInfluence, heldNodes, type KeepOrder, keepNodes, rankNodes } from '../../src/shared/keepNodes.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { Resource, reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';
import type { Mark } from '../marks/circuitMark.ts';
import {
  type Drawing,
  drawMarks,
  groupOfMark,
  markOfMembers,
  namedMark,
  namedNodes,
} from './circuitMarks.ts';
import { type DifferencePicture, differencePicture, type LinkedCircuit, linkCircuit } from './comparison.ts';
import { GraphCache } from './graphCache.ts';
import { KeepSlider } from './keepSlider.ts';
import { KeptMeasure } from './keptMeasure.ts';
import { sameContent, sameGraph, sameOther } from './sameGraph.ts';

/** Ways to see the circuit. */
export type CircuitTab = 'graph' | 'pinned' | 'list';

const nothing: Drawing = { marks: [], edges: [] };

/** State of the circuit panel, and the wishes that go to the host. */
export class CircuitStore {
  readonly state = signal<CircuitState | undefined>(undefined);
  /** What this view itself could not do. */
  readonly notice = signal<string | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  /** The mark whose card is open. */
  readonly selected = signal<string | undefined>(undefined);
  readonly hovered = signal<string | undefined>(undefined);
  /** Marks that are selected together, to be pinned or grouped. */
  readonly chosen = signal<ReadonlySet<string>>(new Set());
  /** The mark whose name is being written. */
  readonly renaming = signal<string | undefined>(undefined);
  readonly openGroups = signal<ReadonlySet<string>>(new Set());
  readonly tab: Signal<CircuitTab>;
  readonly chosenOrder: Signal<string>;
  readonly details = new Resource<NodeDetails>();
  readonly slider = new KeepSlider((stroke) => this.#tellKeep(stroke));

  /** The graph; the same object as long as it is the same graph. */
  readonly graph: ReadonlySignal<CircuitGraph | undefined>;
  readonly annotations: ReadonlySignal<CircuitAnnotations>;
  /** Every node by its id, under the name it was given. */
  readonly nodes: ReadonlySignal<ReadonlyMap<string, Mark>>;
  readonly byInfluence: ReadonlySignal<boolean>;
  readonly order: ReadonlySignal<KeepOrder>;
  readonly kept: ReadonlySignal<ReadonlySet<string>>;
  /** What is pinned or grouped. */
  readonly held: ReadonlySignal<ReadonlySet<string>>;
  readonly drawing: ReadonlySignal<Drawing>;
  readonly linked: ReadonlySignal<LinkedCircuit | undefined>;
  readonly difference: ReadonlySignal<DifferencePicture | undefined>;

  readonly #refresher: Refresher<CircuitState>;
  readonly #graph = signal<CircuitGraph | undefined>(undefined);
  readonly #annotations = signal(emptyAnnotations());
  readonly #other = signal<CircuitState['other']>(undefined);
  readonly #cache = new GraphCache();
  #circuit: string | undefined;
  #hostSelected: string | undefined;
  #selections = 0;
  #edits = 0;
  readonly #measure = new KeptMeasure((nodes) => {
    this.host.api.evaluate({ nodes }).catch((error: unknown) => console.error(reasonOf(error)));
  });

  constructor(
    readonly host: Host<CircuitViewApi>,
    saved: SavedState,
  ) {
    this.tab = saved.signal<CircuitTab>('tab', 'graph');
    this.chosenOrder = saved.signal('order', '');
    this.graph = this.#graph;
    this.annotations = this.#annotations;
    this.nodes = computed(() => namedNodes(this.#graph.value, this.#annotations.value));
    this.byInfluence = computed(() => this.#graph.value !== undefined && hasInfluence(this.#graph.value));
    this.order = computed(() =>
      this.byInfluence.value && this.chosenOrder.value !== 'effect' ? 'influence' : 'effect',
    );
    const ranked = computed(() => (this.#graph.value ? rankNodes(this.#graph.value, this.order.value) : []));
    this.kept = computed(() => {
      const graph = this.#graph.value;
      if (!graph) return new Set<string>();
      return keepNodes(graph, this.slider.keep.value, heldNodes(this.#annotations.value), ranked.value);
    });
    this.held = computed(
      () => new Set(heldNodes(this.#annotations.value).filter((id) => this.nodes.value.has(id))),
    );
    this.drawing = computed(() => {
      const graph = this.#graph.value;
      if (!graph) return nothing;
      const shown = this.tab.value === 'pinned' ? this.held.value : this.kept.value;
      return drawMarks(graph, this.#annotations.value, shown, this.openGroups.value);
    });
    this.linked = computed(() => {
      const graph = this.#graph.value;
      const other = this.#other.value;
      return graph && other ? linkCircuit(graph, other) : undefined;
    });
    this.difference = computed(() => {
      const graph = this.#graph.value;
      const linked = this.linked.value;
      if (!graph || !linked) return undefined;
      return differencePicture(
        { graph, annotations: this.#annotations.value, kept: this.kept.value },
        linked,
      );
    });
    this.#refresher = new Refresher(
      async () => this.#cache.complete(await host.api.state({ known: this.#cache.known })),
      (state) => this.#accept(state),
      (reason) => {
        this.failure.value = reason;
      },
    );
    host.on('changed', () => void this.refresh());
    host.on('selectionChanged', () => void this.refresh());
    effect(() => this.#measure.soon(this.kept.value));
  }

  /** Asks the host what is true now. */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  #accept(state: CircuitState): void {
    const { circuit, other } = state;
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      const isNew = circuit?.id !== this.#circuit || !sameGraph(circuit?.graph, this.#graph.peek());
      if (isNew) this.#begin(circuit);
      if (!sameOther(other, this.#other.peek())) this.#takeOther(other);
      // What the reader is doing right now is newer than this answer.
      if (circuit && (isNew || (this.#edits === 0 && !this.slider.isMoving))) this.#take(circuit.annotations);
      if (this.#selections === 0 && (isNew || state.selected !== this.#hostSelected)) {
        this.#hostSelected = state.selected;
        this.selected.value = state.selected;
      }
      if (isNew && (state.evaluation || state.evaluating)) this.#measure.isKnown(this.kept.peek());
    });
  }

  #begin(circuit: CircuitState['circuit']): void {
    this.#circuit = circuit?.id;
    this.#graph.value = circuit?.graph;
    this.chosen.value = new Set();
    this.renaming.value = undefined;
    this.slider.end();
    this.#measure.forget();
  }

  #takeOther(other: CircuitState['other']): void {
    // A card would take the room of two circuits.
    if (other && other.id !== this.#other.peek()?.id) this.select(undefined);
    this.#other.value = other;
  }

  #take(annotations: CircuitAnnotations): void {
    if (!sameContent(annotations, this.#annotations.peek())) this.#annotations.value = annotations;
    this.slider.keep.value = annotations.keep;
  }

  /** The mark of an id that may be a node here, a group, or a node of the other circuit. */
  markOf(id: string | undefined): Mark | undefined {
    if (id === undefined) return undefined;
    const linked = this.linked.value;
    const group = groupOfMark(id);
    if (group !== undefined) {
      const here = this.#annotations.value.supernodes.find((one) => one.id === group);
      if (here) return markOfMembers(here, this.nodes.value);
      const there = linked?.annotations.supernodes.find((one) => one.id === group);
      return linked && there && markOfMembers(there, namedNodes(linked.graph, linked.annotations));
    }
    const node = this.nodes.value.get(id);
    if (node) return node;
    const there = linked?.graph.nodes.find((other) => other.id === id);
    return linked && there && namedMark(there, linked.annotations);
  }

  /** Selects a mark, or none, here and in the editor. */
  select(id: string | undefined): void {
    if (id === this.selected.peek()) return;
    this.selected.value = id;
    this.renaming.value = undefined;
    const node = id !== undefined && this.nodes.peek().has(id) ? id : undefined;
    if (node === this.#hostSelected) return;
    this.#hostSelected = node;
    this.#selections++;
    const answered = this.host.api.selectNode({ node, reveal: true });
    this.wish(answered.finally(() => this.#selections--));
  }

  /** Lights a mark up here and its token in the editor. */
  hover(id: string | undefined): void {
    if (id === this.hovered.peek()) return;
    this.hovered.value = id;
    const node = id !== undefined && this.nodes.peek().has(id) ? id : undefined;
    this.host.api.hoverNode({ node }).catch((error: unknown) => console.error(reasonOf(error)));
  }

  /** Adds a mark to those that are selected together, or takes it away. The first one takes the open card's along. */
  choose(id: string): void {
    const isHere = groupOfMark(id) !== undefined || this.nodes.peek().has(id);
    if (!isHere) return;
    const chosen = new Set(this.chosen.peek());
    const selected = this.selected.peek();
    if (chosen.size === 0 && selected !== undefined && selected !== id) chosen.add(selected);
    if (!chosen.delete(id)) chosen.add(id);
    this.chosen.value = chosen;
  }

  /** The id of the group that a node is in. */
  groupIdOf(node: string): string | undefined {
    return groupOf(this.#annotations.peek(), node)?.id;
  }

  /** Opens a closed group and closes an open one. */
  toggleGroup(group: string): void {
    const open = new Set(this.openGroups.peek());
    if (!open.delete(group)) open.add(group);
    this.openGroups.value = open;
  }

  /** Makes sure that a node has a mark of its own: opens its group. */
  bringOut(node: string): void {
    const group = this.groupIdOf(node);
    if (group !== undefined && !this.openGroups.peek().has(group)) this.toggleGroup(group);
  }

  /** Opens the group of a node and the node's card. */
  openAndSelect(node: string): void {
    this.bringOut(node);
    this.select(node);
  }

  /** Changes what a person has added; `make` gets it as it is now. */
  edit(make: (annotations: CircuitAnnotations) => AnnotationChange | undefined): void {
    this.slider.end();
    this.#change(make);
  }

  #change(make: (annotations: CircuitAnnotations) => AnnotationChange | undefined, stroke?: number): void {
    const change = make(this.#annotations.peek());
    if (!change) return;
    const { annotations, what } = change;
    this.#annotations.value = annotations;
    this.#edits++;
    this.wish(this.host.api.annotate({ annotations, what, stroke }).finally(() => this.#edits--));
  }

  undo(): void {
    this.slider.end();
    this.wish(this.host.api.undo({}));
  }

  redo(): void {
    this.slider.end();
    this.wish(this.host.api.redo({}));
  }

  /** Waits for the host's part; it tells about failures itself, and the view only asks what is true now. */
  wish(answer: Promise<unknown>): void {
    void answer.catch((error: unknown) => console.error(reasonOf(error))).then(() => this.refresh());
  }

  #tellKeep(stroke: number): void {
    const kept = [...this.kept.peek()].filter((id) => isCounted(this.nodes.peek().get(id))).length;
    this.#change((annotations) => keepShare(annotations, this.slider.keep.peek(), kept), stroke);
  }
}

function isCounted(mark: Mark | undefined): boolean {
  return mark !== undefined && mark.kind !== 'token' && mark.kind !== 'logit';
}
