/** What the sweep panel knows: the host's last answer, the cell and the part that are looked at. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { restingValue } from '../../src/shared/sweepCell.ts';
import type { CellAction, SweepState, SweepViewApi } from '../../src/shared/sweepViewApi.ts';
import type { ViewCommand } from '../../src/shared/viewApi.ts';
import type { Host } from '../lib/host.ts';
import { Refresher } from '../lib/refresher.ts';
import { reasonOf } from '../lib/resource.ts';
import type { SavedState } from '../lib/savedState.ts';
import { differenceOf, scaleEnd } from './cellEffects.ts';
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
  #layoutKey = '';

  constructor(
    readonly host: Host<SweepViewApi>,
    saved: SavedState,
  ) {
    this.cell = saved.signal('cell', -1);
    this.facet = saved.signal('facet', 0);
    this.#shown = saved.signal('sweep', '');
    this.layout = this.#layout;
    this.worded = computed(() => {
      const sweep = this.state.value?.sweep;
      if (!sweep?.outline) return undefined;
      const { other, outline, values } = sweep;
      return { ...sweep, outline, ...(other && { values: differenceOf(values, other), own: values }) };
    });
    this.scale = computed(() => {
      const sweep = this.worded.value;
      return sweep ? scaleEnd(sweep.values, restingValue(sweep.question)) : 1;
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
      if (key === this.#layoutKey) return;
      this.#layoutKey = key;
      this.#layout.value = sweep?.outline && layOutGrid(sweep.outline.axes);
      if (this.#shown.value === key) return;
      this.#shown.value = key;
      this.cell.value = -1;
      this.facet.value = 0;
    });
  }

  /** Chooses a cell. */
  chooseCell(cell: number): void {
    const layout = this.#layout.peek();
    const spot = layout && spotOf(layout, cell);
    if (!spot) return;
    batch(() => {
      this.cell.value = cell;
      this.facet.value = spot.facet;
    });
  }

  /** Shows another part; the chosen cell moves along, so that its neighbors can be compared. */
  chooseFacet(facet: number): void {
    const layout = this.#layout.peek();
    const spot = layout && spotOf(layout, this.cell.peek());
    batch(() => {
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
