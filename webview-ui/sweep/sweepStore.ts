/** What the sweep panel knows: the host's last answer, the cell and the part that are looked at. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { isChange, restingValue } from '../../src/shared/sweepCell.ts';
import type { CellAction, SweepState, SweepView, SweepViewApi } from '../../src/shared/sweepViewApi.ts';
import type { ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';
import { differenceOf, scaleEnd, strongestCells } from './cellEffects.ts';
import type { WordedSweep } from './cellWords.ts';
import { cellAt, type GridLayout, layOutGrid, spotOf } from './gridLayout.ts';

/** State and wishes of the sweep panel. */
export class SweepStore {
  readonly state = signal<SweepState | undefined>(undefined);
  readonly failure = signal<string | undefined>(undefined);
  /** The sweep once its grid is known. */
  readonly worded: ReadonlySignal<WordedSweep | undefined>;
  /** The same object as long as it is the same sweep. */
  readonly layout: ReadonlySignal<GridLayout | undefined>;
  /** The end of the color scale. */
  readonly scale: ReadonlySignal<number>;
  /** The chosen cell; −1 when there is none. */
  readonly cell: Signal<number>;
  readonly facet: Signal<number>;

  readonly #refresher: Refresher<SweepState>;
  readonly #layout = signal<GridLayout | undefined>(undefined);
  /** The sweep that `cell` and `facet` belong to. */
  readonly #shown: Signal<string>;
  /** Whether the part or the cell was chosen by the reader; if not, the strongest is shown once the cells are there. */
  readonly #hasChosen: Signal<boolean>;
  #layoutKey = '';

  constructor(
    readonly host: Host<SweepViewApi>,
    saved: SavedState,
  ) {
    this.cell = saved.signal('cell', -1);
    this.facet = saved.signal('facet', 0);
    this.#shown = saved.signal('sweep', '');
    this.#hasChosen = saved.signal('hasChosen', false);
    this.layout = this.#layout;
    this.worded = computed(() => {
      const sweep = this.state.value?.sweep;
      if (!sweep?.outline) return undefined;
      const { other, outline, values } = sweep;
      return { ...sweep, outline, ...(other && { values: differenceOf(values, other), own: values }) };
    });
    this.scale = computed(() => {
      const sweep = this.worded.value;
      if (!sweep) return 1;
      return scaleEnd(sweep.values, restingValue(sweep.question), !isChange(sweep.question));
    });
    this.#refresher = new Refresher(
      () => host.api.state({}),
      (state) => this.#accept(state),
      (reason) => {
        this.failure.value = reason;
      },
    );
    host.on('changed', () => void this.refresh());
  }

  /** Asks the host what is true now. */
  refresh(): Promise<void> {
    return this.#refresher.refresh();
  }

  #accept(state: SweepState): void {
    const { sweep } = state;
    const key = sweep?.outline ? sweep.id : '';
    batch(() => {
      this.failure.value = undefined;
      this.state.value = state;
      if (key !== this.#layoutKey) this.#begin(key, sweep);
      if (sweep && sweep.status !== 'running') this.#showStrongest();
    });
  }

  /** Another sweep than before: nothing of it is chosen yet, unless the window was only reloaded. */
  #begin(key: string, sweep: SweepView | undefined): void {
    this.#layoutKey = key;
    this.#layout.value = sweep?.outline && layOutGrid(sweep.outline.axes);
    if (this.#shown.value === key) return;
    this.#shown.value = key;
    this.#hasChosen.value = false;
    this.cell.value = -1;
    this.facet.value = 0;
  }

  /** Of a sweep in parts, the first may be empty: the part of the strongest cell is shown, until the reader chooses. */
  #showStrongest(): void {
    const layout = this.#layout.peek();
    const sweep = this.worded.peek();
    if (!layout || !sweep || layout.facets.length === 1 || this.#hasChosen.peek()) return;
    const [strongest] = strongestCells(sweep.values, restingValue(sweep.question), 1);
    const spot = strongest === undefined ? undefined : spotOf(layout, strongest);
    if (!spot || strongest === undefined) return;
    this.#hasChosen.value = true;
    this.cell.value = strongest;
    this.facet.value = spot.facet;
  }

  /** Chooses a cell. */
  chooseCell(cell: number): void {
    const layout = this.#layout.peek();
    const spot = layout && spotOf(layout, cell);
    if (!spot) return;
    batch(() => {
      this.#hasChosen.value = true;
      this.cell.value = cell;
      this.facet.value = spot.facet;
    });
  }

  /** Shows another part; the chosen cell moves along, so that its neighbors can be compared. */
  chooseFacet(facet: number): void {
    const layout = this.#layout.peek();
    const spot = layout && spotOf(layout, this.cell.peek());
    batch(() => {
      this.#hasChosen.value = true;
      this.facet.value = facet;
      if (layout && spot) this.cell.value = cellAt(layout, { ...spot, facet });
    });
  }

  /** Chooses a cell and shows its token in the editor, which needs the model that was swept. */
  openCell(cell: number): void {
    this.chooseCell(cell);
    if (this.state.peek()?.sweep?.elsewhere) return;
    void this.#wish(this.host.api.revealCell({ cell }));
  }

  act(cell: number, action: CellAction): void {
    void this.#wish(this.host.api.actOnCell({ cell, action }));
  }

  runSweep(): void {
    void this.#wish(this.host.api.run({}));
  }

  cancel(): void {
    void this.#wish(this.host.api.cancel({}));
  }

  change(): void {
    void this.#wish(this.host.api.change({}));
  }

  again(change: Parameters<SweepViewApi['again']>[0]): void {
    void this.#wish(this.host.api.again(change));
  }

  choose(id: string): void {
    void this.#wish(this.host.api.choose({ id }));
  }

  remove(id: string): void {
    void this.#wish(this.host.api.remove({ id }));
  }

  compare(id: string | undefined): void {
    void this.#wish(this.host.api.compare({ id }));
  }

  exportSweep(kind: 'csv' | 'json' | 'svg', svg?: string): void {
    void this.#wish(this.host.api.exportSweep({ kind, svg }));
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
