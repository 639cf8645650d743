/** What the circuit panel knows: the host's last answer, the slider, and what the pointer is over. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { CircuitGraph, CircuitNode } from '../../src/shared/domain.ts';
import type { CircuitState, CircuitViewApi, ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';
import { keepNodes } from './keepNodes.ts';

/** Ways to see the circuit. */
export type CircuitTab = 'graph' | 'list';

/** Rest of the slider, in milliseconds, after which the host measures what is kept. */
const sliderRest = 220;

/** State and wishes of the circuit panel. */
export class CircuitStore {
  readonly state = signal<CircuitState | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  readonly selected = signal<string | undefined>(undefined);
  readonly hovered = signal<string | undefined>(undefined);
  readonly keep = signal(1);
  readonly tab: Signal<CircuitTab>;

  /** The graph; the same object as long as it is the same graph. */
  readonly graph: ReadonlySignal<CircuitGraph | undefined>;
  readonly nodes: ReadonlySignal<ReadonlyMap<string, CircuitNode>>;
  readonly kept: ReadonlySignal<ReadonlySet<string>>;

  readonly #refresher: Refresher<CircuitState>;
  readonly #graph = signal<CircuitGraph | undefined>(undefined);
  readonly #pinned = signal<readonly string[]>([]);
  #graphText = '';
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  #selections = 0;

  constructor(
    readonly host: Host<CircuitViewApi>,
    saved: SavedState,
  ) {
    this.tab = saved.signal<CircuitTab>('tab', 'graph');
    this.graph = this.#graph;
    this.nodes = computed(() => new Map(this.#graph.value?.nodes.map((node) => [node.id, node]) ?? []));
    this.kept = computed(() => {
      const graph = this.#graph.value;
      return graph ? keepNodes(graph, this.keep.value, this.#pinned.value) : new Set<string>();
    });
    this.#refresher = new Refresher(
      () => host.api.state({}),
      (state) => this.#accept(state),
      (reason) => {
        this.failure.value = reason;
      },
    );
    host.on('changed', () => void this.refresh());
    host.on('selectionChanged', () => void this.refresh());
  }

  /** Asks the host what is true now. */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  #accept(state: CircuitState): void {
    // Each answer is a new copy; layout and drawing follow the graph's content, not its identity.
    const text = state.graph
      ? JSON.stringify([state.graph.nodes, state.graph.edges, state.graph.tokens])
      : '';
    const isNew = text !== this.#graphText;
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      if (isNew) {
        this.#graphText = text;
        this.#graph.value = state.graph;
      }
      if (this.#pinned.value.join('\n') !== state.pinned.join('\n')) this.#pinned.value = state.pinned;
      // What the reader is doing right now is newer than this answer.
      if (this.#selections === 0) this.selected.value = state.selected;
      if (isNew || this.#keepTimer === undefined) this.keep.value = state.keep;
    });
    // What is shown at first is measured too, not only what the slider leaves.
    if (isNew && state.graph && !state.evaluation && !state.evaluating) this.setKeep(state.keep);
  }

  /** Selects a node, or none, here and in the editor. */
  select(node: string | undefined): void {
    if (node === this.selected.peek()) return;
    this.selected.value = node;
    this.#selections++;
    const answered = this.host.api.selectNode({ node, reveal: true });
    void this.#wish(answered.finally(() => this.#selections--));
  }

  /** Lights a node up here and its token in the editor. */
  hover(node: string | undefined): void {
    if (node === this.hovered.peek()) return;
    this.hovered.value = node;
    this.host.api.hoverNode({ node }).catch((error: unknown) => console.error(reasonOf(error)));
  }

  /** Prunes at once; the host measures once the slider rests. */
  setKeep(fraction: number): void {
    this.keep.value = fraction;
    clearTimeout(this.#keepTimer);
    this.#keepTimer = setTimeout(() => {
      const answered = this.host.api.keep({ fraction, nodes: [...this.kept.peek()] });
      void this.#wish(
        answered.finally(() => {
          this.#keepTimer = undefined;
        }),
      );
    }, sliderRest);
  }

  pin(node: string, pinned: boolean): void {
    void this.#wish(this.host.api.pinNode({ node, pinned }));
  }

  ablate(node: string): void {
    void this.#wish(this.host.api.ablateNode({ node }));
  }

  steer(node: string): void {
    void this.#wish(this.host.api.steerNode({ node }));
  }

  exportSvg(svg: string): void {
    void this.#wish(this.host.api.exportGraph({ kind: 'svg', svg }));
  }

  exportJson(): void {
    void this.#wish(this.host.api.exportGraph({ kind: 'json' }));
  }

  cancel(): void {
    void this.#wish(this.host.api.cancel({}));
  }

  run(command: ViewCommand): void {
    void this.#wish(this.host.api.runCommand({ command }));
  }

  /** The host tells about failures itself; the view only asks what is true now. */
  async #wish(answer: Promise<unknown>): Promise<void> {
    try {
      await answer;
    } catch (error) {
      console.error(reasonOf(error));
    }
    await this.refresh();
  }
}
